-- apikey adds, replaces or forgets an API key.
-- KEYS: api_keys (id → JSON).
-- ARGV: 1 id; 2 JSON, empty to forget it; 3 how many there may be; 4 1 to leave alone one that is there;
--   5 1 where it was sent before.
-- Returns: 'ok'; 'there' where it was left alone; 'missing'; 'full'.
local there = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
if ARGV[2] == '' then
  if not there and ARGV[5] ~= '1' then return 'missing' end
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 'ok'
end
if there and ARGV[4] == '1' then return 'there' end
if not there and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'ok'
