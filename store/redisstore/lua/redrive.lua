-- redrive puts a failed job back with its attempts counted anew.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 id, 6 mark of this call, 7 1 where it was sent before.
-- Returns: {'ok', record, payload}; {'state', record} where the job has not failed; {'missing'}.
-- uses: queue tell order job lease
local id, call = ARGV[5], ARGV[6]
if not load() then return { 'missing' } end
local r = find(id)
if not r then return { 'missing' } end
if r[R_STATE] ~= 'f' then
  if ARGV[7] == '1' and done(r, call) then
    return { 'ok', cmsgpack.pack(r), redis.call('GET', T .. 'payload:' .. id) }
  end
  return { 'state', cmsgpack.pack(r) }
end
unkeep(id, r)
r[R_COUNTED], r[R_FORGIVEN], r[R_FINISHED], r[R_NOT_BEFORE], r[R_CANCEL] = 0, 0, 0, 0, 0
r[R_VERDICT] = ''
mark(r, call)
F[F_BYTES] = F[F_BYTES] + r[R_SIZE]
ready(id, r)
later('ZADD', 'open', '0', id)
later('ZADD', 'open:' .. r[R_TENANT], '0', id)
state(id, r, 'redriven')
put(id, r)
saveshares()
write()
flush()
return { 'ok', cmsgpack.pack(r), redis.call('GET', T .. 'payload:' .. id) }
