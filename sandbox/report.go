package sandbox

// Report is what a job's end says: the verdict, the score and every test.
type Report struct {
	// Verdict is the worst of the tests', CompileError where nothing could be run, and
	// InternalError where Optimus failed.
	Verdict Verdict `json:"verdict"`
	// Score is the sum of the accepted tests' weights; MaxScore the sum of all.
	Score    float64 `json:"score"`
	MaxScore float64 `json:"max_score"`
	// Compile is nil for a language that is not compiled.
	Compile *Outcome     `json:"compile,omitempty"`
	Tests   []TestReport `json:"tests"`
	// Error says why Optimus could not judge a job that failed; empty otherwise.
	Error string `json:"error,omitempty"`
	// Worker names the worker that judged.
	Worker string `json:"worker,omitempty"`
}

// TestReport is the verdict of one test and what its run did.
type TestReport struct {
	// ID is that of the [TestCase].
	ID      string  `json:"id"`
	Verdict Verdict `json:"verdict"`
	Score   float64 `json:"score"`
	Weight  float64 `json:"weight"`
	// Outcome is zero for a test that was not run.
	Outcome Outcome `json:"outcome"`
	// Message says, in words for a person, why the verdict is what it is; may be empty.
	Message string `json:"message,omitempty"`
}
