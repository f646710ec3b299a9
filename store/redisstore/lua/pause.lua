-- pause stops claims from a queue, or resumes them.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 1 to stop, 0 to resume.
-- Returns: {'ok'}; {'missing'}.
-- uses: queue tell
if not load() then return { 'missing' } end
if F[F_PAUSED] ~= tonumber(ARGV[5]) then
  unlock()
  F[F_PAUSED] = tonumber(ARGV[5])
  write()
  for _, process in ipairs(redis.call('ZRANGE', T .. 'processes', 0, -1)) do tell(process, 'look') end
end
return { 'ok' }
