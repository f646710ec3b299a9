-- ping writes what a large submission would.
-- KEYS: probe.
-- ARGV: 1 as many bytes.
-- Returns: 1.
redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000)
return 1
