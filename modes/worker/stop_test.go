package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"optimus/modes/worker"
	"optimus/store"
)

func TestStopLetsRunningJobsEnd(t *testing.T) {
	t.Parallel()
	b := running(t, nil)
	first := b.q.submit("wait gate", "print ok")
	receive(t, "the run", b.fake.Gate("gate").Reached())
	second := b.q.submit("print ok")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		b.Stop(t.Context())
	}()
	b.fake.Gate("gate").Open()
	receive(t, "the stop", stopped)
	if err := receive(t, "the end", b.ended); err != nil {
		t.Error(err)
	}
	if s := b.q.entry(first).job.State; s != store.Completed {
		t.Errorf("the running job is %s", s)
	}
	// It was claimed before the stop and then finished, or it was given back uncounted.
	e := b.q.entry(second)
	finished := e.job.State == store.Completed && e.job.Counted == 1
	handedBack := e.job.State == store.Queued && e.job.Counted == 0
	if !finished && !handedBack {
		t.Errorf("the other job is %s with %d attempts counted", e.job.State, e.job.Counted)
	}
}

func TestAfterTheGraceJobsAreHandedBack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		stop func(*bench, context.Context)
	}{
		{"grace runs out", func(b *bench, ctx context.Context) { b.Stop(ctx) }},
		{"told to stop now", func(b *bench, ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			b.Stop(ctx)
		}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := running(t, func(o *worker.Options) {
				o.Slots, o.Grace = 2, time.Hour
				if i == 0 {
					o.Grace = 10 * time.Millisecond
				}
			})
			ids := []store.ID{b.q.submit("wait for ever"), b.q.submit("prepare wait for ever")}
			for range ids {
				receive(t, "a run", b.fake.Gate("for ever").Reached())
			}
			tt.stop(b, t.Context())
			if err := receive(t, "the end", b.ended); err != nil {
				t.Error(err)
			}
			for _, id := range ids {
				e := b.q.entry(id)
				if e.job.State != store.Queued || len(e.backs) != 1 || e.backs[0].Counted || len(e.reports) != 0 {
					t.Errorf("job is %s, given back %+v", e.job.State, e.backs)
				}
			}
			if got := b.fake.Stats(); got.Active != 0 || got.Open != 0 {
				t.Errorf("left behind: %+v", got)
			}
		})
	}
}

func TestStopIsBoundedWhereTheRunnerHangs(t *testing.T) {
	t.Parallel()
	b := running(t, func(o *worker.Options) { o.Grace, o.HandBack = time.Millisecond, 10*time.Millisecond })
	b.q.submit("linger stuck")
	receive(t, "the run", b.fake.Gate("stuck").Reached())
	b.Stop(t.Context())
	if err := receive(t, "the end", b.ended); err == nil || !strings.Contains(err.Error(), "1 jobs") {
		t.Errorf("error %v, want one that tells of the job", err)
	}
	b.fake.Gate("stuck").Open()
}

func TestClaimMadeWhileStoppingIsHandedBack(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	inClaim, stopping := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.q.before = func(ctx context.Context, call string) error {
		if call == "claim" {
			once.Do(func() { close(inClaim) })
			<-stopping
			return ctx.Err()
		}
		return nil
	}
	id := b.q.submit("print ok")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { b.ended <- b.Run(ctx) }()
	receive(t, "the claim", inClaim)
	cancel()
	close(stopping)
	if err := receive(t, "the end", b.ended); err != nil {
		t.Error(err)
	}
	if e := b.q.entry(id); e.job.State != store.Queued || len(e.backs) != 1 || e.backs[0].Counted {
		t.Errorf("job is %s, given back %+v", e.job.State, e.backs)
	}
}

func TestRunTwiceAndAgain(t *testing.T) {
	t.Parallel()
	b := running(t, nil)
	b.q.untilIdle(t)
	if err := b.Run(t.Context()); !errors.Is(err, worker.ErrRunning) {
		t.Errorf("a second Run: %v", err)
	}
	b.Stop(t.Context())
	b.Stop(t.Context())
	if err := receive(t, "the end", b.ended); err != nil {
		t.Error(err)
	}
	b.start(t)
	id := b.q.submit("print ok")
	b.q.untilState(t, id, store.Completed)
}

func TestConcurrentStartStop(t *testing.T) {
	t.Parallel()
	b := setup(func(o *worker.Options) { o.Slots = 2 })
	b.Stop(t.Context()) // legal before any start
	var ids []store.ID
	for range 100 {
		ids = append(ids, b.q.submit("print ok"))
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for i := range 50 {
				ctx, cancel := context.WithCancel(t.Context())
				ran := make(chan error, 1)
				go func() { ran <- b.Run(ctx) }()
				if i%2 == 0 {
					cancel()
				} else {
					b.Stop(t.Context())
				}
				cancel()
				if err := <-ran; err != nil && !errors.Is(err, worker.ErrRunning) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.start(t)
	for _, id := range ids {
		b.q.untilState(t, id, store.Completed)
		if e := b.q.entry(id); len(e.reports) != 1 || e.job.Counted != 1 {
			t.Errorf("%d reports, %d attempts counted, want one of each", len(e.reports), e.job.Counted)
		}
	}
}
