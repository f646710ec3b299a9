-- How an attempt without a report ends.

-- failedreport is the report of a dead letter whose worker gave none.
local function failedreport(reason, worker)
  return FAILED_REPORT_1 .. cjson.encode(reason) .. FAILED_REPORT_2 .. cjson.encode(worker) .. FAILED_REPORT_3
end

-- backoff is the delay of the retry after so many counted attempts, in µs: it doubles with each, with
-- up to a fifth more, which luck, from 0 to 1, decides.
local function backoff(attempts, base, most, luck)
  local d = base
  for _ = 2, attempts do
    if d >= most then break end
    d = d * 2
  end
  return math.floor(math.min(d + luck * (d / 5), most))
end

-- retry puts a running job back, or ends it: cancelled where that was asked for, a dead letter with
-- its last attempt. It gives the record of a job that has ended.
local function retry(id, r, reason, uncounted, verdict, report, due)
  if r[R_CANCEL] == 1 then return finish(id, r, 'x', reason, 'cancelled', CANCELLED_REPORT) end
  if not uncounted and r[R_COUNTED] >= r[R_MAX_ATTEMPTS] then return finish(id, r, 'f', reason, verdict, report) end
  leave(id, r)
  settle()
  endlease(r, reason, uncounted)
  if uncounted then
    ready(id, r)
  else
    r[R_STATE], r[R_NOT_BEFORE] = 'd', due
    redis.call('ZADD', T .. 'delayed', due, id)
    F[F_COUNTS + C_DELAYED] = F[F_COUNTS + C_DELAYED] + 1
    count(N_RETRIED)
  end
  state(id, r, reason)
  put(id, r)
  return false
end
