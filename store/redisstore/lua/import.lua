-- import adds those of some jobs of another store that are not there yet, and makes the queue where it holds
-- nothing yet.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 mark of this call, 6 1 where it was sent before, 7 the tenants'
-- running limit for a new queue, 8 why an attempt that has not ended does; 9 the latest id, after which
-- later ones come; 10 a new queue's state and totals, JSON; then for each job its id, record as JSON,
-- payload, report or empty, number of events, and the events.
-- Returns: {1 where the queue was made else 0, how many jobs were added, then the id and the record of each
-- that was thereby cancelled}.
-- uses: queue tell order job lease
local call, again, reason = ARGV[5], ARGV[6] == '1', ARGV[8]
local new = not load()
local answer = { new and 1 or 0, 0 }
if new then
  fresh(tonumber(ARGV[7]))
  local q = cjson.decode(ARGV[10])
  F[F_STATE] = q[1]
  for i = 1, COUNTERS do F[F_TOTALS + i] = q[i + 1] end
end

local function add(id, r, report)
  mark(r, call)
  F[F_PLACE] = math.max(F[F_PLACE], r[R_PLACE])
  if ENDS[r[R_STATE]] then
    retain(id, r, report)
    records.ended[id] = cmsgpack.pack(r)
    return
  end
  local ran = r[R_STATE] == 'r'
  F[F_BYTES] = F[F_BYTES] + r[R_SIZE]
  if ran and r[R_CANCEL] == 1 then
    -- It passes through a state that finish takes it out of.
    r[R_STATE], r[R_TOKEN] = 'd', 1
    F[F_COUNTS + C_DELAYED] = F[F_COUNTS + C_DELAYED] + 1
    return finish(id, r, 'x', reason, 'cancelled', CANCELLED_REPORT)
  end
  later('ZADD', 'open', '0', id)
  later('ZADD', 'open:' .. r[R_TENANT], '0', id)
  if r[R_STATE] == 'd' then
    redis.call('ZADD', T .. 'delayed', r[R_NOT_BEFORE], id)
    F[F_COUNTS + C_DELAYED] = F[F_COUNTS + C_DELAYED] + 1
  else
    if ran then endlease(r, reason, true) end
    ready(id, r)
    if ran then state(id, r, reason) end
  end
  put(id, r)
end

local i = 11
while i <= #ARGV do
  local id, r, events = ARGV[i], cjson.decode(ARGV[i + 1]), tonumber(ARGV[i + 4])
  local there, where = find(id)
  local ended
  if not there then
    redis.call('SET', T .. 'payload:' .. id, ARGV[i + 2])
    for k = i + 5, i + 4 + events do redis.call('RPUSH', T .. 'events:' .. id, ARGV[k]) end
    ended = add(id, r, ARGV[i + 3])
  elseif again and last(there, call) and r[R_STATE] == 'r' and where == 'ended' then
    ended = record(where, id)
  end
  if not there or again and done(there, call) then answer[2] = answer[2] + 1 end
  if ended then answer[#answer + 1], answer[#answer + 2] = id, ended end
  i = i + 5 + events
end

local later = outdate(ARGV[9])
if new or later or answer[2] > 0 then
  saveshares()
  write()
  flush()
end
return answer
