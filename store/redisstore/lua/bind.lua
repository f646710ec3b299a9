-- bind has an idempotency key come with its job from another store, unless it is in use for another one:
-- before that job is there for a while, behind it for as long as the key is good for.
-- KEYS: the key's record, see reserve.
-- ARGV: 1 the time in µs, empty for the server's; 2 id, 3 hash, 4 end in µs; 5 for how many ms it is held for
-- a job that is yet to come, empty once that is there.
-- Returns: 1 where it is that job's now, else 0.
local now, ends = tonumber(ARGV[1]), tonumber(ARGV[4])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local state, id, last = string.match(redis.call('GET', KEYS[1]) or '', '^(%l) (%S+) %S+ (%d+)$')
local ours = id == ARGV[2] and tonumber(last) > now
if ends <= now or id and not ours and tonumber(last) > now then return 0 end
if ARGV[5] == '' then
  redis.call('SET', KEYS[1], string.format('c %s %s %d', ARGV[2], ARGV[3], ends), 'PX', math.ceil((ends - now) / 1000))
elseif not ours or state == 'i' then
  local hold = math.min(tonumber(ARGV[5]), math.ceil((ends - now) / 1000))
  redis.call('SET', KEYS[1], string.format('i %s %s %d', ARGV[2], ARGV[3], ends), 'PX', hold)
end
return 1
