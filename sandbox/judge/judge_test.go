package judge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/sandbox/sandboxtest"
)

const mib = 1 << 20

// submission is one whose tests give their own id to a script on standard input, expect "ok"
// and weigh 1, 2, 3 and so on.
func submission(tests int, script ...string) sandbox.Submission {
	s := sandbox.Submission{
		Language: sandbox.Language{
			Name: "fake", Compile: []string{"compile"}, ParallelTests: 1,
			Limits: sandbox.Limits{Memory: 100 * mib, Output: mib, Wall: time.Second, CPU: time.Second},
		},
		Source: sandboxtest.Script(script...),
	}
	expected := sandbox.Text("ok")
	for i := range tests {
		id := fmt.Sprint(i + 1)
		s.Tests = append(s.Tests, sandbox.TestCase{ID: id, Input: []byte(id), Expected: &expected, Weight: float64(i + 1)})
	}
	return s
}

func verdicts(r sandbox.Report) string {
	var words []string
	for _, t := range r.Tests {
		words = append(words, string(t.Verdict))
	}
	return strings.Join(words, " ")
}

func TestJudgeVerdicts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		script  []string
		change  func(*sandbox.Submission)
		verdict sandbox.Verdict
		tests   string
		score   float64
		message string // part of the second test's message
	}{
		{"all right", []string{"print ok"}, nil, accepted, "accepted accepted accepted", 6, ""},
		{"one wrong", []string{"case 2 print no", "case 1 print ok", "case 3 print ok"}, nil, wrong, "accepted wrong_answer accepted", 4, `expected "ok", got "no"`},
		{"white space", []string{"case 2 print o k", "case 1 print ok", "case 3 print ok"}, nil, presentation, "accepted presentation_error accepted", 4, "only white space differs"},
		{"the worst counts", []string{"case 1 exceed wall", "case 2 exit 1", "case 3 print no"}, nil, sandbox.RuntimeError, "time_limit_exceeded runtime_error wrong_answer", 0, "ended with status 1"},
		{"signal", []string{"case 2 signal 11", "print ok"}, nil, sandbox.RuntimeError, "accepted runtime_error accepted", 4, "SIGSEGV"},
		{"right output, bad status", []string{"print ok", "case 2 exit 3"}, nil, sandbox.RuntimeError, "accepted runtime_error accepted", 4, "status 3"},
		{"right output, out of time", []string{"print ok", "case 2 exceed cpu"}, nil, sandbox.TimeLimitExceeded, "accepted time_limit_exceeded accepted", 4, "the limit is 1s"},
		{"memory", []string{"print ok", "case 2 exceed memory"}, nil, sandbox.MemoryLimitExceeded, "accepted memory_limit_exceeded accepted", 4, "100 MiB"},
		{"output", []string{"print ok", "case 2 exceed output"}, nil, sandbox.OutputLimitExceeded, "accepted output_limit_exceeded accepted", 4, "1 MiB"},
		{"file too large", []string{"print ok", "case 2 signal 25"}, nil, sandbox.OutputLimitExceeded, "accepted output_limit_exceeded accepted", 4, "wrote a file"},
		{"a bare 137 is no memory limit", []string{"print ok", "case 2 exit 137"}, nil, sandbox.RuntimeError, "accepted runtime_error accepted", 4, "137"},
		{"cut output is not accepted", []string{"print ok", "case 2 truncate"}, nil, sandbox.OutputLimitExceeded, "accepted output_limit_exceeded accepted", 4, "was cut"},
		{"standard error never fails", []string{"complain bad", "print ok"}, nil, accepted, "accepted accepted accepted", 6, ""},
		{"nothing expected accepts anything", []string{"case 2 print no", "case 1 print ok", "case 3 print ok"}, func(s *sandbox.Submission) {
			s.Tests[1].Expected = nil
		}, accepted, "accepted accepted accepted", 6, ""},
		{"nothing expected but cut", []string{"case 2 truncate", "print ok"}, func(s *sandbox.Submission) {
			s.Tests[1].Expected = nil
		}, sandbox.OutputLimitExceeded, "accepted output_limit_exceeded accepted", 4, "was cut"},
		{"checker of the submission", []string{"print ok"}, func(s *sandbox.Submission) {
			s.Checker.Kind = sandbox.CheckExact
		}, presentation, "presentation_error presentation_error presentation_error", 0, "only white space"},
		{"checker of the test goes first", []string{"print ok"}, func(s *sandbox.Submission) {
			s.Checker.Kind = sandbox.CheckExact
			s.Tests[1].Checker.Kind = sandbox.CheckTokens
		}, presentation, "presentation_error accepted presentation_error", 2, ""},
		{"stops on failure", []string{"case 2 exit 1", "print ok"}, func(s *sandbox.Submission) {
			s.StopOnFailure = true
		}, sandbox.RuntimeError, "accepted runtime_error skipped", 1, "status 1"},
		{"does not stop unasked", []string{"case 2 exit 1", "print ok"}, nil, sandbox.RuntimeError, "accepted runtime_error accepted", 4, "status 1"},
		{"does not compile", []string{"prepare complain main.c:1: no", "prepare exit 1"}, nil, sandbox.CompileError, "compile_error compile_error compile_error", 0, "did not compile"},
		{"compile out of time", []string{"prepare exceed wall"}, nil, sandbox.CompileError, "compile_error compile_error compile_error", 0, "did not compile"},
		{"not compiled", []string{"print ok"}, func(s *sandbox.Submission) { s.Language.Compile = nil }, accepted, "accepted accepted accepted", 6, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := submission(3, tt.script...)
			if tt.change != nil {
				tt.change(&s)
			}
			fake := sandboxtest.NewFake()
			r, err := judge.Judge(t.Context(), fake, s, judge.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != tt.verdict || verdicts(r) != tt.tests || r.Score != tt.score || r.MaxScore != 6 {
				t.Errorf("%s (%s), score %v of %v; want %s (%s), %v", r.Verdict, verdicts(r), r.Score, r.MaxScore, tt.verdict, tt.tests, tt.score)
			}
			if !strings.Contains(r.Tests[1].Message, tt.message) {
				t.Errorf("message %q does not say %q", r.Tests[1].Message, tt.message)
			}
			if compiled := r.Compile != nil; compiled != (len(s.Language.Compile) > 0) {
				t.Errorf("a compile is reported: %t", compiled)
			}
			if got := fake.Stats(); got.Open != 0 || got.Prepared != 1 {
				t.Errorf("stats %+v: want one Prepare, every program closed", got)
			}
		})
	}
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	lang := sandbox.Language{OutOfMemoryExit: []int{3, 134}, MemoryOverhead: 20 * mib}
	limits := sandbox.Limits{Memory: 120 * mib}
	tests := []struct {
		name    string
		outcome sandbox.Outcome
		want    bool
	}{
		{"near the limit", sandbox.Outcome{ExitCode: 3, Memory: 119 * mib}, true},
		{"other listed status", sandbox.Outcome{ExitCode: 134, Memory: 119 * mib}, true},
		{"at nine tenths of the heap", sandbox.Outcome{ExitCode: 3, Memory: 90 * mib}, true},
		{"just below", sandbox.Outcome{ExitCode: 3, Memory: 90*mib - 1}, false},
		{"peak not known", sandbox.Outcome{ExitCode: 3, Memory: -1}, false},
		{"status not listed", sandbox.Outcome{ExitCode: 137, Memory: 119 * mib}, false},
		{"ended by a signal", sandbox.Outcome{ExitCode: 3, Signal: 9, Memory: 119 * mib}, false},
		{"other limit goes first", sandbox.Outcome{ExitCode: 3, Exceeded: sandbox.CPULimit, Memory: 119 * mib}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := judge.OutOfMemory(lang, limits, tt.outcome); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
	if judge.OutOfMemory(lang, sandbox.Limits{}, sandbox.Outcome{ExitCode: 3, Memory: mib}) {
		t.Error("without a limit nothing is near it")
	}

	s := submission(1, fmt.Sprintf("memory %d", 99*mib), "exit 3")
	s.Language.OutOfMemoryExit = []int{3}
	r, err := judge.Judge(t.Context(), sandboxtest.NewFake(), s, judge.Options{})
	if err != nil || r.Verdict != sandbox.MemoryLimitExceeded || r.Tests[0].Outcome.Exceeded != sandbox.MemoryLimit {
		t.Errorf("verdict %s, outcome %+v, error %v", r.Verdict, r.Tests[0].Outcome, err)
	}
}

func TestJudgeRunsAtOnceUpToTheBound(t *testing.T) {
	t.Parallel()
	tests := []struct{ language, options, tests, want int }{
		{1, 0, 4, 1}, {3, 0, 6, 3}, {0, 2, 6, 2}, {3, 2, 6, 2}, {8, 0, 2, 2}, {0, 0, 30, 16},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			t.Parallel()
			fake := sandboxtest.NewFake()
			s := submission(tt.tests, "wait gate", "print ok")
			s.Language.ParallelTests = tt.language
			done := make(chan error, 1)
			go func() {
				_, err := judge.Judge(t.Context(), fake, s, judge.Options{Parallel: tt.options})
				done <- err
			}()
			gate := fake.Gate("gate")
			for range tt.want {
				receive(t, gate.Reached())
			}
			gate.Open()
			if err := receive(t, done); err != nil {
				t.Fatal(err)
			}
			if got := fake.Stats(); got.MostRuns != tt.want || got.Runs != tt.tests {
				t.Errorf("%+v, want %d runs at once", got, tt.want)
			}
		})
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing happens")
		panic("unreachable")
	}
}

