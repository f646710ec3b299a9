package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"optimus/modes/worker"
	"optimus/sandbox"
	"optimus/store"
)

func TestReportOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		stop bool
	}{{"while it works", false}, {"while it stops", true}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(nil)
			failures := 0
			tried := make(chan struct{})
			b.q.before = func(_ context.Context, call string) error {
				if call != "finish" {
					return nil
				}
				if failures++; failures == 2 {
					close(tried)
				}
				if failures < 5 {
					return store.ErrUnavailable
				}
				return nil
			}
			b.start(t)
			id := b.q.submit("print ok")
			receive(t, "two tries", tried)
			if tt.stop {
				b.Stop(t.Context())
			}
			b.q.untilState(t, id, store.Completed)
			if e := b.q.entry(id); len(e.reports) != 1 {
				t.Errorf("%d reports", len(e.reports))
			}
		})
	}
}

func TestReportWhoseAnswerWasLostIsStoredOnce(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	b.q.after = func(call string) error {
		if call == "finish" {
			return store.ErrUnavailable
		}
		return nil
	}
	b.start(t)
	id := b.q.submit("print ok")
	b.untilStats(t, "the second try is refused", func(s worker.Stats) bool { return s.LeasesLost == 1 })
	if e := b.q.entry(id); len(e.reports) != 1 || len(e.backs) != 0 {
		t.Errorf("%d reports, given back %+v", len(e.reports), e.backs)
	}
}

func TestReportThatIsNeverTakenIsAbandoned(t *testing.T) {
	t.Parallel()
	b := setup(func(o *worker.Options) { o.ReportFor = time.Millisecond })
	b.q.before = func(_ context.Context, call string) error {
		if call == "finish" {
			return store.ErrSchema
		}
		return nil
	}
	b.start(t)
	b.q.submit("print ok")
	b.untilStats(t, "the job is left", func(s worker.Stats) bool { return s.Abandoned == 1 && s.Busy == 0 })
}

func TestTooLargeReportLosesItsOutput(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	b.q.maxBytes = 1000
	b.start(t)
	id := b.q.submit("print " + strings.Repeat("x", 2000))
	b.q.untilState(t, id, store.Completed)
	o := b.q.entry(id).reports[0].Tests[0].Outcome
	if len(o.Stdout) != 0 || !o.StdoutTruncated {
		t.Errorf("outcome %+v", o)
	}
}

func TestRunnerFailuresAreCountedAndDeadLettered(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, script, reason string }{
		{"runner fails", "error no box", "no box"},
		{"image is missing", "no-image", sandbox.ErrImageMissing.Error()},
		{"runner panics", "panic at the disco", "at the disco"},
		{"compile fails inside", "prepare error no box", "no box"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := running(t, nil)
			id := b.q.submit(tt.script)
			b.q.untilState(t, id, store.Failed)
			e := b.q.entry(id)
			if len(e.reports) != 0 || len(e.backs) != 3 {
				t.Fatalf("%d reports, given back %d times", len(e.reports), len(e.backs))
			}
			for _, g := range e.backs {
				if !g.Counted || !strings.Contains(g.Reason, tt.reason) || g.Report == nil || g.Report.Verdict != sandbox.InternalError || g.Report.Worker != "w1" {
					t.Errorf("given back as %+v", g)
				}
			}
		})
	}
}

// TestAMachineThatCanRunNothing: its jobs wait, and lose no attempt.
func TestAMachineThatCanRunNothing(t *testing.T) {
	t.Parallel()
	b := running(t, nil)
	id := b.q.submit("unavailable")
	b.q.until(t, "the job is given back twice", func() bool { return len(b.q.jobs[id].backs) > 1 })
	for _, g := range b.q.entry(id).backs {
		if g.Counted || g.Report != nil || !strings.Contains(g.Reason, sandbox.ErrUnavailable.Error()) {
			t.Errorf("given back as %+v", g)
		}
	}
}
