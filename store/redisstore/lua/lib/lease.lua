-- Leases, and how jobs end.
local ENDS = {
  c = { 'completed', C_COMPLETED, N_COMPLETED }, f = { 'failed', C_FAILED, N_FAILED }, x = { 'cancelled', C_CANCELLED, N_CANCELLED },
}

-- out tells whether the store was out since the job's lease was last renewed.
local function out(r) return F[F_OUTAGE] > r[R_RENEWED] end

-- leaseend is when the lease runs out: an outage gives it its whole length again.
local function leaseend(r)
  if out(r) then return math.max(r[R_ENDS], F[F_OUTAGE] + r[R_LEASE]) end
  return r[R_ENDS]
end

-- leased gives the job of a lease that holds.
local function leased(id, token)
  local raw = record('unfinished', id)
  if not raw then return nil end
  local r = cmsgpack.unpack(raw)
  if r[R_STATE] ~= 'r' or r[R_TOKEN] ~= tonumber(token) or leaseend(r) <= F[F_CLOCK] then return nil end
  return r
end

-- leave takes an unfinished job out of where its state has it.
local function leave(id, r)
  if r[R_STATE] == 'q' then
    unready(id, r)
  elseif r[R_STATE] == 'd' then
    redis.call('ZREM', T .. 'delayed', id)
    F[F_COUNTS + C_DELAYED] = F[F_COUNTS + C_DELAYED] - 1
  else
    later('ZREM', 'leases', id)
    F[F_COUNTS + C_RUNNING] = F[F_COUNTS + C_RUNNING] - 1
    release(r[R_TENANT])
  end
end

-- endlease closes the current attempt.
local function endlease(r, reason, uncounted)
  local a = r[R_ATTEMPTS][#r[R_ATTEMPTS]]
  a[A_ENDED], a[A_REASON], a[A_UNCOUNTED] = now, reason, uncounted and 1 or 0
  if uncounted then r[R_COUNTED] = r[R_COUNTED] - 1 end
  r[R_TOKEN], r[R_ENDS], r[R_RENEWED], r[R_LEASE] = 0, 0, 0, 0
end

-- retain puts a job that has ended where its state has it.
local function retain(id, r, report)
  local name, held = ENDS[r[R_STATE]][1], ENDS[r[R_STATE]][2]
  F[F_COUNTS + held] = F[F_COUNTS + held] + 1
  later('ZADD', name, '0', id)
  later('ZADD', name .. ':' .. r[R_TENANT], '0', id)
  later('ZADD', r[R_STATE] == 'f' and 'kept:failed' or 'kept', whole(r[R_FINISHED]), id)
  later('MSET', '', T .. 'report:' .. id, report)
end

-- finish gives an unfinished job its report and its last state.
local function finish(id, r, to, reason, verdict, report)
  leave(id, r)
  if r[R_TOKEN] ~= 0 then endlease(r, reason, false) end
  r[R_STATE], r[R_FINISHED], r[R_VERDICT], r[R_NOT_BEFORE] = to, now, verdict, 0
  F[F_BYTES] = math.max(F[F_BYTES] - r[R_SIZE], 0)
  later('ZREM', 'open', id)
  later('ZREM', 'open:' .. r[R_TENANT], id)
  retain(id, r, report)
  count(ENDS[to][3])
  state(id, r, reason)
  local raw = cmsgpack.pack(r)
  records.unfinished[id], records.ended[id] = false, raw
  return raw
end

-- unkeep takes a job that has ended out of where its state has it.
local function unkeep(id, r)
  local name, held = ENDS[r[R_STATE]][1], ENDS[r[R_STATE]][2]
  F[F_COUNTS + held] = F[F_COUNTS + held] - 1
  redis.call('HDEL', T .. 'ended', id)
  redis.call('ZREM', T .. name, id)
  redis.call('ZREM', T .. name .. ':' .. r[R_TENANT], id)
  redis.call('ZREM', T .. (r[R_STATE] == 'f' and 'kept:failed' or 'kept'), id)
  redis.call('DEL', T .. 'report:' .. id)
end

-- forget drops a job that has ended.
local function forget(id, r)
  outdate(id)
  unkeep(id, r)
  redis.call('DEL', T .. 'payload:' .. id, T .. 'events:' .. id)
  if r[R_WATCHERS][1] then watched[id] = r[R_WATCHERS] end
end