func TestStopOnFailureLetsRunningTestsEnd(t *testing.T) {
	t.Parallel()
	fake := sandboxtest.NewFake()
	s := submission(4, "case 1 wait gate", "case 2 wait started", "case 2 exit 1", "print ok")
	s.Language.ParallelTests, s.StopOnFailure = 2, true
	ended := make(chan string, 4)
	done := make(chan sandbox.Report, 1)
	go func() {
		r, _ := judge.Judge(t.Context(), fake, s, judge.Options{Notify: func(e judge.Event) {
			if e.Test != nil {
				ended <- e.Test.ID
			}
		}})
		done <- r
	}()
	receive(t, fake.Gate("gate").Reached())
	fake.Gate("started").Open()
	if id := receive(t, ended); id != "2" {
		t.Fatalf("test %s ended first", id)
	}
	fake.Gate("gate").Open()
	if r := receive(t, done); verdicts(r) != "accepted runtime_error skipped skipped" {
		t.Errorf("verdicts %s", verdicts(r))
	}
}

func TestJudgeCancelledReportsWhatItHas(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, script, want string }{
		{"in a test", "case 2 wait gate\nprint ok", "accepted cancelled cancelled"},
		{"in the compile", "prepare wait gate\nprint ok", "cancelled cancelled cancelled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := sandboxtest.NewFake()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			go func() {
				<-fake.Gate("gate").Reached()
				cancel(fmt.Errorf("tell the worker: %w", judge.ErrCancelled))
			}()
			r, err := judge.Judge(ctx, fake, submission(3, tt.script), judge.Options{})
			if err != nil || r.Verdict != sandbox.Cancelled || verdicts(r) != tt.want || fake.Stats().Open != 0 {
				t.Errorf("verdict %s (%s), error %v; want cancelled (%s)", r.Verdict, verdicts(r), err, tt.want)
			}
		})
	}
}

