package web

import (
	"cmp"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/store"
)

// Job is a job as the API shows it. What is not known yet is left out.
type Job struct {
	ID              string            `json:"id" doc:"The job's id, a UUID." example:"0190a6d2-7f3c-8000-8000-5b2d1c0e9a47"`
	State           string            `json:"state" enum:"queued,running,completed,failed,cancelled" doc:"completed: judged, whatever the verdict. failed: Optimus could not judge it."`
	Verdict         string            `json:"verdict,omitempty" doc:"The worst of the tests' verdicts." example:"accepted"`
	Score           *float64          `json:"score,omitempty" doc:"Weights of the accepted tests."`
	MaxScore        *float64          `json:"max_score,omitempty" doc:"Weights of all tests."`
	Language        string            `json:"language" example:"python"`
	LanguageVersion string            `json:"language_version,omitempty" example:"3.13.5"`
	Queue           string            `json:"queue"`
	Priority        int               `json:"priority"`
	Labels          map[string]string `json:"labels,omitempty"`
	Tenant          string            `json:"tenant,omitempty" doc:"Whose job it is: the name of the API key."`
	Attempts        int               `json:"attempts" doc:"Attempts that count."`
	MaxAttempts     int               `json:"max_attempts"`
	CancelRequested bool              `json:"cancel_requested,omitempty" doc:"A cancellation waits for the worker."`
	CreatedAt       time.Time         `json:"created_at"`
	StartedAt       time.Time         `json:"started_at,omitzero"`
	FinishedAt      time.Time         `json:"finished_at,omitzero"`
	NotBefore       time.Time         `json:"not_before,omitzero" doc:"When a retry is due."`
	Compile         *Run              `json:"compile,omitempty" doc:"The compile; not there for a language that is not compiled."`
	TestCount       int               `json:"test_count,omitempty" doc:"How many tests the submission has; not in lists."`
	Tests           []Test            `json:"tests,omitempty" doc:"The tests' reports, in the submission's order."`
	Error           string            `json:"error,omitempty" doc:"Why Optimus could not judge a failed job."`
	Worker          string            `json:"worker,omitempty" doc:"The worker that had it last: that judges or judged."`
	History         []Attempt         `json:"history,omitempty" doc:"The attempts, oldest first, where there was more than one."`
	Submission      *JobRequest       `json:"submission,omitempty" doc:"What was submitted, in a form that can be submitted again as it is; only with include=submission."`
}

// Run is what one run of a program did.
type Run struct {
	CPU             float64 `json:"cpu_ms" doc:"CPU time of all processes, in milliseconds."`
	Wall            float64 `json:"wall_ms" doc:"Real time, in milliseconds, without start-up of the sandbox and without the compile."`
	Memory          *int64  `json:"memory_bytes,omitempty" doc:"Peak memory, in bytes."`
	Processes       *int64  `json:"processes,omitempty" doc:"Peak of processes and threads at once."`
	ExitCode        *int    `json:"exit_code,omitempty" doc:"Not there where a signal ended the program."`
	Signal          int     `json:"signal,omitempty" doc:"The signal that ended the program."`
	SignalName      string  `json:"signal_name,omitempty" example:"SIGSEGV"`
	Exceeded        string  `json:"exceeded,omitempty" enum:"cpu,wall,memory,output" doc:"The limit that ended the run."`
	Stdout          string  `json:"stdout"`
	StdoutEncoding  string  `json:"stdout_encoding,omitempty" enum:"base64" doc:"base64 where stdout is not UTF-8; else not there."`
	StdoutTruncated bool    `json:"stdout_truncated,omitempty" doc:"More was written than is kept."`
	Stderr          string  `json:"stderr"`
	StderrEncoding  string  `json:"stderr_encoding,omitempty" enum:"base64"`
	StderrTruncated bool    `json:"stderr_truncated,omitempty"`
	Message         string  `json:"message,omitempty" doc:"In words, what the figures do not say."`
}

