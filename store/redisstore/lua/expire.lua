-- expire ends leases that have run out. It looks at more where an outage has lengthened some.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 most leases, 6 first and 7 longest delay of a retry in µs,
-- 8 luck from 0 to 1, 9 µs to add to the delays; 10, 11… the workers that are alive and when each
-- started, in µs.
-- Returns: {how many leases it has looked at, how many had run out, then the id and the record of each
-- job that has thereby ended}.
-- uses: queue tell order job lease retry
local answer = { 0, 0 }
if not load() then return answer end
local alive = {}
for i = 10, #ARGV, 2 do alive[ARGV[i]] = tonumber(ARGV[i + 1]) end

-- pardon says why an expired lease does not count as an attempt; nil where it does.
local function pardon(r)
  if r[R_FORGIVEN] >= r[R_MAX_ATTEMPTS] then return nil end
  if out(r) then return 'the store was out' end
  local a = r[R_ATTEMPTS][#r[R_ATTEMPTS]]
  if alive[a[A_WORKER]] and alive[a[A_WORKER]] <= a[A_STARTED] then return 'the worker is alive' end
end

unlock()
for i, id in ipairs(redis.call('ZRANGEBYSCORE', T .. 'leases', '-inf', F[F_CLOCK], 'LIMIT', 0, ARGV[5])) do
  answer[1] = answer[1] + 1
  local r = cmsgpack.unpack(record('unfinished', id))
  local ends = leaseend(r)
  if ends > F[F_CLOCK] then
    r[R_ENDS] = ends
    later('ZADD', 'leases', whole(ends), id)
    put(id, r)
  else
    local worker = r[R_ATTEMPTS][#r[R_ATTEMPTS]][A_WORKER]
    local reason = 'lease expired: worker ' .. string.format('%q', worker) .. ' did not renew it'
    local why = pardon(r)
    if why then
      reason = reason .. '; not counted: ' .. why
      r[R_FORGIVEN] = r[R_FORGIVEN] + 1
    end
    count(N_LEASES_LOST)
    answer[2] = answer[2] + 1
    local due = now + ARGV[9] + backoff(r[R_COUNTED], tonumber(ARGV[6]), tonumber(ARGV[7]), (ARGV[8] + i * 0.618034) % 1)
    local ended = retry(id, r, reason, why ~= nil, 'internal_error', failedreport(reason, worker), due)
    if ended then answer[#answer + 1], answer[#answer + 2] = id, ended end
  end
end
saveshares()
write()
flush()
return answer
