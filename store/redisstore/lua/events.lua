-- events reads a job's stream.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 id.
-- Returns: {record, events}; {} where there is no such job.
-- uses: queue job
for _, where in ipairs({ 'unfinished', 'ended' }) do
  local raw = redis.call('HGET', T .. where, ARGV[5])
  if raw then return { raw, redis.call('LRANGE', T .. 'events:' .. ARGV[5], 0, -1) } end
end
return {}
