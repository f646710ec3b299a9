-- renew extends leases from now on.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 lease in µs; 6, 7… a job's id and its lease's token, each.
-- Returns: for each lease 0 where it holds, 1 where a cancellation was asked for besides, 2 where it
-- is lost; {} where the queue holds nothing.
-- uses: queue tell order job lease
local answer = {}
if not load() then return answer end
unlock()
for i = 6, #ARGV, 2 do
  local id, r = ARGV[i], leased(ARGV[i], ARGV[i + 1])
  if r then
    r[R_RENEWED], r[R_LEASE] = F[F_CLOCK], tonumber(ARGV[5])
    r[R_ENDS] = F[F_CLOCK] + r[R_LEASE]
    later('ZADD', 'leases', whole(r[R_ENDS]), id)
    put(id, r)
    answer[#answer + 1] = r[R_CANCEL]
  else
    answer[#answer + 1] = 2
  end
end
write()
return answer
