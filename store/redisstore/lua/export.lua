-- export reads the next jobs of a queue, oldest first, each with all that is kept of it in the queue.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue, unused; 5 the id behind which to begin, empty for the first; 6 the
-- last id, empty for the latest that there is; 7 most jobs; 8 how many bytes of them end it.
-- Returns: {figures or false, last id, empty where there is none, then for each job its id, record, payload,
-- report or false, and events}.
-- uses: queue
local from, last = ARGV[5] == '' and '-' or '(' .. ARGV[5], ARGV[6]
local most, left = tonumber(ARGV[7]), tonumber(ARGV[8])
local indexes = { 'open', 'completed', 'failed', 'cancelled' }
if last == '' then
  for _, index in ipairs(indexes) do
    local id = redis.call('ZREVRANGE', T .. index, 0, 0)[1]
    if id and id > last then last = id end
  end
end
local answer = { redis.call('GET', KEYS[1]), last }
if last == '' then return answer end

local ids = {}
for _, index in ipairs(indexes) do
  for _, id in ipairs(redis.call('ZRANGEBYLEX', T .. index, from, '[' .. last, 'LIMIT', 0, most)) do ids[#ids + 1] = id end
end
table.sort(ids)
for i = 1, math.min(#ids, most) do
  local id = ids[i]
  local payload, report = redis.call('GET', T .. 'payload:' .. id), redis.call('GET', T .. 'report:' .. id)
  local events = redis.call('LRANGE', T .. 'events:' .. id, 0, -1)
  for _, v in ipairs({
    id, redis.call('HGET', T .. 'unfinished', id) or redis.call('HGET', T .. 'ended', id), payload, report, events,
  }) do
    answer[#answer + 1] = v
  end
  left = left - #(payload or '') - #(report or '')
  for _, e in ipairs(events) do left = left - #e end
  if left <= 0 then break end
end
return answer
