-- open makes a keyspace ours where it is empty.
-- KEYS: meta.
-- ARGV: 1 format, 2 schema, 3 least schema that a reader must know.
-- Returns: format, written and min_reader as they are now.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'written', ARGV[2], 'min_reader', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'format', 'written', 'min_reader')
