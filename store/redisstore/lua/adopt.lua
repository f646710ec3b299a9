-- adopt makes queues of stated numbers, all of them or none: those that they had in another store, or that
-- the settings state.
-- KEYS: numbers (name → number), queues (number → name).
-- ARGV: 1 channel that is told; 2, 3… a queue's number and name, each.
-- Returns: 1; 0 where a number or a name is another queue's.
for i = 2, #ARGV, 2 do
  local name, number = redis.call('HGET', KEYS[2], ARGV[i]), redis.call('HGET', KEYS[1], ARGV[i + 1])
  if name and name ~= ARGV[i + 1] or number and number ~= ARGV[i] then return 0 end
end
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i + 1], ARGV[i])
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('PUBLISH', ARGV[1], 'queue')
return 1
