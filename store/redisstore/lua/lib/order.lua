-- Order. A group is the ready jobs of one tenant, lane and priority: among them their place in the
-- queue decides. The first of a group is its head, and stands in its lane by priority, virtual start
-- and place; a tenant at its running limit has no heads: its groups are parked.
local shares = {}
local times = {}

-- virtual is the virtual time of a priority, as text: the start of the job last claimed.
local function virtual(p)
  if not times[p] then times[p] = tonumber(redis.call('HGET', T .. 'virtual', p) or 0) end
  return times[p]
end

-- text is a number's text; few are used again and again.
local texts = {}
local function text(n)
  local t = texts[n]
  if not t then
    t = tostring(n)
    texts[n] = t
  end
  return t
end

local function group(tenant, priority, lane)
  return text(#tenant) .. ':' .. tenant .. ':' .. string.format('%03d', 100 - priority) .. ':' .. lane
end

-- tenantof is whose group it is.
local tenants = {}
local function tenantof(g)
  local tenant = tenants[g]
  if not tenant then
    local n, rest = string.match(g, '^(%d+):(.*)$')
    tenant = string.sub(rest, 1, n)
    tenants[g] = tenant
  end
  return tenant
end

-- member is what stands in a lane for a group whose head has this place.
local function member(place, g) return string.format('%016d', place) .. g end

local function score(priority, start) return (100 - priority) * START_BITS + start end

-- share is what a tenant has of the queue: how many of its jobs run, if there is a limit, and at which virtual time, by
-- priority, its last claimed job ends.
local function share(tenant)
  local sh = shares[tenant]
  if not sh then
    local raw = redis.call('HGET', T .. 'shares', tenant)
    sh = raw and cmsgpack.unpack(raw) or { 0, {} }
    shares[tenant] = sh
  end
  return sh
end

-- saveshares writes what of the shares still means something.
local function saveshares()
  for tenant, sh in pairs(shares) do
    if sh.changed then
      sh.changed = nil
      for p, finish in pairs(sh[2]) do
        if finish <= virtual(p) then sh[2][p] = nil end
      end
      if sh[1] == 0 and next(sh[2]) == nil then
        later('HDEL', 'shares', tenant)
      else
        later('HSET', 'shares', tenant, cmsgpack.pack({ sh[1], sh[2] }))
      end
    end
  end
end

local function atlimit(sh) return F[F_LIMIT] > 0 and sh[1] >= F[F_LIMIT] end

-- start is the virtual start of a job of the tenant that becomes a head now.
local function start(sh, priority)
  local p = text(priority)
  return math.max(virtual(p), sh[2][p] or 0)
end

-- head_of gives a group a head, which has this place; at its tenant's limit the group is parked.
local function head_of(g, tenant, priority, lane, place)
  local sh = share(tenant)
  if atlimit(sh) then
    redis.call('ZADD', T .. 'parked', '0', g)
    return false
  end
  redis.call('ZADD', T .. 'lane:' .. lane, whole(score(priority, start(sh, priority))), member(place, g))
  return true
end

-- promote makes the first of a group that has none its head, and tells whether it did.
local function promote(g, tenant, priority, lane)
  local place = redis.call('ZRANGE', T .. 'group:' .. g, 0, 0, 'WITHSCORES')[2]
  return place and head_of(g, tenant, priority, lane, place) or false
end

-- enter notes that a job is ready.
local function enter(r)
  r[R_STATE], r[R_SINCE] = 'q', now
  F[F_COUNTS + C_READY] = F[F_COUNTS + C_READY] + 1
  if F[F_LIMIT] == 0 or not atlimit(share(r[R_TENANT])) then wake(r[R_LANE]) end
end

-- ready puts a job into its lane.
local function ready(id, r)
  enter(r)
  local tenant, priority, lane, place = r[R_TENANT], r[R_PRIORITY], r[R_LANE], r[R_PLACE]
  local g = group(tenant, priority, lane)
  local key = T .. 'group:' .. g
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', key, whole(place), id)
  if not first then
    head_of(g, tenant, priority, lane, place)
  elseif place < tonumber(first) then
    -- Older than the group's head: it takes its place.
    local old, heads = member(first, g), T .. 'lane:' .. lane
    local at = redis.call('ZSCORE', heads, old)
    if at then
      redis.call('ZREM', heads, old)
      redis.call('ZADD', heads, at, member(place, g))
    end
  end
end

-- append is ready for a new job, whose place is behind all others. sizes are those of the groups that the run has
-- appended to.
local sizes = {}
local function append(id, r)
  enter(r)
  local tenant, priority, lane, place = r[R_TENANT], r[R_PRIORITY], r[R_LANE], r[R_PLACE]
  local g = group(tenant, priority, lane)
  local key = 'group:' .. g
  local size = sizes[g] or redis.call('ZCARD', T .. key)
  sizes[g] = size + 1
  later('ZADD', key, whole(place), id)
  if size == 0 then head_of(g, tenant, priority, lane, place) end
end

-- unready takes a job out of its lane.
local function unready(id, r)
  F[F_COUNTS + C_READY] = F[F_COUNTS + C_READY] - 1
  local g = group(r[R_TENANT], r[R_PRIORITY], r[R_LANE])
  redis.call('ZREM', T .. 'group:' .. g, id)
  if redis.call('ZREM', T .. 'lane:' .. r[R_LANE], member(r[R_PLACE], g)) == 1 then
    promote(g, r[R_TENANT], r[R_PRIORITY], r[R_LANE])
  end
end

-- unpark brings groups back whose tenants may run more.
local function unpark(groups)
  for _, g in ipairs(groups) do
    local n, rest = string.match(g, '^(%d+):(.*)$')
    local tenant = string.sub(rest, 1, n)
    local priority, lane = 100 - tonumber(string.sub(rest, n + 2, n + 4)), string.sub(rest, n + 6)
    redis.call('ZREM', T .. 'parked', g)
    if promote(g, tenant, priority, lane) then wake(lane) end
  end
end

-- release notes that a job of the tenant runs no more. Without a limit nobody counts them.
local function release(tenant)
  if F[F_LIMIT] == 0 then return end
  local sh = share(tenant)
  local was = atlimit(sh)
  sh[1], sh.changed = math.max(sh[1] - 1, 0), true
  if was and not atlimit(sh) then
    local prefix = '[' .. #tenant .. ':' .. tenant .. ':'
    unpark(redis.call('ZRANGEBYLEX', T .. 'parked', prefix, prefix .. '\255'))
  end
end

-- serve notes that a job of the tenant, which was a head with this start, is claimed.
local function serve(r, at)
  local p, sh = text(r[R_PRIORITY]), share(r[R_TENANT])
  sh[1], sh.changed = F[F_LIMIT] > 0 and sh[1] + 1 or 0, true
  sh[2][p] = math.max(at, sh[2][p] or 0) + 1
  if at > virtual(p) then
    times[p] = at
    later('HSET', 'virtual', p, whole(at))
  end
end
