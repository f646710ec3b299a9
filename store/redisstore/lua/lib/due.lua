-- promotedue makes ready the delayed jobs whose time has come, at most limit. It has, too, where it is
-- further away than any delay, most in µs: the clock has gone back since. before, where given, is done first if
-- there are any.
local function promotedue(limit, most, before)
  if F[F_COUNTS + C_DELAYED] == 0 then return 0 end
  local key = T .. 'delayed'
  local ids = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'LIMIT', 0, limit)
  if #ids < limit then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, string.format('(%d', now + most), '+inf', 'LIMIT', 0, limit - #ids)) do
      ids[#ids + 1] = id
    end
  end
  if before and #ids > 0 then before() end
  for _, id in ipairs(ids) do
    redis.call('ZREM', key, id)
    F[F_COUNTS + C_DELAYED] = F[F_COUNTS + C_DELAYED] - 1
    local r = cmsgpack.unpack(record('unfinished', id))
    r[R_NOT_BEFORE] = 0
    ready(id, r)
    put(id, r)
  end
  return #ids
end
