-- claim leases the best ready jobs of some lanes.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; of each call 1 worker, 2 process, 3 most jobs (0: only look), 4 lease
-- in µs, 5 token of the first job, from which the others count on, 6 least priority, 7 longest delay of a
-- retry in µs, 8 1 where the same claim was sent before, 9 1 where it matters what is left, 10… lanes.
-- Returns: {'ok', priority of the best job that is left, false where there is none or it does not matter, then for
-- each job its id, record, payload and for how many µs it waited}; {'more', …} likewise, where so many heads had to
-- be put right that it did not look at all; {'missing'}.
-- Several calls may share a run, see lib/many.lua.
-- uses: queue tell order job lease due many
local moved = 0

-- What calls take they take of views, which are written when all is done: of a lane its best heads, {member, score, true
-- where the lane has it}, as far as they were read; of a group its first jobs, id and place.
local views, groups = {}, {}

local function before(a, b) return a[2] < b[2] or a[2] == b[2] and a[1] < b[1] end

local function push(v, head)
  local heads = v.heads
  local i = #heads
  while i > 0 and before(head, heads[i]) do
    heads[i + 1] = heads[i]
    i = i - 1
  end
  heads[i + 1] = head
end

local function pop(v)
  local head = table.remove(v.heads, 1)
  if head[3] then later('ZREM', v.key, head[1]) end
end

-- best gives the best head of a lane. Those that were read no further than it stands may miss a better one.
local function best(v)
  while not v.whole and (not v.heads[1] or before(v.last, v.heads[1])) do
    local read = redis.call('ZRANGE', T .. v.key, v.read, v.read + v.step - 1, 'WITHSCORES')
    for i = 1, #read, 2 do
      v.last = { read[i], tonumber(read[i + 1]), true }
      push(v, v.last)
    end
    v.read, v.whole = v.read + #read / 2, #read < 2 * v.step
  end
  return v.heads[1]
end

-- view begins to look at a lane, step heads at once.
local function view(lane, step)
  local v = views[lane]
  if not v then
    v = { lane = lane, key = 'lane:' .. lane, heads = {}, read = 0, step = step }
    views[lane] = v
  end
  return v
end

-- take takes the first job of a group, and gives the place of the next.
local function take(g, step)
  local q = groups[g]
  if not q then
    q = { key = 'group:' .. g, at = 1, read = 0 }
    groups[g] = q
  end
  if not q.whole and not q[q.at + 2] then
    local read = redis.call('ZRANGE', T .. q.key, q.read, q.read + step, 'WITHSCORES')
    for i = 1, #read do q[2 * q.read + i] = read[i] end
    q.read, q.whole = q.read + #read / 2, #read < 2 * step + 2
  end
  local id = q[q.at]
  q.at = q.at + 2
  later('ZREM', q.key, id)
  return id, q[q.at + 1]
end

-- leaveviews writes what the lanes have that is new.
local function leaveviews()
  unlock()
  for _, v in pairs(views) do
    for _, h in ipairs(v.heads) do
      if not h[3] then later('ZADD', v.key, whole(h[2]), h[1]) end
    end
  end
  views, groups = {}, {}
end

local function writeviews()
  leaveviews()
  settle()
end

