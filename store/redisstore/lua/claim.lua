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

return many(0, function(own)
  if not load() then return { 'missing' } end
  local most, length, first, least = tonumber(own[3]), tonumber(own[4]), tonumber(own[5]), tonumber(own[6])
  local answer = { 'ok', false }

  -- What the same claim was given, when its answer was lost.
  if own[8] == '1' then
    settle()
    for _, id in ipairs(redis.call('ZRANGE', T .. 'leases', -256, -1)) do
      local raw = redis.call('HGET', T .. 'unfinished', id)
      local r = cmsgpack.unpack(raw)
      if r[R_TOKEN] >= first and r[R_TOKEN] < first + most then
        for _, v in ipairs({ id, raw, redis.call('GET', T .. 'payload:' .. id), 0 }) do answer[#answer + 1] = v end
      end
    end
    if answer[3] then return answer end
  end
  if F[F_STATE] == QUEUE_PAUSED then return answer end

  local promoted = promotedue(math.max(most, 1), tonumber(own[7]))
  local heads = {}
  local function look(lane)
    local h = redis.call('ZRANGE', T .. 'lane:' .. lane, 0, 0, 'WITHSCORES')
    heads[lane] = h[1] and { h[1], tonumber(h[2]) } or nil
  end

  -- best is the first head by priority, virtual start and place. On the way it puts right what has
  -- changed since the heads were made: a tenant at its limit, or served in another lane. A run does so to a bounded
  -- number of heads, and leaves the rest to the next.
  local function best()
    while true do
      local lane, h
      for l, x in pairs(heads) do
        if not h or x[2] < h[2] or x[2] == h[2] and x[1] < h[1] then lane, h = l, x end
      end
      if not h then return end
      if moved == MAX_MOVED then
        answer[1] = 'more'
        return
      end
      local g = string.sub(h[1], 17)
      local sh, priority, at = share(tenantof(g)), 100 - math.floor(h[2] / START_BITS), h[2] % START_BITS
      if atlimit(sh) then
        redis.call('ZREM', T .. 'lane:' .. lane, h[1])
        redis.call('ZADD', T .. 'parked', 0, g)
      elseif at < (sh[2][text(priority)] or 0) then
        redis.call('ZREM', T .. 'lane:' .. lane, h[1])
        redis.call('ZADD', T .. 'lane:' .. lane, score(priority, start(sh, priority)), h[1])
      else
        return lane, h[1], g, priority, at
      end
      moved = moved + 1
      look(lane)
    end
  end

  for i = 10, #own do look(own[i]) end
  local lane, head, g, priority, at = best()
  local n = 0
  while lane and n < most and priority >= least do
    local two = redis.call('ZRANGE', T .. 'group:' .. g, 0, 1, 'WITHSCORES')
    local id = two[1]
    local r = cmsgpack.unpack(record('unfinished', id))
    redis.call('ZREM', T .. 'lane:' .. lane, head)
    redis.call('ZREM', T .. 'group:' .. g, id)
    serve(r, at)
    if two[4] then head_of(g, r[R_TENANT], priority, lane, two[4]) end
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
    local raw = cmsgpack.pack(r)
    records.unfinished[id] = raw
    answer[3 + n * 4], answer[4 + n * 4] = id, raw
    answer[5 + n * 4], answer[6 + n * 4] = redis.call('GET', T .. 'payload:' .. id), math.max(now - r[R_SINCE], 0)
    n = n + 1
    if n == most and own[9] ~= '1' then break end
    look(lane)
    lane, head, g, priority, at = best()
  end
  if lane and own[9] == '1' then answer[2] = tostring(priority) end
  if n > 0 or promoted > 0 or step > 1000000 then
    if n == 0 then unlock() end
    save()
  end
  return answer
end)
