-- The queue: KEYS[1] is its figures. ARGV[1] is the time in µs, empty for the server's; ARGV[2] when
-- the caller last heard from this queue, 0 for never; ARGV[3] and ARGV[4] bound a job's events, in
-- number and in bytes.
local T = string.sub(KEYS[1], 1, -8)
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local F
local step = 0
local counted = {}

-- tick moves the queue's clock along with the time, and notes an outage: a gap between two
-- operations, which somebody who asks now has lived through. Whoever asks first after the gap has, if
-- he ever heard from the queue: nobody did meanwhile, whatever he takes for the time.
local function tick()
  step = now - F[F_SEEN]
  if step > MAX_CLOCK_STEP then F[F_GAP] = F[F_SEEN] end
  F[F_SEEN] = now
  F[F_CLOCK] = F[F_CLOCK] + math.min(math.max(step, 0), MAX_CLOCK_STEP)
  if step > MAX_CLOCK_STEP then F[F_GAP_CLOCK] = F[F_CLOCK] end
  local last = tonumber(ARGV[2])
  if last > 0 and (step > MAX_CLOCK_STEP or F[F_GAP] >= 0 and last <= F[F_GAP]) then
    F[F_OUTAGE] = F[F_GAP_CLOCK]
    F[F_GAP] = -1
  end
end

-- least is the least schema that a script of the queue must know: the first number behind figures.
local function least(f) return #f[#f] >= 8 and struct.unpack('>d', f[#f]) or 0 end

-- load reads the figures, once; false where the queue holds nothing yet. It fails where the queue needs
-- scripts of a newer version: no transition may go on.
local function load()
  if F then return true end
  local raw = redis.call('GET', KEYS[1])
  if not raw then return false end
  local f = { struct.unpack(FIGURES_FORMAT, raw) }
  f[#f] = string.sub(raw, f[#f]) -- what a newer version has put behind them
  if least(f) > SCHEMA_KNOWN then error({ err = 'SCHEMA ' .. string.format('%d', least(f)) }) end
  F = f
  tick()
  return true
end

-- fresh makes the figures of a queue that holds nothing yet.
local function fresh(limit)
  F = {}
  for i = 1, FIGURES do F[i] = 0 end
  F[F_SEEN], F[F_GAP], F[F_LIMIT], F[F_MINUTE], F[FIGURES + 1] = now, -1, limit, math.floor(now / 60000000), ''
end

-- idparts gives the time of an id in ms, and its last 46 bits, by which those of one ms are in order.
local function idparts(id)
  return tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16), tonumber(string.sub(id, 25), 16) % 2^46
end

-- follows tells whether an id sorts after all those that imports have brought, and those of jobs that are
-- gone.
local function follows(at, rest)
  return at > F[F_LAST_TIME] or at == F[F_LAST_TIME] and rest > F[F_LAST_REST]
end

-- outdate has later ids sort after this one, and tells whether they would not have.
local function outdate(id)
  local at, rest = idparts(id)
  if not follows(at, rest) then return false end
  F[F_LAST_TIME], F[F_LAST_REST] = at, rest
  return true
end

-- count adds to a counter of the queue, in its totals and in the current minute.
local function count(which) counted[which] = (counted[which] or 0) + 1 end

-- turn puts the counters of the minute that has passed aside, and begins with those of minute m.
local function turn(m)
  local minutes = T .. 'minutes'
  redis.call('HDEL', minutes, m - 60)
  local any = 0
  for i = 1, COUNTERS do any = any + F[F_CURRENT + i] end
  if any > 0 then
    for _, old in ipairs(redis.call('HKEYS', minutes)) do
      if tonumber(old) < F[F_MINUTE] - 59 then redis.call('HDEL', minutes, old) end
    end
    local c = {}
    for i = 1, COUNTERS do c[i] = F[F_CURRENT + i] end
    redis.call('HSET', minutes, F[F_MINUTE], cmsgpack.pack(c))
  end
  local raw = redis.call('HGET', minutes, m)
  local c = raw and cmsgpack.unpack(raw)
  for i = 1, COUNTERS do F[F_CURRENT + i] = c and c[i] or 0 end
  F[F_MINUTE] = m
end

-- unlock has a full server take what follows: it refuses only a script's first write.
local function unlock() redis.call('HDEL', T .. 'minutes', '-') end

-- write keeps the figures.
local function write()
  local m = math.floor(now / 60000000)
  if m ~= F[F_MINUTE] then turn(m) end
  for which, n in pairs(counted) do
    F[F_TOTALS + which] = F[F_TOTALS + which] + n
    F[F_CURRENT + which] = F[F_CURRENT + which] + n
  end
  redis.call('SET', KEYS[1], struct.pack(FIGURES_FORMAT, unpack(F)) .. F[#F])
end
