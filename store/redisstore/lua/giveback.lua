-- giveback ends the attempt of a leased job without a report.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 id, 6 token, 7 1 where the attempt counts, 8 reason,
-- 9 verdict and 10 report of a dead letter, empty for one that says the reason, 11 first and 12 longest
-- delay of a retry in µs, 13 luck from 0 to 1, 14 µs to add to the delay, 15 mark of this call, 16 1
-- where it was sent before.
-- Returns: {'ok', record where the job has ended, else false}; {'lost'}.
-- uses: queue tell order job lease retry
local id, reason, report, call = ARGV[5], ARGV[8], ARGV[10], ARGV[15]
local r = load() and leased(id, ARGV[6])
if not r then
  if ARGV[16] == '1' then
    local before, where = find(id)
    if before and done(before, call) then
      return { 'ok', where == 'ended' and last(before, call) and redis.call('HGET', T .. where, id) or false }
    end
  end
  return { 'lost' }
end
mark(r, call)
if report == '' then report = failedreport(reason, r[R_ATTEMPTS][#r[R_ATTEMPTS]][A_WORKER]) end
local due = now + ARGV[14] + backoff(r[R_COUNTED], tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]))
local ended = retry(id, r, reason, ARGV[7] == '0', ARGV[9], report, due)
saveshares()
write()
flush()
return { 'ok', ended }
