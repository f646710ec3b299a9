-- get reads a job.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 id.
-- Returns: {record, payload, report or false}; {} where there is no such job.
-- uses: queue job
local id = ARGV[5]
for _, where in ipairs({ 'unfinished', 'ended' }) do
  local raw = redis.call('HGET', T .. where, id)
  if raw then
    return { raw, redis.call('GET', T .. 'payload:' .. id), redis.call('GET', T .. 'report:' .. id) }
  end
end
return {}
