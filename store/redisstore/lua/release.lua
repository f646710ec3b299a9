-- release forgets an idempotency key, whose job is refused or deleted.
-- KEYS: the key's record, see reserve.
-- ARGV: 1 id, 2 1 where that is so whoever knows the id.
-- Returns: 1 where it is forgotten or another job's, 0 where others know the id.
local v = redis.call('GET', KEYS[1])
if not v then return 1 end
local state, id = string.match(v, '^(%l) (%S+)')
if id ~= ARGV[1] then return 1 end
if ARGV[2] ~= '1' and state ~= 'p' then return 0 end
redis.call('DEL', KEYS[1])
return 1
