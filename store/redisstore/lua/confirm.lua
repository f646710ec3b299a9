-- confirm notes that the job of an idempotency key is there.
-- KEYS: the key's record, see reserve.
-- ARGV: 1 id.
-- Returns: 1 where it is that job's, else 0.
local v = redis.call('GET', KEYS[1])
if not v or string.match(v, '^%l (%S+)') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], 'c' .. string.sub(v, 2), 'KEEPTTL')
return 1
