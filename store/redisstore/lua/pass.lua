-- pass hands a wake-up on to the next process that waits for the lane.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 lane, 6 how often it may be passed on after that, below 0 for as often
-- as there are others.
-- Returns: {'ok'}.
-- uses: queue tell
local hops = tonumber(ARGV[6])
rouse(ARGV[5], 1, hops >= 0 and hops or nil)
return { 'ok' }
