-- upgrade notes a newer schema, and has all processes look at it. Neither number ever falls.
-- KEYS: meta.
-- ARGV: 1 schema, 2 least schema that a reader must know, 3 channel that is told.
-- Returns: 1.
for i, name in ipairs({ 'written', 'min_reader' }) do
  if tonumber(redis.call('HGET', KEYS[1], name)) < tonumber(ARGV[i]) then redis.call('HSET', KEYS[1], name, ARGV[i]) end
end
redis.call('PUBLISH', ARGV[3], 'queue')
return 1
