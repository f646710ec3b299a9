-- watch has a process told of a job's events, or no more.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 id, 6 process, 7 1 to begin, 0 to end.
-- Returns: {'ok'}; {'missing'}.
-- uses: queue tell job
if not load() then return { 'missing' } end
local r, where = find(ARGV[5])
if not r then return { 'missing' } end
local left = {}
for _, process in ipairs(r[R_WATCHERS]) do
  if process ~= ARGV[6] then left[#left + 1] = process end
end
if ARGV[7] == '1' then left[#left + 1] = ARGV[6] end
if #left > MAX_WATCHERS then table.remove(left, 1) end
r[R_WATCHERS] = left
redis.call('HSET', T .. where, ARGV[5], cmsgpack.pack(r))
return { 'ok' }
