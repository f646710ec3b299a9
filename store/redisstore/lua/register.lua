-- register gives a queue its number, which it keeps.
-- KEYS: numbers (name → number), queues (number → name).
-- ARGV: 1 name, 2 largest number, 3 channel that is told.
-- Returns: the number, 0 where none is left.
local n = redis.call('HGET', KEYS[1], ARGV[1])
if n then return tonumber(n) end
local most, taken = tonumber(ARGV[2]), redis.call('HLEN', KEYS[2])
if taken >= most then return 0 end
n = taken + 1
-- Imported queues have any numbers.
while redis.call('HEXISTS', KEYS[2], n) == 1 do n = n % most + 1 end
redis.call('HSET', KEYS[1], ARGV[1], n)
redis.call('HSET', KEYS[2], n, ARGV[1])
redis.call('PUBLISH', ARGV[3], 'queue')
return n
