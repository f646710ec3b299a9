-- lookup reads an idempotency key.
-- KEYS: the key's record, see reserve.
-- ARGV: 1 the time in µs, empty for the server's.
-- Returns: {state, id, hash}; {} where it is not known, or not any more.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local state, id, hash, ends = string.match(redis.call('GET', KEYS[1]) or '', '^(%l) (%S+) (%S+) (%d+)$')
if not state or tonumber(ends) <= now then return {} end
return { state, id, hash }