-- payloads adds the jobs' payloads to an answer that has n jobs.
local function payloads(answer, n)
  for from = 0, n - 1, MAX_ARGUMENTS do
    local keys = {}
    for i = from, math.min(from + MAX_ARGUMENTS, n) - 1 do keys[#keys + 1] = T .. 'payload:' .. answer[3 + i * 4] end
    for i, payload in ipairs(redis.call('MGET', unpack(keys))) do answer[5 + (from + i - 1) * 4] = payload end
  end
end

return many(0, function(own)
  if not load() then return { 'missing' } end
  local most, length, first, least = tonumber(own[3]), tonumber(own[4]), tonumber(own[5]), tonumber(own[6])
  local answer = { 'ok', false }

  -- What the same claim was given, when its answer was lost; its lease begins anew.
  if own[8] == '1' then
    writeviews()
    for _, id in ipairs(redis.call('ZRANGE', T .. 'leases', -256, -1)) do
      local r = cmsgpack.unpack(record('unfinished', id))
      if r[R_TOKEN] >= first and r[R_TOKEN] < first + most and leaseend(r) > F[F_CLOCK] then
        r[R_RENEWED], r[R_LEASE], r[R_ENDS] = F[F_CLOCK], length, F[F_CLOCK] + length
        later('ZADD', 'leases', whole(r[R_ENDS]), id)
        put(id, r)
        save()
        for _, v in ipairs({ id, records.unfinished[id], redis.call('GET', T .. 'payload:' .. id), 0 }) do answer[#answer + 1] = v end
      end
    end
    if answer[3] then return answer end
  end
  if F[F_STATE] == QUEUE_PAUSED then return answer end

  local promoted, movedbefore = promotedue(math.max(most, 1), tonumber(own[7]), writeviews), moved
  local mine = {}
  local ahead = 1 + math.min(31, math.floor(most * tonumber(ARGV[5]) / (#own - 9)))
  for i = 10, #own do mine[#mine + 1] = view(own[i], ahead) end

  -- choose gives the first head by priority, virtual start and place. On the way it puts right what has
  -- changed since the heads were made: a tenant at its limit, or served in another lane. A run does so to a bounded
  -- number of heads, and leaves the rest to the next.
  local function choose()
    while true do
      local v, h
      for i = 1, #mine do
        local x = best(mine[i])
        if x and (not h or before(x, h)) then v, h = mine[i], x end
      end
      if not h then return end
      if moved == MAX_MOVED then
        answer[1] = 'more'
        return
      end
      local g = string.sub(h[1], 17)
      local sh, priority, at = share(tenantof(g)), 100 - math.floor(h[2] / START_BITS), h[2] % START_BITS
      if atlimit(sh) then
        pop(v)
        later('ZADD', 'parked', '0', g)
      elseif at < (sh[2][text(priority)] or 0) then
        pop(v)
        push(v, { h[1], score(priority, start(sh, priority)) })
      else
        return v, g, priority, at
      end
      moved = moved + 1
    end
  end

  local v, g, priority, at = choose()
  local n = 0
  while v and n < most and priority >= least do
    local id, place = take(g, math.min(7, most - n))
    local r = cmsgpack.unpack(record('unfinished', id))
    pop(v)
    serve(r, at)
    if place then
      local sh = share(r[R_TENANT])
      if atlimit(sh) then
        later('ZADD', 'parked', '0', g)
      else
        push(v, { member(place, g), score(priority, start(sh, priority)) })
      end
    end
    F[F_COUNTS + C_READY], F[F_COUNTS + C_RUNNING] = F[F_COUNTS + C_READY] - 1, F[F_COUNTS + C_RUNNING] + 1
    local attempts = r[R_ATTEMPTS]
    attempts[#attempts + 1] = { own[1], now, 0, '', 0 }
    if #attempts > MAX_ATTEMPT_RECORDS then table.remove(attempts, 1) end
    r[R_STATE], r[R_COUNTED], r[R_PROCESS] = 'r', r[R_COUNTED] + 1, own[2]
    r[R_TOKEN], r[R_RENEWED], r[R_LEASE] = first + n, F[F_CLOCK], length
    r[R_ENDS] = F[F_CLOCK] + r[R_LEASE]
    later('ZADD', 'leases', whole(r[R_ENDS]), id)
    count(N_CLAIMED)
    state(id, r, '')
    put(id, r)
    answer[3 + n * 4], answer[4 + n * 4], answer[5 + n * 4] = id, records.unfinished[id], false
    answer[6 + n * 4] = math.max(now - r[R_SINCE], 0)
    n = n + 1
    if n == most and own[9] ~= '1' then break end
    v, g, priority, at = choose()
  end
  payloads(answer, n)
  if v and own[9] == '1' then answer[2] = tostring(priority) end
  if n > 0 or promoted > 0 or moved > movedbefore or step > 1000000 then save() end
  return answer
end, leaveviews)
