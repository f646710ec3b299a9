package judge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"optimus/sandbox"
)

// ErrCancelled is the cause, for [context.WithCancelCause], of a cancellation that the user
// asked for: [Judge] then reports what it has. Any other end of the context is an error.
var ErrCancelled = errors.New("cancelled by request")

// Options are the settings of [Judge]; the zero value is usable.
type Options struct {
	// Parallel bounds how many tests run at once, beside the language's ParallelTests; 0 is 16.
	Parallel int
	// OutputBytes bounds the output that the report keeps: every stream of every run keeps at
	// most an equal share, cut after it was checked; 0 is 32 MiB.
	OutputBytes int64
	// Began, where not nil, is called as the compile (of no test) and as each test begins, by several
	// goroutines at a time. What it gives is called with the event of its end, which is void with an error; unless the Runner panics.
	Began func(test *sandbox.TestCase) (ended func(Event, error))
	// Notify, where not nil, is called as the compile and each test ends, by one goroutine at a
	// time. Judging waits for it, so it must be quick. What was not run is not notified.
	Notify func(Event)
	// Output, where not nil, is called with live output, one goroutine at a time for each test;
	// it must be quick and must not keep p.
	Output func(test string, s sandbox.Stream, p []byte)
	// Restarted, where not nil, is called when a test's run begins anew: what Output was given of
	// it is void. It is as quick as Output, and not called at the same time for the same test.
	Restarted func(test string)
}

// Event is the end of the compile or of a test: exactly one of its fields is set.
type Event struct {
	Compiled *sandbox.Outcome
	Test     *sandbox.TestReport
}

// PanicError is a panic of the Runner or of the judge, caught so that it ends one job only.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

const (
	defaultParallel    = 16
	defaultOutputBytes = 32 << 20
)

// Judge compiles s once and runs its tests. Where ctx ends with the cause [ErrCancelled] the
// report's verdict is Cancelled and the tests without an end of their own are Cancelled.
//
// An error is Optimus's own failure, the Runner's or the end of ctx. The report beside it holds
// what was judged until then, InternalError for the rest, and the error in words.
func Judge(ctx context.Context, r sandbox.Runner, s sandbox.Submission, o Options) (sandbox.Report, error) {
	j := newJudging(s, o)
	err := guard(func() error { return j.judge(ctx, r) })
	switch {
	case err == nil:
		return j.report(), nil
	case errors.Is(context.Cause(ctx), ErrCancelled):
		j.settle(sandbox.Cancelled, "the job was cancelled")
		report := j.report()
		report.Verdict = sandbox.Cancelled
		return report, nil
	}
	j.settle(sandbox.InternalError, "not judged: the job failed inside Optimus")
	report := j.report()
	report.Verdict, report.Error = sandbox.InternalError, err.Error()
	return report, err
}

// judging is one submission on its way to its report.
type judging struct {
	submission sandbox.Submission
	options    Options
	keep       int64

	mu      sync.Mutex
	compile *sandbox.Outcome
	tests   []sandbox.TestReport // an empty verdict: not judged
	next    int                  // the first test that no goroutine has taken
	failed  bool                 // a test has ended otherwise than accepted
}

func newJudging(s sandbox.Submission, o Options) *judging {
	j := &judging{submission: s, options: o, tests: make([]sandbox.TestReport, len(s.Tests))}
	for i, t := range s.Tests {
		j.tests[i] = sandbox.TestReport{ID: t.ID, Weight: t.Weight}
	}
	total := o.OutputBytes
	if total <= 0 {
		total = defaultOutputBytes
	}
	j.keep = max(total/int64(2*(len(s.Tests)+1)), 1)
	return j
}

func (j *judging) judge(ctx context.Context, r sandbox.Runner) error {
	program, outcome, err := j.prepare(ctx, r)
	if err != nil {
		return fmt.Errorf("prepare the program: %w", err)
	}
	if program != nil {
		defer func() { _ = program.Close() }() // what it leaves behind, the Runner reaps
	}
	if j.compiles() {
		j.compiled(outcome)
		if !outcome.OK() {
			j.settle(sandbox.CompileError, "not run: the program did not compile")
			return nil
		}
	}
	if program == nil {
		return errors.New("prepare the program: the runner gave no program and no reason")
	}
	return j.runTests(ctx, program)
}

func (j *judging) compiles() bool { return len(j.submission.Language.Compile) > 0 }

func (j *judging) prepare(ctx context.Context, r sandbox.Runner) (sandbox.Program, sandbox.Outcome, error) {
	lang := j.submission.Language
	var ended func(Event, error)
	if j.compiles() {
		ended = j.began(nil)
	}
	program, outcome, err := r.Prepare(ctx, lang, j.submission.Source, lang.CompileLimits)
	if ended != nil {
		seen := outcome
		ended(Event{Compiled: &seen}, err)
	}
	return program, outcome, err
}

