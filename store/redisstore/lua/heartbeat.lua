-- heartbeat registers a worker, and forgets those that have not been heard of.
-- KEYS: workers (name → end in µs, time seen in µs, JSON), beats (name by end).
-- ARGV: 1 the time in µs, empty for the server's; 2 name, empty for none; 3 for how many µs; 4 JSON.
-- Returns: 1.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], name)
  redis.call('HDEL', KEYS[1], name)
end
if ARGV[2] ~= '' then
  redis.call('HDEL', KEYS[1], '') -- a full server refuses only a script's first write
  redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
  redis.call('HSET', KEYS[1], ARGV[2], string.format('%d %d ', now + ARGV[3], now) .. ARGV[4])
end
return 1
