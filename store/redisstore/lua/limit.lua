-- limit sets how many jobs of one tenant run at once.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 the limit, 0 for none.
-- Returns: {'ok'}.
-- uses: queue tell order
if not load() then return { 'ok' } end
local limit = tonumber(ARGV[5])
if F[F_LIMIT] ~= limit then
  unlock()
  if F[F_LIMIT] == 0 then
    for _, id in ipairs(redis.call('ZRANGE', T .. 'leases', 0, -1)) do
      local sh = share(cmsgpack.unpack(redis.call('HGET', T .. 'unfinished', id))[R_TENANT])
      sh[1], sh.changed = sh[1] + 1, true
    end
  elseif limit == 0 then
    for _, tenant in ipairs(redis.call('HKEYS', T .. 'shares')) do
      local sh = share(tenant)
      sh[1], sh.changed = 0, true
    end
  end
  F[F_LIMIT] = limit
  unpark(redis.call('ZRANGE', T .. 'parked', 0, -1))
  saveshares()
  write()
  flush()
end
return { 'ok' }