// Test is the report of one test.
type Test struct {
	ID      string  `json:"id"`
	Verdict string  `json:"verdict" doc:"accepted, presentation_error, wrong_answer, output_limit_exceeded, time_limit_exceeded, memory_limit_exceeded, runtime_error, compile_error, internal_error, skipped or cancelled."`
	Score   float64 `json:"score"`
	Weight  float64 `json:"weight"`
	Reason  string  `json:"reason,omitempty" doc:"In words, why the verdict is what it is."`
	Run     *Run    `json:"run,omitempty" doc:"What the run did; not there for a test that was not run."`
}

// Attempt is one worker's try at a job.
type Attempt struct {
	Worker    string    `json:"worker"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Reason    string    `json:"reason,omitempty" doc:"Why it ended without a report."`
	Counted   bool      `json:"counted" doc:"Counts against max_attempts."`
}

func viewJob(j *store.Job, withSubmission bool) *Job {
	v := &Job{
		ID:              j.ID.String(),
		State:           string(j.State),
		Verdict:         string(j.Verdict),
		Language:        j.Lane.Language,
		Queue:           j.Queue,
		Priority:        j.Priority,
		Labels:          j.Labels,
		Tenant:          j.Tenant,
		Attempts:        j.Counted,
		MaxAttempts:     j.MaxAttempts,
		CancelRequested: j.CancelRequested && !j.State.Terminal(),
		CreatedAt:       j.Created,
		StartedAt:       j.Started,
		FinishedAt:      j.Finished,
		NotBefore:       j.NotBefore,
	}
	if len(j.Attempts) > 1 || j.State == store.Failed {
		for _, a := range j.Attempts {
			v.History = append(v.History, Attempt{
				Worker: a.Worker, StartedAt: a.Started, EndedAt: a.Ended, Reason: a.Reason, Counted: !a.Uncounted,
			})
		}
	}
	if n := len(j.Attempts); n > 0 && j.State != store.Queued {
		v.Worker = j.Attempts[n-1].Worker
		if j.State == store.Failed {
			v.Error = j.Attempts[n-1].Reason // as in a list, which has no report
		}
	}
	if j.Submission != nil {
		v.LanguageVersion, v.TestCount = j.Submission.Language.Version, len(j.Submission.Tests)
		if withSubmission {
			v.Submission = viewSubmission(j)
		}
	}
	if r := j.Report; r != nil {
		v.Verdict = string(r.Verdict)
		v.Score, v.MaxScore = &r.Score, &r.MaxScore
		v.Error, v.Worker = cmp.Or(r.Error, v.Error), cmp.Or(r.Worker, v.Worker)
		if r.Compile != nil {
			v.Compile = viewRun(r.Compile)
		}
		v.Tests = make([]Test, len(r.Tests))
		for i := range r.Tests {
			v.Tests[i] = viewTest(&r.Tests[i])
		}
	}
	return v
}

func viewTest(t *sandbox.TestReport) Test {
	v := Test{ID: t.ID, Verdict: string(t.Verdict), Score: t.Score, Weight: t.Weight, Reason: t.Message}
	if wasRun(t) {
		v.Run = viewRun(&t.Outcome)
	}
	return v
}

// wasRun tells whether a test has an outcome of its own.
func wasRun(t *sandbox.TestReport) bool {
	switch t.Verdict {
	case sandbox.Skipped, sandbox.CompileError:
		return false
	case sandbox.Cancelled, sandbox.InternalError:
		return t.Outcome.Wall > 0
	case sandbox.Accepted, sandbox.PresentationError, sandbox.WrongAnswer, sandbox.OutputLimitExceeded,
		sandbox.TimeLimitExceeded, sandbox.MemoryLimitExceeded, sandbox.RuntimeError:
	}
	return true
}

func viewRun(o *sandbox.Outcome) *Run {
	v := &Run{
		CPU:             milliseconds(o.CPU),
		Wall:            milliseconds(o.Wall),
		Signal:          o.Signal,
		Exceeded:        string(o.Exceeded),
		StdoutTruncated: o.StdoutTruncated,
		StderrTruncated: o.StderrTruncated,
		Message:         o.Message,
	}
	if o.Memory >= 0 {
		v.Memory = &o.Memory
	}
	if o.Processes >= 0 {
		v.Processes = &o.Processes
	}
	if o.Signal != 0 {
		v.SignalName = unix.SignalName(unix.Signal(o.Signal))
	} else {
		v.ExitCode = &o.ExitCode
	}
	v.Stdout, v.StdoutEncoding = viewBytes(o.Stdout, o.StdoutTruncated)
	v.Stderr, v.StderrEncoding = viewBytes(o.Stderr, o.StderrTruncated)
	return v
}

// viewBytes shows output as text where it is UTF-8, else as base64. A character that was cut in
// half at the end of truncated text is dropped.
func viewBytes(b []byte, truncated bool) (text, encoding string) {
	if truncated {
		for n := 0; n < utf8.UTFMax-1 && n < len(b); n++ {
			if end := b[len(b)-1-n]; utf8.RuneStart(end) {
				if end >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-1-n:]) && utf8.Valid(b[:len(b)-1-n]) {
					b = b[:len(b)-1-n]
				}
				break
			}
		}
	}
	if utf8.Valid(b) {
		return string(b), ""
	}
	return base64.StdEncoding.EncodeToString(b), "base64"
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// viewSubmission gives a request that makes the same job again, where catalogue, queues and limits are what they were:
// the language's version is the one that it was resolved to.
func viewSubmission(j *store.Job) *JobRequest {
	s, limits := j.Submission, viewLimits(j.Submission.Limits)
	v := &JobRequest{
		Language:      s.Language.Name,
		Version:       s.Language.Version,
		Args:          s.Args,
		Limits:        &limits,
		Checker:       viewChecker(s.Checker),
		StopOnFailure: s.StopOnFailure,
		Priority:      j.Priority,
		Queue:         j.Queue,
		Files:         make([]FileRequest, len(s.Source.Files)),
		Tests:         make([]TestRequest, len(s.Tests)),
	}
	for name, value := range j.Labels {
		if strings.HasPrefix(name, reservedLabel) {
			continue // nobody may state them
		}
		if v.Labels == nil {
			v.Labels = map[string]string{}
		}
		v.Labels[name] = value
	}
	for i, f := range s.Source.Files {
		content, encoding := viewBytes(f.Content, false)
		v.Files[i] = FileRequest{Name: f.Name, Content: content, Encoding: encoding}
	}
	for i := range s.Tests {
		v.Tests[i] = viewTestCase(&s.Tests[i])
	}
	return v
}

func viewTestCase(t *sandbox.TestCase) TestRequest {
	v := TestRequest{ID: t.ID, Weight: &t.Weight, Checker: viewChecker(t.Checker)}
	if t.Limits != (sandbox.Limits{}) {
		limits := viewLimits(t.Limits)
		v.Limits = &limits
	}
	var expected sandbox.Text
	if t.Expected != nil {
		expected = *t.Expected
	}
	encode := func(b []byte) string { return string(b) }
	if !utf8.Valid(t.Input) || !utf8.ValidString(string(expected)) {
		v.Encoding, encode = "base64", base64.StdEncoding.EncodeToString // of both
	}
	v.Input = encode(t.Input)
	if t.Expected != nil {
		text := encode([]byte(expected))
		v.ExpectedOutput = &text
	}
	return v
}

func viewChecker(c sandbox.Checker) *CheckerRequest {
	if c.Kind == "" {
		return nil
	}
	v := &CheckerRequest{Kind: string(c.Kind)}
	if c.Kind == sandbox.CheckFloat {
		v.Absolute, v.Relative = &c.Absolute, &c.Relative
	}
	return v
}

func viewLimits(l sandbox.Limits) LimitsRequest {
	stated := func(n int64) *int64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	return LimitsRequest{
		CPU:       stated(l.CPU.Milliseconds()),
		Wall:      stated(l.Wall.Milliseconds()),
		Memory:    stated(l.Memory),
		Output:    stated(l.Output),
		Processes: stated(l.Processes),
		FileSize:  stated(l.FileSize),
		OpenFiles: stated(l.OpenFiles),
		Stack:     stated(l.Stack),
		Disk:      stated(l.Disk),
	}
}
