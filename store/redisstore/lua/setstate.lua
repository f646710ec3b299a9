-- setstate pauses, drains or resumes a queue.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 the state's number.
-- Returns: {'ok'}; {'missing'}.
-- uses: queue tell
if not load() then return { 'missing' } end
local state = tonumber(ARGV[5])
if F[F_STATE] ~= state then
  unlock()
  F[F_STATE] = state
  write()
  for _, process in ipairs(redis.call('ZRANGE', T .. 'processes', 0, -1)) do tell(process, 'look') end
end
return { 'ok' }
