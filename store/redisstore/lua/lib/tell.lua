-- Wake-ups. What they tell is only "look": processes hear them on a channel of their own.
local lanes = {}
local watched = {}

-- wake lets one worker that waits for the lane look.
local function wake(lane) lanes[#lanes + 1] = lane end

local function tell(process, text)
  local prefix = string.match(KEYS[1], '^{(.*):%d+}:')
  redis.call('PUBLISH', prefix .. ':process:' .. process, text)
end

-- rouse tells one process, which has waited longest of those that wait for the lane. hops bounds how
-- often they may pass it on; nil for as often as there are others.
local function rouse(lane, hops)
  local key = T .. 'waiting:' .. lane
  local process = redis.call('ZRANGE', key, 0, 0)[1]
  if not process then return end
  local t = redis.call('TIME')
  local at = t[1] * 1000000 + t[2]
  hops = hops or redis.call('ZCARD', key) - 1
  while process do
    local ends = redis.call('ZSCORE', T .. 'processes', process)
    if ends and tonumber(ends) > at then
      redis.call('ZADD', key, at, process)
      local number = string.match(KEYS[1], ':(%d+)}:[^:]*$')
      tell(process, 'wake ' .. number .. ' ' .. hops .. ' ' .. lane)
      return
    end
    redis.call('ZREM', key, process)
    redis.call('ZREM', T .. 'processes', process)
    process = redis.call('ZRANGE', key, 0, 0)[1]
  end
end

-- flush sends what has gathered.
local function flush()
  if #lanes > 0 and F[F_STATE] ~= QUEUE_PAUSED then
    for _, lane in ipairs(lanes) do rouse(lane) end
  end
  for id, processes in pairs(watched) do
    for _, process in ipairs(processes) do tell(process, 'event ' .. id) end
  end
end
