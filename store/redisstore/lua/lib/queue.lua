-- The queue: KEYS[1] is its figures. ARGV[1] is the time in µs, empty for the server's; ARGV[2] when
-- the caller last heard from this queue, 0 for never; ARGV[3] and ARGV[4] bound a job's events, in
-- number and in bytes.
local T = string.sub(KEYS[1], 1, -8)
-- While a Cluster moves the queue's slot, a key that is not there ends a script wherever it stands. One that
-- never is ends it here, before it has changed anything, and it is sent again.
redis.call('EXISTS', T .. 'nothing')
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
-- gone. Most are of a later time, which their text tells.
local function follows(id)
  local last = string.format('%08x-%04x', F[F_LAST_TIME] / 65536, F[F_LAST_TIME] % 65536)
  local begins = string.sub(id, 1, #last)
  if begins ~= last then return begins > last end
  local _, rest = idparts(id)
  return rest > F[F_LAST_REST]
end

-- outdate has later ids sort after this one, and tells whether they would not have.
local function outdate(id)
  if not follows(id) then return false end
  F[F_LAST_TIME], F[F_LAST_REST] = idparts(id)
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

-- whole is a whole number as text, which the server takes quicker than a number.
local function whole(n) return string.format('%d', n) end

-- later has a command of a key run when all is done, once with the arguments of all that asked for it; the key is
-- empty for a command of several. In a run nothing comes back to a key from which it was taken.
local gathered = {}
local function later(command, key, a, b)
  local keys = gathered[command]
  if not keys then
    keys = {}
    gathered[command] = keys
  end
  local g = keys[key]
  if not g or #g > MAX_ARGUMENTS then
    g = key == '' and { command } or { command, T .. key }
    keys[key], gathered[#gathered + 1] = g, g
  end
  local n = #g
  g[n + 1], g[n + 2] = a, b or nil
end

-- records are those that have changed, by hash and id, false where one was taken out.
local records = { unfinished = {}, ended = {} }

-- read are records of unfinished jobs that were read ahead.
local read = {}

-- record gives a job's record in a hash, false where it is not there.
local function record(where, id)
  local raw = records[where][id]
  if raw == nil and where == 'unfinished' then raw = read[id] end
  if raw == nil then raw = redis.call('HGET', T .. where, id) end
  return raw
end

-- settle writes what was gathered.
local function settle()
  for where, changed in pairs(records) do
    for id, raw in pairs(changed) do later(raw and 'HSET' or 'HDEL', where, id, raw) end
    records[where] = {}
  end
  read = {}
  for i = 1, #gathered do redis.call(unpack(gathered[i])) end
  gathered = {}
end

-- write keeps the figures.
local function write()
  settle()
  local m = math.floor(now / 60000000)
  if m ~= F[F_MINUTE] then turn(m) end
  for which, n in pairs(counted) do
    F[F_TOTALS + which] = F[F_TOTALS + which] + n
    F[F_CURRENT + which] = F[F_CURRENT + which] + n
  end
  redis.call('SET', KEYS[1], struct.pack(FIGURES_FORMAT, unpack(F)) .. F[#F])
end
