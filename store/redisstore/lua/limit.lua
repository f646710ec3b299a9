-- limit sets how many jobs of one tenant run at once.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 the limit, 0 for none.
-- Returns: {'ok'}.
-- uses: queue tell order
if not load() then return { 'ok' } end
local limit = tonumber(ARGV[5])
if F[F_LIMIT] ~= limit then
  unlock()
  F[F_LIMIT] = limit
  unpark(redis.call('ZRANGE', T .. 'parked', 0, -1))
  save()
  flush()
end
return { 'ok' }
