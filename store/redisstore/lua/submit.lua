-- submit makes a job, which is then queued.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 most unfinished jobs (0: any number), 6 most bytes of them (0: any),
-- 7 the tenants' running limit for a new queue, 8 how long, in µs, an id that others know is good for, 9 most
-- unfinished jobs of the tenant (0: any number); of each call 1 id, 2 payload, 3 tenant, 4 lane, 5 priority,
-- 6 attempts allowed, 7 details, 8 1 where the id was sent before or is known to others.
-- Returns: {'ok'}; {'exists'} and nothing is done; {'revoked'} or {'stale'} where the id must not be
-- used any more; {'early', time in ms and last 46 bits of an id} where it must sort after that one, which
-- an import has brought or whose job is gone; {'drained'}; {'full', 1 for the bytes, 2 for the tenant's
-- share, jobs that ended lately, minutes in which they did}.
-- Several calls may share a run, see lib/many.lua.
-- uses: queue tell order job many
local most, bytes, each = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[9])
local opens = {}

-- open is how many unfinished jobs the tenant has.
local function open(tenant)
  opens[tenant] = opens[tenant] or redis.call('ZCARD', T .. 'open:' .. tenant)
  return opens[tenant]
end

return many(5, function(own)
  local id, payload, tenant = own[1], own[2], own[3]
  local found = load()
  if own[8] == '1' then
    for _, where in ipairs({ 'unfinished', 'ended' }) do
      if record(where, id) then return { 'exists' } end
    end
    if redis.call('EXISTS', T .. 'revoked:' .. id) == 1 then return { 'revoked' } end
    if idparts(id) * 1000 < now - tonumber(ARGV[8]) then return { 'stale' } end
  end
  if not found then
    fresh(tonumber(ARGV[7]))
  elseif not follows(id) then
    return { 'early', F[F_LAST_TIME], F[F_LAST_REST] }
  end
  if F[F_STATE] == QUEUE_DRAINING then return { 'drained' } end

  local unfinished = F[F_COUNTS + C_READY] + F[F_COUNTS + C_DELAYED] + F[F_COUNTS + C_RUNNING]
  local deep = most > 0 and unfinished >= most
  local large = bytes > 0 and F[F_BYTES] + #payload > bytes
  if deep or large or each > 0 and open(tenant) >= each then
    count(N_REJECTED)
    save()
    local ended, minutes = 0, 0
    for back = 0, 4 do
      local n = 0
      if back == 0 then
        n = F[F_CURRENT + N_COMPLETED] + F[F_CURRENT + N_FAILED] + F[F_CURRENT + N_CANCELLED]
      else
        local raw = redis.call('HGET', T .. 'minutes', F[F_MINUTE] - back)
        local c = raw and cmsgpack.unpack(raw)
        if c then n = c[N_COMPLETED] + c[N_FAILED] + c[N_CANCELLED] end
      end
      if n > 0 then ended, minutes = ended + n, minutes + 1 end
    end
    return { 'full', deep and 0 or large and 1 or 2, ended, minutes }
  end

  later('MSET', '', T .. 'payload:' .. id, payload)
  F[F_PLACE] = math.max(F[F_PLACE] + 1, now)
  F[F_BYTES] = F[F_BYTES] + #payload
  local r = {
    'q', tenant, own[4], tonumber(own[5]), F[F_PLACE], now, 0, 0, 0, 0, 0, tonumber(own[6]), 0, 0, 0, 0, '',
    #payload, 1, 1, FIRST_EVENT, now, '', '', {}, {}, own[7], '',
  }
  append(id, r)
  later('ZADD', 'open', '0', id)
  later('ZADD', 'open:' .. tenant, '0', id)
  if opens[tenant] then opens[tenant] = opens[tenant] + 1 end
  put(id, r)
  count(N_SUBMITTED)
  save()
  return { 'ok' }
end)
