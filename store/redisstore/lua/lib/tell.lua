-- Wake-ups. What they tell is only "look": processes hear them on a channel of their own.
local roused = {}
local watched = {}

-- wake lets one worker that waits for the lane look.
local function wake(lane) roused[lane] = (roused[lane] or 0) + 1 end

local prefix, number = string.match(KEYS[1], '^{(.*):(%d+)}:')

-- tell gives how many have heard it here: in a Cluster processes listen at any of its nodes.
local function tell(process, text) return redis.call('PUBLISH', prefix .. ':process:' .. process, text) end

-- drop ends the registration of a process that is gone.
local function drop(key, process)
  redis.call('ZREM', key, process)
  redis.call('ZREM', T .. 'processes', process)
end

-- waiters gives up to n processes that wait for a lane and are still there, the one that was told longest ago first.
-- It gives the time too.
local function waiters(key, n)
  local found, whole, at = {}, false, nil
  while #found < n and not whole do
    local some = redis.call('ZRANGE', key, #found, n - 1)
    if not some[1] then break end
    if not at then
      local t = redis.call('TIME')
      at = t[1] * 1000000 + t[2]
    end
    whole = #some < n - #found
    local ends = redis.call('ZMSCORE', T .. 'processes', unpack(some))
    for i, process in ipairs(some) do
      if ends[i] and tonumber(ends[i]) > at then
        found[#found + 1] = process
      else
        drop(key, process)
      end
    end
  end
  return found, at
end

-- rouse tells processes that wait for the lane, n times, each in its turn. hops bounds how often they may pass it on;
-- nil for as often as there are others. tries bounds how often others are told in place of those that were killed.
local function rouse(lane, n, hops, tries)
  local key = T .. 'waiting:' .. lane
  local found, at = waiters(key, math.min(n, MAX_ARGUMENTS))
  if not found[1] then return end
  local told = {}
  for i, process in ipairs(found) do told[2 * i - 1], told[2 * i] = string.format('%d', at), process end
  redis.call('ZADD', key, unpack(told))
  local text = 'wake ' .. number .. ' ' .. (hops or redis.call('ZCARD', key) - 1) .. ' ' .. lane
  local unheard, gone = 0, {}
  for i = 0, n - 1 do
    local process = found[i % #found + 1]
    if tell(process, text) == 0 and string.sub(process, -1) ~= CLUSTER_MARK then unheard, gone[process] = unheard + 1, true end
  end
  -- Whoever was killed is gone before its time is over, and another is told in its place.
  for process in pairs(gone) do drop(key, process) end
  tries = tries or 3
  if unheard > 0 and tries > 0 then rouse(lane, unheard, hops, tries - 1) end
end

-- flush sends what has gathered.
local function flush()
  if F[F_STATE] ~= QUEUE_PAUSED then
    for lane, n in pairs(roused) do rouse(lane, n) end
  end
  for id, processes in pairs(watched) do
    for _, process in ipairs(processes) do tell(process, 'event ' .. id) end
  end
end