// began tells that the compile or a test begins, and gives who is to be told of its end; nil is nobody.
func (j *judging) began(test *sandbox.TestCase) (ended func(Event, error)) {
	if j.options.Began == nil {
		return nil
	}
	return j.options.Began(test)
}

func (j *judging) compiled(outcome sandbox.Outcome) {
	j.cut(&outcome)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.compile = &outcome
	if j.options.Notify != nil {
		seen := outcome
		j.options.Notify(Event{Compiled: &seen})
	}
}

// runTests runs what is to be run; the first error ends the other runs and is returned once all have ended.
func (j *judging) runTests(ctx context.Context, p sandbox.Program) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for range j.parallel() {
		wg.Go(func() {
			if err := guard(func() error { return j.runSome(ctx, p) }); err != nil {
				once.Do(func() { first = err })
				stop()
			}
		})
	}
	wg.Wait()
	if first == nil {
		j.settle(sandbox.Skipped, "not run: an earlier test was not accepted")
	}
	return first
}

func (j *judging) parallel() int {
	n := len(j.submission.Tests)
	for _, bound := range []int{j.submission.Language.ParallelTests, j.options.Parallel} {
		if bound > 0 {
			n = min(n, bound)
		}
	}
	if j.options.Parallel <= 0 {
		n = min(n, defaultParallel)
	}
	return n
}

func (j *judging) runSome(ctx context.Context, p sandbox.Program) error {
	for {
		i, ok := j.take()
		if !ok {
			return nil
		}
		if err := j.runTest(ctx, p, i); err != nil {
			return fmt.Errorf("run test %q: %w", j.submission.Tests[i].ID, err)
		}
	}
}

func (j *judging) take() (int, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next == len(j.tests) || j.failed && j.submission.StopOnFailure {
		return 0, false
	}
	j.next++
	return j.next - 1, true
}

func (j *judging) runTest(ctx context.Context, p sandbox.Program, i int) error {
	test := j.submission.Tests[i]
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	limits := j.submission.Language.TestLimits(j.submission.Limits, test.Limits)
	in := sandbox.Input{Stdin: test.Input, Args: j.submission.Args}
	if j.options.Output != nil {
		in.Output = func(s sandbox.Stream, p []byte) { j.options.Output(test.ID, s, p) }
	}
	if j.options.Restarted != nil {
		in.Restarted = func() { j.options.Restarted(test.ID) }
	}
	ended := j.began(&j.submission.Tests[i])
	outcome, err := p.Run(ctx, in, limits)
	var report sandbox.TestReport
	if err == nil {
		report = judgeTest(j.submission, test, limits, outcome)
	}
	if ended != nil {
		seen := report
		ended(Event{Test: &seen}, err)
	}
	if err == nil {
		j.ended(i, report)
	}
	return err
}

func (j *judging) ended(i int, t sandbox.TestReport) {
	j.cut(&t.Outcome)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tests[i] = t
	j.failed = j.failed || t.Verdict != sandbox.Accepted
	if j.options.Notify != nil {
		seen := t
		j.options.Notify(Event{Test: &seen})
	}
}

// cut keeps of each stream its share of the report.
func (j *judging) cut(o *sandbox.Outcome) {
	o.Stdout, o.StdoutTruncated = cut(o.Stdout, o.StdoutTruncated, j.keep)
	o.Stderr, o.StderrTruncated = cut(o.Stderr, o.StderrTruncated, j.keep)
}

func cut(p []byte, truncated bool, keep int64) ([]byte, bool) {
	if int64(len(p)) <= keep {
		return p, truncated
	}
	return slices.Clone(p[:keep]), true // a copy, so that the whole can be freed
}

// settle gives every test without a verdict this one. No goroutine runs tests by then.
func (j *judging) settle(v sandbox.Verdict, message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range j.tests {
		if t := &j.tests[i]; t.Verdict == "" {
			t.Verdict, t.Message = v, message
		}
	}
}

func (j *judging) report() sandbox.Report {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := sandbox.Report{Verdict: sandbox.Accepted, Compile: j.compile, Tests: j.tests}
	if j.compile != nil && !j.compile.OK() {
		r.Verdict = sandbox.CompileError
	}
	for _, t := range j.tests {
		r.Verdict = sandbox.Worse(r.Verdict, t.Verdict)
		r.Score += t.Score
		r.MaxScore += t.Weight
	}
	return r
}

func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
