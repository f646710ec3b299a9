-- wait registers a process in which workers wait for lanes, or keeps it registered.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 process, 6 for how many µs; 7… lanes.
-- Returns: for each lane 1 where it has a job, else 0.
-- uses: queue
local t = redis.call('TIME')
local at = t[1] * 1000000 + t[2]
redis.call('ZADD', T .. 'processes', at + ARGV[6], ARGV[5])
local answer = {}
for i = 7, #ARGV do
  redis.call('ZADD', T .. 'waiting:' .. ARGV[i], 'NX', at, ARGV[5])
  answer[#answer + 1] = redis.call('EXISTS', T .. 'lane:' .. ARGV[i])
end
return answer