func TestJudgeErrors(t *testing.T) {
	t.Parallel()
	errStop := errors.New("the worker stops")
	tests := []struct {
		name, script, want string
		is                 func(error) bool
	}{
		{"runner fails in a test", "case 2 error no box\nprint ok", "accepted internal_error internal_error", func(err error) bool {
			return strings.Contains(err.Error(), `test "2"`) && strings.Contains(err.Error(), "no box")
		}},
		{"runner fails in the compile", "prepare error no box", "internal_error internal_error internal_error", func(err error) bool {
			return strings.Contains(err.Error(), "prepare")
		}},
		{"image is missing", "prepare no-image", "internal_error internal_error internal_error", func(err error) bool {
			return errors.Is(err, sandbox.ErrImageMissing)
		}},
		{"runner panics in a test", "case 2 panic at the disco\nprint ok", "accepted internal_error internal_error", isPanic},
		{"runner panics in the compile", "prepare panic at the disco", "internal_error internal_error internal_error", isPanic},
		{"context ends otherwise", "case 2 wait stop\nprint ok", "accepted internal_error internal_error", func(err error) bool {
			return errors.Is(err, context.Canceled) || errors.Is(err, errStop)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fake := sandboxtest.NewFake()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			stopped := make(chan struct{})
			defer close(stopped)
			go func() {
				select {
				case <-fake.Gate("stop").Reached():
					cancel(errStop)
				case <-stopped:
				}
			}()
			r, err := judge.Judge(ctx, fake, submission(3, tt.script), judge.Options{})
			if err == nil || !tt.is(err) {
				t.Fatalf("error %v", err)
			}
			if r.Verdict != sandbox.InternalError || r.Error != err.Error() || verdicts(r) != tt.want {
				t.Errorf("report %s (%s), error %q", r.Verdict, verdicts(r), r.Error)
			}
			if got := fake.Stats(); got.Open != 0 || got.Active != 0 {
				t.Errorf("left behind: %+v", got)
			}
		})
	}
}

func isPanic(err error) bool {
	p, ok := errors.AsType[*judge.PanicError](err)
	return ok && len(p.Stack) > 0 && strings.Contains(err.Error(), "at the disco")
}

func TestJudgeErrorEndsTheOtherRuns(t *testing.T) {
	t.Parallel()
	fake := sandboxtest.NewFake()
	s := submission(2, "case 1 wait never", "case 2 wait go", "case 2 error no box")
	s.Language.ParallelTests = 2
	go func() {
		<-fake.Gate("never").Reached()
		fake.Gate("go").Open()
	}()
	_, err := judge.Judge(t.Context(), fake, s, judge.Options{})
	if err == nil || !strings.Contains(err.Error(), "no box") {
		t.Errorf("error %v, want the first one", err)
	}
}

