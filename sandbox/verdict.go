package sandbox

// Verdict is what is said of one test, or, as the worst of its tests, of a job.
type Verdict string

// The verdicts, from best to worst but for Skipped and Cancelled, which say
// that a test was not judged.
const (
	// Accepted: the program ended with status 0 inside every limit and its
	// checker accepted the output.
	Accepted Verdict = "accepted"
	// PresentationError: the output differs from what is expected in white space only.
	PresentationError Verdict = "presentation_error"
	// WrongAnswer: the checker refused the output.
	WrongAnswer Verdict = "wrong_answer"
	// OutputLimitExceeded: the program wrote more than Limits.Output bytes to standard output.
	// Standard error never fails a test: what is over the limit is dropped.
	OutputLimitExceeded Verdict = "output_limit_exceeded"
	// TimeLimitExceeded: CPU or wall time reached its limit.
	TimeLimitExceeded Verdict = "time_limit_exceeded"
	// MemoryLimitExceeded: the run's own memory limit was hit; never said of a
	// bare exit status 137.
	MemoryLimitExceeded Verdict = "memory_limit_exceeded"
	// RuntimeError: the program ended with a status other than 0 or by a signal.
	RuntimeError Verdict = "runtime_error"
	// CompileError: the program did not compile, so that no test was run.
	CompileError Verdict = "compile_error"
	// InternalError: Optimus could not judge the test; only in the report of a
	// job that has failed.
	InternalError Verdict = "internal_error"
	// Skipped: not run, since an earlier test failed and the submission asked to stop.
	Skipped Verdict = "skipped"
	// Cancelled: not judged to its end, since the job was cancelled.
	Cancelled Verdict = "cancelled"
)

// Verdicts lists every verdict from best to worst: a job's verdict is the one
// of its tests that stands last here.
func Verdicts() []Verdict {
	return []Verdict{
		Accepted, Skipped, PresentationError, WrongAnswer, OutputLimitExceeded, TimeLimitExceeded,
		MemoryLimitExceeded, RuntimeError, CompileError, Cancelled, InternalError,
	}
}

// Worse returns the worse of two verdicts. An empty verdict is better than any.
func Worse(a, b Verdict) Verdict {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

func (v Verdict) rank() int {
	for i, w := range Verdicts() {
		if v == w {
			return i
		}
	}
	return -1
}

// Valid tells whether v is one of [Verdicts].
func (v Verdict) Valid() bool { return v.rank() >= 0 }
