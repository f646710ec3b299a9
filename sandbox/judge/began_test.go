package judge_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/sandbox/sandboxtest"
)

// What began is told of its end: the compile first, then each test that is run; where the Runner fails, why.
func TestJudgeTellsWhatBegan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script, want []string
	}{
		{[]string{"print ok"}, []string{"compile", "compiled", "1", "1 accepted", "2", "2 accepted"}},
		{[]string{"prepare exit 1"}, []string{"compile", "compiled"}},
		{[]string{"prepare error broken"}, []string{"compile", "compile failed"}},
		{[]string{"case 2 error broken", "print ok"}, []string{"compile", "compiled", "1", "1 accepted", "2", "2 failed"}},
	} {
		var told []string
		began := func(test *sandbox.TestCase) func(judge.Event, error) {
			name := "compile"
			if test != nil {
				name = test.ID
			}
			told = append(told, name)
			return func(e judge.Event, err error) {
				switch {
				case err != nil:
					told = append(told, name+" failed")
				case e.Test != nil:
					told = append(told, e.Test.ID+" "+string(e.Test.Verdict))
				case e.Compiled != nil:
					told = append(told, "compiled")
				}
			}
		}
		_, _ = judge.Judge(t.Context(), sandboxtest.NewFake(), submission(2, c.script...), judge.Options{Began: began})
		if !slices.Equal(told, c.want) {
			t.Errorf("%q tells %q, want %q", c.script, told, c.want)
		}
	}
}

// fixed is a Runner whose programs do nothing, at no cost.
type fixed struct{}

func (f fixed) Prepare(context.Context, sandbox.Language, sandbox.Source, sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	return f, sandbox.Outcome{}, nil
}

func (fixed) Run(_ context.Context, in sandbox.Input, _ sandbox.Limits) (sandbox.Outcome, error) {
	if in.Output != nil {
		return sandbox.Outcome{}, errors.New("nobody listens")
	}
	return sandbox.Outcome{Stdout: []byte("ok")}, nil
}

func (fixed) Close() error { return nil }

// BenchmarkJudge is what judging itself costs where nobody is told of anything.
func BenchmarkJudge(b *testing.B) {
	s := submission(10)
	b.ReportAllocs()
	for b.Loop() {
		if r, err := judge.Judge(b.Context(), fixed{}, s, judge.Options{}); err != nil || r.Verdict != sandbox.Accepted {
			b.Fatal(r.Verdict, err)
		}
	}
}