func TestJudgeNotifies(t *testing.T) {
	t.Parallel()
	var (
		mu     sync.Mutex
		events []string
		output = make(map[string]string)
	)
	s := submission(3, "complain c", "print ok", "case 2 exit 1")
	s.StopOnFailure = true
	_, err := judge.Judge(t.Context(), sandboxtest.NewFake(), s, judge.Options{
		Notify: func(e judge.Event) {
			if e.Compiled != nil {
				events = append(events, fmt.Sprint("compiled ", e.Compiled.OK()))
			} else {
				events = append(events, e.Test.ID+" "+string(e.Test.Verdict))
			}
		},
		Output: func(test string, s sandbox.Stream, p []byte) {
			mu.Lock()
			defer mu.Unlock()
			output[test+" "+string(s)] += string(p)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(events, ", "), "compiled true, 1 accepted, 2 runtime_error"; got != want {
		t.Errorf("events %q, want %q", got, want)
	}
	want := map[string]string{"1 stdout": "ok\n", "1 stderr": "c\n", "2 stdout": "ok\n", "2 stderr": "c\n"}
	if fmt.Sprint(output) != fmt.Sprint(want) {
		t.Errorf("output %q", output)
	}
}

func TestJudgeCutsTheReportsOutput(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 1000)
	s := submission(3, "print "+text, "complain "+text)
	for i := range s.Tests {
		expected := sandbox.Text(text)
		s.Tests[i].Expected = &expected
	}
	r, err := judge.Judge(t.Context(), sandboxtest.NewFake(), s, judge.Options{OutputBytes: 2000})
	if err != nil || r.Verdict != accepted {
		t.Fatalf("verdict %s, error %v: the cut must come after the check", r.Verdict, err)
	}
	for _, test := range r.Tests {
		o := test.Outcome
		if len(o.Stdout) != 250 || len(o.Stderr) != 250 || !o.StdoutTruncated || !o.StderrTruncated {
			t.Errorf("kept %d and %d bytes, truncated %t and %t", len(o.Stdout), len(o.Stderr), o.StdoutTruncated, o.StderrTruncated)
		}
	}
}

func TestJudgeNoTests(t *testing.T) {
	t.Parallel()
	r, err := judge.Judge(t.Context(), sandboxtest.NewFake(), submission(0, "print ok"), judge.Options{})
	if err != nil || r.Verdict != accepted || r.MaxScore != 0 {
		t.Errorf("report %+v, error %v", r, err)
	}
}

// TestJudgeProperties holds any mix of test ends against what a report must say of it.
func TestJudgeProperties(t *testing.T) {
	t.Parallel()
	ends := map[string]sandbox.Verdict{
		"print ok": accepted, "print o k": presentation, "print no": wrong, "exit 1": sandbox.RuntimeError,
		"exceed cpu": sandbox.TimeLimitExceeded, "exceed memory": sandbox.MemoryLimitExceeded, "exceed output": sandbox.OutputLimitExceeded,
	}
	commands := rapid.SampledFrom([]string{"print ok", "print ok", "print ok", "print o k", "print no", "exit 1", "exceed cpu", "exceed memory", "exceed output"})
	rapid.Check(t, func(t *rapid.T) {
		chosen := rapid.SliceOfN(commands, 0, 12).Draw(t, "tests")
		var script []string
		for i, command := range chosen {
			script = append(script, fmt.Sprintf("case %d %s", i+1, command))
		}
		s := submission(len(chosen), script...)
		s.Language.ParallelTests = rapid.IntRange(0, 4).Draw(t, "parallel")
		s.StopOnFailure = rapid.Bool().Draw(t, "stop")
		r, err := judge.Judge(t.Context(), sandboxtest.NewFake(), s, judge.Options{})
		if err != nil {
			t.Fatal(err)
		}
		worst, score, skipping := accepted, 0.0, false
		for i, test := range r.Tests {
			skipped := test.Verdict == sandbox.Skipped
			switch {
			case !skipped && test.Verdict != ends[chosen[i]]:
				t.Fatalf("test %d (%s): %s", i+1, chosen[i], test.Verdict)
			case skipped && (!s.StopOnFailure || worst == accepted):
				t.Fatalf("test %d was skipped without a failure before it", i+1)
			case !skipped && skipping:
				t.Fatalf("test %d was run after a skipped one", i+1)
			case !skipped && s.StopOnFailure && s.Language.ParallelTests == 1 && worst != accepted:
				t.Fatalf("test %d was run after a failed one", i+1)
			}
			skipping = skipping || skipped
			worst = sandbox.Worse(worst, test.Verdict)
			if test.Verdict == accepted {
				score += s.Tests[i].Weight
			}
		}
		if r.Verdict != worst || r.Score != score {
			t.Fatalf("verdict %s and score %v, want %s and %v", r.Verdict, r.Score, worst, score)
		}
	})
}
