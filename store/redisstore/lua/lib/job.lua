-- Jobs and their events. A record is an array, see record.go; what a newer version has put behind it
-- stays as it is.
local NAMES = { q = 'queued', d = 'queued', r = 'running', c = 'completed', f = 'failed', x = 'cancelled' }

-- find gives a job's record and the hash that holds it.
local function find(id)
  for _, where in ipairs({ 'unfinished', 'ended' }) do
    local raw = record(where, id)
    if raw then return cmsgpack.unpack(raw), where end
  end
end

-- done tells whether a call has changed the job already, mark notes that it does; the last few are known.
local function done(r, call) return string.find(r[R_DONE], call, 1, true) ~= nil end

-- last tells whether the call was the last to change the job.
local function last(r, call) return string.sub(r[R_DONE], 1, #call) == call end

local function mark(r, call) r[R_DONE] = string.sub(call .. r[R_DONE], 1, 4 * #call) end

local function put(id, r) records.unfinished[id] = cmsgpack.pack(r) end

-- trim drops the oldest events until the stream is well within its bounds, so that it need not be
-- done for each: output and its restarts first, then what is no state, then any.
local function trim(id, r, most, bytes)
  local key = T .. 'events:' .. id
  local all = redis.call('LRANGE', key, 0, -1)
  local gone = {}
  most, bytes = math.floor(most * 0.9), math.floor(bytes * 0.9)
  local function over() return r[R_EVENTS] > most or r[R_EVENT_BYTES] > bytes end
  local function drop(size)
    r[R_EVENTS], r[R_EVENT_BYTES] = r[R_EVENTS] - 1, r[R_EVENT_BYTES] - size
  end
  for _, kinds in ipairs({ '[or]', '[orct]', '[orcts]' }) do
    if kinds == '[orcts]' and r[R_FIRST] > 0 and over() then
      r[R_FIRST] = 0
      drop(FIRST_EVENT)
    end
    for i, v in ipairs(all) do
      if not over() then break end
      local _, head, kind = string.find(v, '^%d+ %d+ (%l) ')
      if not gone[i] and string.find(kind, kinds) then
        gone[i] = true
        drop(#v - head)
      end
    end
  end
  while over() do
    local oldest, rest = string.match(r[R_STATES], '^([^\n]*)\n(.+)$')
    if not oldest then break end
    r[R_STATES] = rest
    local _, head = string.find(oldest, '^%d+ %d+ %l ')
    drop(#oldest - head)
  end
  redis.call('DEL', key)
  for i, v in ipairs(all) do
    if not gone[i] then redis.call('RPUSH', key, v) end
  end
end

-- keep puts an event of the job's state into its record, and those that are there already into the
-- stream once they are many.
local function keep(id, r, line)
  if #r[R_STATES] > MAX_STATES_BYTES then
    for old in string.gmatch(r[R_STATES], '[^\n]+') do redis.call('RPUSH', T .. 'events:' .. id, old) end
    r[R_STATES] = ''
  end
  r[R_STATES] = r[R_STATES] .. line .. '\n'
end

local mostevents, mostbytes = tonumber(ARGV[3]), tonumber(ARGV[4])

-- event appends to the job's stream, within its bounds. The caller saves the record.
local function event(id, r, kind, data)
  r[R_SEQ] = r[R_SEQ] + 1
  local line = string.format('%d %d %s ', r[R_SEQ], now, kind) .. data
  if kind == 's' then
    keep(id, r, line)
  else
    redis.call('RPUSH', T .. 'events:' .. id, line)
  end
  r[R_EVENTS], r[R_EVENT_BYTES] = r[R_EVENTS] + 1, r[R_EVENT_BYTES] + #data
  if r[R_EVENTS] > mostevents or r[R_EVENT_BYTES] > mostbytes then trim(id, r, mostevents, mostbytes) end
  if r[R_WATCHERS][1] then watched[id] = r[R_WATCHERS] end
end

-- state tells of the job's state.
local function state(id, r, reason)
  local data = '{"state":"' .. NAMES[r[R_STATE]] .. '"'
  if r[R_COUNTED] ~= 0 then data = data .. ',"attempt":' .. r[R_COUNTED] end
  if reason ~= '' then data = data .. ',"reason":' .. cjson.encode(reason) end
  if r[R_VERDICT] ~= '' then data = data .. ',"verdict":' .. cjson.encode(r[R_VERDICT]) end
  event(id, r, 's', data .. '}')
end
