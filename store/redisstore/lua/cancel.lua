-- cancel ends a queued job, and asks the worker of a running one to stop.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 id, 6 mark of this call, 7 1 where it was sent before.
-- Returns: {'ended', record, payload, report} where this has ended it; {'ok', record, payload} where
-- the worker was asked; {'terminal', record, payload, report}; {'missing'}.
-- uses: queue tell order job lease
local id, call = ARGV[5], ARGV[6]
if not load() then return { 'missing' } end
local r, where = find(id)
if not r then return { 'missing' } end
local payload = redis.call('GET', T .. 'payload:' .. id)
if where == 'ended' then
  local how = ARGV[7] == '1' and done(r, call) and 'ended' or 'terminal'
  return { how, cmsgpack.pack(r), payload, redis.call('GET', T .. 'report:' .. id) }
end
local answer = { 'ok', false, payload }
if r[R_STATE] ~= 'r' then
  mark(r, call)
  r[R_CANCEL] = 1
  answer = { 'ended', finish(id, r, 'x', 'cancelled', 'cancelled', CANCELLED_REPORT), payload, CANCELLED_REPORT }
elseif r[R_CANCEL] == 0 then
  r[R_CANCEL] = 1
  unlock()
  put(id, r)
  tell(r[R_PROCESS], 'cancel ' .. id)
end
answer[2] = answer[2] or cmsgpack.pack(r)
saveshares()
write()
flush()
return answer
