-- reserve binds an idempotency key to the id of a job to be.
-- KEYS: the key's record: state (p: its job may yet come; s: and others know; c: it came; i: an import
-- brings it), id, hash of the payload and end in µs, as text.
-- ARGV: 1 the time in µs, empty for the server's; 2 id, 3 hash, 4 for how many ms, 5 an id that may be
-- replaced, or empty.
-- Returns: {'new', id}; {state, id} of the record that is there; {'conflict', id, state} where it has
-- another hash.
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local v = redis.call('GET', KEYS[1])
if v then
  local state, id, hash, ends = string.match(v, '^(%l) (%S+) (%S+) (%d+)$')
  if tonumber(ends) > now and id ~= ARGV[5] then
    if hash ~= ARGV[3] then return { 'conflict', id, state } end
    if state == 'p' then redis.call('SET', KEYS[1], 's' .. string.sub(v, 2), 'KEEPTTL') end
    return { state, id }
  end
end
redis.call('SET', KEYS[1], string.format('p %s %s %d', ARGV[2], ARGV[3], now + ARGV[4] * 1000), 'PX', ARGV[4])
return { 'new', ARGV[2] }
