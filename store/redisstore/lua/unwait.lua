-- unwait ends what wait has begun.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 process, 6 1 where it waits for no lane any more;
-- 7… lanes.
-- Returns: {'ok'}.
-- uses: queue
for i = 7, #ARGV do redis.call('ZREM', T .. 'waiting:' .. ARGV[i], ARGV[5]) end
if ARGV[6] == '1' then redis.call('ZREM', T .. 'processes', ARGV[5]) end
return { 'ok' }
