-- revoke makes an id useless that was made ahead, unless its job is there.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 id, 6 for how many ms.
-- Returns: {'exists'}; {'ok'}.
-- uses: queue
for _, where in ipairs({ 'unfinished', 'ended' }) do
  if redis.call('HEXISTS', T .. where, ARGV[5]) == 1 then return { 'exists' } end
end
redis.call('SET', T .. 'revoked:' .. ARGV[5], '', 'PX', ARGV[6])
return { 'ok' }
