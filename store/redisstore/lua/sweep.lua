-- sweep moves due retries, drops what retention no longer keeps, and looks for leases that have run out.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 most of each kind, 6 longest delay of a retry in µs, 7 and 8
-- for how many µs ended jobs and dead letters are kept, 0 for ever.
-- Returns: {1 where a lease has run out else 0, retries that came due, then each deleted job's id and
-- record}; {0, 0} where the queue holds nothing.
-- uses: queue tell order job lease due
if not load() then return { 0, 0 } end
local most = tonumber(ARGV[5])
local stale = false
local expired = redis.call('ZRANGEBYSCORE', T .. 'leases', '-inf', F[F_CLOCK], 'LIMIT', 0, 1)
local answer = { #expired, promotedue(most, tonumber(ARGV[6])) }
for i, key in ipairs({ 'kept', 'kept:failed' }) do
  local keep = tonumber(ARGV[6 + i])
  if keep > 0 then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', T .. key, '-inf', now - keep, 'LIMIT', 0, most)) do
      local raw = redis.call('HGET', T .. 'ended', id)
      forget(id, cmsgpack.unpack(raw))
      answer[#answer + 1], answer[#answer + 2] = id, raw
    end
  end
end
-- Some shares that mean nothing any more; those of a tenant that comes no more nobody else looks at.
for _, tenant in ipairs(redis.call('HRANDFIELD', T .. 'shares', 20)) do
  local sh, live = share(tenant), false
  for p, finish in pairs(sh[2]) do live = live or finish > virtual(p) end
  if sh[1] == 0 and not live then sh.changed, stale = true, true end
end
local changed = stale or answer[2] > 0 or answer[3]
if changed or F[F_COUNTS + C_RUNNING] > 0 or step > MAX_CLOCK_STEP / 2 then
  unlock()
  saveshares()
  write()
  flush()
end
return answer
