-- register gives a queue its number, which it keeps.
-- KEYS: numbers (name → number), queues (number → name).
-- ARGV: 1 name, 2 largest number, 3 channel that is told.
-- Returns: the number, 0 where none is left.
local n = redis.call('HGET', KEYS[1], ARGV[1])
if n then return tonumber(n) end
n = redis.call('HLEN', KEYS[2]) + 1
if n > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], n)
redis.call('HSET', KEYS[2], n, ARGV[1])
redis.call('PUBLISH', ARGV[3], 'queue')
return n
