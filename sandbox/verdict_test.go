package sandbox_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"optimus/sandbox"
)

func TestWorse(t *testing.T) {
	t.Parallel()
	all := sandbox.Verdicts()
	for i, a := range all {
		for j, b := range all {
			if got, want := sandbox.Worse(a, b), all[max(i, j)]; got != want {
				t.Errorf("Worse(%s, %s) is %s, want %s", a, b, got, want)
			}
		}
		if sandbox.Worse("", a) != a || sandbox.Worse(a, "") != a || !a.Valid() {
			t.Errorf("%s must be valid and worse than nothing", a)
		}
	}
	if sandbox.Verdict("fine").Valid() || sandbox.Verdict("").Valid() {
		t.Error("unknown verdicts are valid")
	}
}

func TestOutcomeVerdict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		outcome sandbox.Outcome
		want    sandbox.Verdict
	}{
		{"ended well", sandbox.Outcome{}, sandbox.Accepted},
		{"status", sandbox.Outcome{ExitCode: 1}, sandbox.RuntimeError},
		{"signal", sandbox.Outcome{Signal: 11}, sandbox.RuntimeError},
		{"a bare 137", sandbox.Outcome{ExitCode: 137}, sandbox.RuntimeError},
		{"a bare SIGKILL", sandbox.Outcome{Signal: 9}, sandbox.RuntimeError},
		{"CPU", sandbox.Outcome{Exceeded: sandbox.CPULimit, Signal: 9}, sandbox.TimeLimitExceeded},
		{"wall", sandbox.Outcome{Exceeded: sandbox.WallLimit, Signal: 9}, sandbox.TimeLimitExceeded},
		{"memory", sandbox.Outcome{Exceeded: sandbox.MemoryLimit, Signal: 9}, sandbox.MemoryLimitExceeded},
		{"memory, and ended well", sandbox.Outcome{Exceeded: sandbox.MemoryLimit}, sandbox.MemoryLimitExceeded},
		{"output", sandbox.Outcome{Exceeded: sandbox.OutputLimit, Signal: 9}, sandbox.OutputLimitExceeded},
		{"cut output alone is for the judge", sandbox.Outcome{StdoutTruncated: true}, sandbox.Accepted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.outcome.Verdict(); got != tt.want || tt.outcome.OK() != (tt.want == sandbox.Accepted) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWorseIsAnOrder(t *testing.T) {
	t.Parallel()
	verdicts := rapid.SampledFrom(sandbox.Verdicts())
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(verdicts, 1, 8).Draw(t, "verdicts")
		fold := func(list []sandbox.Verdict) (worst sandbox.Verdict) {
			for _, v := range list {
				worst = sandbox.Worse(worst, v)
			}
			return worst
		}
		worst := fold(list)
		slices.Reverse(list)
		if !slices.Contains(list, worst) || fold(list) != worst {
			t.Fatalf("the worst of %v is %s, or another", list, worst)
		}
	})
}
