-- apikeys changes API keys, unless they are others than their reader has seen.
-- KEYS: api_keys (id → JSON).
-- ARGV: 1 how many were seen; 2 1 where it was sent before; 3 how many are put; then id and JSON of each that was
--   seen, id and JSON of each that is put, and the ids of those that are forgotten.
-- Returns: 'ok'; 'changed' where they are others.
local seen, put = tonumber(ARGV[1]), tonumber(ARGV[3])
local firstPut = 4 + 2 * seen
local firstForgotten = firstPut + 2 * put
local function holds(from, to)
  for i = from, to, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return false end
  end
  return true
end
local function gone()
  for i = firstForgotten, #ARGV do
    if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then return false end
  end
  return true
end
if redis.call('HLEN', KEYS[1]) ~= seen or not holds(4, firstPut - 1) then
  if ARGV[2] == '1' and holds(firstPut, firstForgotten - 1) and gone() then return 'ok' end
  return 'changed'
end
for i = firstPut, firstForgotten - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = firstForgotten, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 'ok'
