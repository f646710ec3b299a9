-- upgrade notes a newer schema.
-- KEYS: meta.
-- ARGV: 1 schema, 2 least schema that a reader must know.
-- Returns: 1.
if tonumber(redis.call('HGET', KEYS[1], 'written')) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'written', ARGV[1], 'min_reader', ARGV[2])
end
return 1
