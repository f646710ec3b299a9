package original

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// jobResponse is the answer of GET /job/:id for a job that has ended.
type jobResponse struct {
	JobID         string       `json:"job_id"`
	OverallStatus string       `json:"overall_status"`
	State         store.State  `json:"state"`
	Score         float64      `json:"score"`
	MaxScore      float64      `json:"max_score"`
	Results       []testResult `json:"results"`
}

type testResult struct {
	TestID          int             `json:"test_id"`
	Status          string          `json:"status"`
	Verdict         sandbox.Verdict `json:"verdict"`
	Stdout          string          `json:"stdout"`
	Stderr          string          `json:"stderr"`
	ExecutionTimeMS int64           `json:"execution_time_ms"`
}

// Job answers GET /job/:id.
func (a *API) Job(w http.ResponseWriter, r *http.Request, id string) {
	job, f := a.job(r.Context(), id)
	if f != nil {
		a.fail(w, r, f)
		return
	}
	if !job.State.Terminal() {
		write(w, http.StatusAccepted, map[string]string{
			"job_id": job.ID.String(), "status": "pending", "state": string(job.State),
			"message": "the job has not ended yet; ask again",
		})
		return
	}
	write(w, http.StatusOK, viewJob(&job))
}

// Cancel answers POST /job/:id/cancel.
func (a *API) Cancel(w http.ResponseWriter, r *http.Request, id string) {
	job, f := a.job(r.Context(), id)
	if f != nil {
		a.fail(w, r, f)
		return
	}
	job, err := a.store.Cancel(r.Context(), job.ID)
	switch {
	case errors.Is(err, store.ErrTerminal):
		WriteError(w, http.StatusConflict, "JOB_ALREADY_FINISHED", "the job has ended, so it cannot be cancelled")
	case err != nil:
		a.fail(w, r, queueFailure(err))
	default:
		a.host.Cancelled()
		write(w, http.StatusOK, map[string]string{
			"job_id": job.ID.String(), "status": "cancelling", "state": string(job.State),
			"message": "the job's cancellation was asked for",
		})
	}
}

// debugResponse is the answer of GET /job/:id/debug.
type debugResponse struct {
	JobID             string       `json:"job_id"`
	Status            string       `json:"status"`
	State             store.State  `json:"state,omitempty"`
	Attempts          int          `json:"attempts"`
	MaxAttempts       int          `json:"max_attempts"`
	LastFailureReason *string      `json:"last_failure_reason"`
	InMainQueue       bool         `json:"in_main_queue"`
	InRetryQueue      bool         `json:"in_retry_queue"`
	InDLQ             bool         `json:"in_dlq"`
	Result            *jobResponse `json:"result"`
}

// Debug answers GET /job/:id/debug. An id that is not known has the status unknown.
func (a *API) Debug(w http.ResponseWriter, r *http.Request, id string) {
	job, f := a.job(r.Context(), id)
	switch {
	case f != nil && f.status == http.StatusNotFound:
		write(w, http.StatusOK, debugResponse{JobID: id, Status: "unknown"})
	case f != nil:
		a.fail(w, r, f)
	default:
		write(w, http.StatusOK, viewDebug(&job))
	}
}

func viewDebug(j *store.Job) debugResponse {
	d := debugResponse{JobID: j.ID.String(), State: j.State, Attempts: j.Counted, MaxAttempts: j.MaxAttempts}
	for _, attempt := range j.Attempts {
		if attempt.Reason != "" {
			d.LastFailureReason = &attempt.Reason
		}
	}
	retried := d.LastFailureReason != nil && j.Counted > 0
	switch j.State {
	case store.Queued:
		d.InRetryQueue = retried
		d.InMainQueue = !retried
	case store.Failed:
		d.InDLQ = true
	case store.Running, store.Completed, store.Cancelled:
	}
	switch {
	case j.State == store.Failed:
		d.Status = "dead_letter_queue"
	case j.State.Terminal():
		d.Status = "completed"
	case retried:
		d.Status = "retrying"
	default:
		d.Status = "queued"
	}
	if j.State.Terminal() {
		d.Result = viewJob(j)
	}
	return d
}

func viewJob(j *store.Job) *jobResponse {
	report := j.Report
	if report == nil {
		report = &sandbox.Report{Verdict: sandbox.InternalError}
	}
	return &jobResponse{
		JobID:         j.ID.String(),
		OverallStatus: overallStatus(j.State, report.Verdict),
		State:         j.State,
		Score:         report.Score,
		MaxScore:      report.MaxScore,
		Results:       viewTests(j, report),
	}
}

// overallStatus shows a job that has ended; completed means that every test is accepted.
func overallStatus(s store.State, v sandbox.Verdict) string {
	switch {
	case s == store.Cancelled:
		return "cancelled"
	case s == store.Completed && v == sandbox.Accepted:
		return "completed"
	case s == store.Completed && v == sandbox.TimeLimitExceeded:
		return "timedout"
	default:
		return "failed"
	}
}

// testStatus shows a verdict in the original's words.
func testStatus(v sandbox.Verdict) string {
	switch v {
	case sandbox.Accepted:
		return "passed"
	case sandbox.WrongAnswer, sandbox.PresentationError, sandbox.Skipped, sandbox.Cancelled:
		return "failed"
	case sandbox.TimeLimitExceeded:
		return "timelimitexceeded"
	case sandbox.RuntimeError, sandbox.MemoryLimitExceeded, sandbox.OutputLimitExceeded, sandbox.CompileError, sandbox.InternalError:
		return "runtimeerror"
	}
	return "failed"
}

// viewTests shows every test of the submission; one that has no report has the job's verdict.
func viewTests(j *store.Job, report *sandbox.Report) []testResult {
	tests := report.Tests
	if len(tests) == 0 && j.Submission != nil {
		for _, t := range j.Submission.Tests {
			tests = append(tests, sandbox.TestReport{ID: t.ID, Verdict: report.Verdict, Message: report.Error})
		}
	}
	results := make([]testResult, len(tests))
	for i, t := range tests {
		r := testResult{
			TestID: i + 1, Status: testStatus(t.Verdict), Verdict: t.Verdict,
			Stdout: text(t.Outcome.Stdout), Stderr: text(t.Outcome.Stderr),
			ExecutionTimeMS: t.Outcome.Wall.Round(time.Millisecond).Milliseconds(),
		}
		if n, err := strconv.Atoi(t.ID); err == nil {
			r.TestID = n
		}
		switch {
		case t.Verdict == sandbox.CompileError && report.Compile != nil:
			r.Stderr = compilerMessage(report.Compile)
		case r.Stderr == "" && t.Verdict == sandbox.InternalError:
			r.Stderr = t.Message
		}
		results[i] = r
	}
	return results
}

// compilerMessage is what the compiler wrote, wherever it wrote it.
func compilerMessage(o *sandbox.Outcome) string {
	for _, b := range [][]byte{o.Stderr, o.Stdout} {
		if len(b) > 0 {
			return text(b)
		}
	}
	return o.Message
}

// text shows output as the original did: bytes that are not UTF-8 become U+FFFD.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
