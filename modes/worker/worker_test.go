package worker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/modes/worker"
	"optimus/sandbox"
	"optimus/sandbox/sandboxtest"
	"optimus/store"
)

// bench is a worker on a queue in memory and a scripted runner.
type bench struct {
	*worker.Worker
	q     *queue
	fake  *sandboxtest.Fake
	ended chan error // of Run
}

// setup makes a worker that is not running. Nothing but a wake-up tells it of jobs: its poll
// comes too late for any test.
func setup(change func(*worker.Options)) *bench {
	b := &bench{q: newQueue(), fake: sandboxtest.NewFake(), ended: make(chan error, 1)}
	o := worker.Options{
		Queue: b.q, Runner: b.fake, Log: zerolog.Nop(), Name: "w1", Version: "v1", Lanes: lanes,
		Poll: time.Hour, Lease: time.Minute, FlushEvery: 10 * time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	b.Worker = worker.New(o)
	return b
}

func (b *bench) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		b.ended <- b.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		b.Stop(ctx)
		<-stopped
	})
}

func running(t *testing.T, change func(*worker.Options)) *bench {
	t.Helper()
	b := setup(change)
	b.start(t)
	return b
}

func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func (b *bench) untilStats(t *testing.T, what string, holds func(worker.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(b.Stats()); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s: %+v", what, b.Stats())
		}
		time.Sleep(time.Millisecond) // the counts have no signal
	}
}

func TestJudgesWhatWaitedAndWhatComes(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	first := b.q.submit("print ok")
	second := b.q.submit("print no")
	b.start(t)
	b.q.untilState(t, first, store.Completed)
	b.q.untilState(t, second, store.Completed)
	b.q.untilIdle(t)
	third := b.q.submit("exit 1")
	b.q.untilState(t, third, store.Completed)
	for id, want := range map[store.ID]sandbox.Verdict{
		first: sandbox.Accepted, second: sandbox.WrongAnswer, third: sandbox.RuntimeError,
	} {
		e := b.q.entry(id)
		if len(e.reports) != 1 || e.reports[0].Verdict != want || e.reports[0].Worker != "w1" {
			t.Errorf("reports %+v, want one with %s", e.reports, want)
		}
	}
}

func TestRegistersItself(t *testing.T) {
	t.Parallel()
	b := running(t, func(o *worker.Options) { o.Slots, o.Heartbeat = 3, 5*time.Millisecond })
	b.q.submit("wait gate")
	receive(t, "the run", b.fake.Gate("gate").Reached())
	b.q.until(t, "a heartbeat tells of the busy slot", func() bool {
		last := len(b.q.beats) - 1
		return last > 0 && b.q.beats[last].Busy == 1
	})
	got := b.q.beats[0]
	if got.Name != "w1" || got.Version != "v1" || got.Slots != 3 || len(got.Lanes) != 1 || got.Started.IsZero() {
		t.Errorf("registered as %+v", got)
	}
}

func TestClaimsUpToItsSlots(t *testing.T) {
	t.Parallel()
	b := setup(func(o *worker.Options) { o.Slots = 3 })
	var ids []store.ID
	for range 7 {
		ids = append(ids, b.q.submit("wait gate", "print ok"))
	}
	b.start(t)
	for range 3 {
		receive(t, "a run", b.fake.Gate("gate").Reached())
	}
	if got := b.Stats(); got.Busy != 3 || got.Claimed != 3 {
		t.Errorf("stats %+v, want 3 slots busy", got)
	}
	b.q.set(func() {
		if b.q.waiting != 0 {
			t.Error("a busy worker waits to be woken, which keeps jobs from idle ones")
		}
	})
	b.fake.Gate("gate").Open()
	for _, id := range ids {
		b.q.untilState(t, id, store.Completed)
	}
	if got := b.fake.Stats(); got.MostRuns != 3 {
		t.Errorf("%d runs at once, want 3", got.MostRuns)
	}
}

// A store may wake a waiter for a moment after its wait was ended. That wake-up is lost to all.
func TestLosesNoWakeUpToAnEndedWait(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	b.q.lag = 3 * time.Millisecond
	b.start(t)
	for i := range 50 {
		id := b.q.submit("print ok")
		b.q.untilState(t, id, store.Completed)
		<-time.After(time.Duration(i%5) * time.Millisecond) // the next one comes at another moment each time
	}
}

func TestClaimsOnlyWhenItHasLanes(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex
		have []store.Lane
	)
	b := setup(func(o *worker.Options) {
		o.Poll = 5 * time.Millisecond
		o.Lanes = func() []store.Lane {
			mu.Lock()
			defer mu.Unlock()
			return have
		}
	})
	id := b.q.submit("print ok")
	b.start(t)
	b.q.until(t, "it has registered", func() bool { return len(b.q.beats) > 0 })
	if n := b.q.entry(id).job.State; n != store.Queued {
		t.Errorf("job is %s without a lane", n)
	}
	mu.Lock()
	have = lanes()
	mu.Unlock()
	b.q.untilState(t, id, store.Completed)
}

func TestCancelStopsTheRunAndReports(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("the store tells of it: %t", told), func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{}, 1)
			b := running(t, func(o *worker.Options) {
				o.Lease = 150 * time.Millisecond // renewed soon enough without being told
				if q, ok := o.Queue.(*queue); ok && told {
					o.Queue, o.Lease = notifyingQueue{q, asked}, time.Hour
				}
			})
			id := b.q.submit("print ok", "wait for ever")
			receive(t, "the run", b.fake.Gate("for ever").Reached())
			b.q.askCancel(id)
			asked <- struct{}{}
			b.q.untilState(t, id, store.Cancelled)
			e := b.q.entry(id)
			if len(e.reports) != 1 || e.reports[0].Verdict != sandbox.Cancelled || e.reports[0].Tests[0].Verdict != sandbox.Cancelled {
				t.Errorf("reports %+v", e.reports)
			}
		})
	}
}

func TestLostLeaseStopsTheRunAndReportsNothing(t *testing.T) {
	t.Parallel()
	b := running(t, func(o *worker.Options) { o.Lease = 30 * time.Millisecond })
	id := b.q.submit("wait for ever")
	receive(t, "the run", b.fake.Gate("for ever").Reached())
	b.q.endElsewhere(id)
	b.untilStats(t, "the lease is lost", func(s worker.Stats) bool { return s.LeasesLost == 1 && s.Busy == 0 })
	if e := b.q.entry(id); len(e.reports)+len(e.backs) != 0 {
		t.Errorf("reported %+v, gave back %+v", e.reports, e.backs)
	}
	if got := b.fake.Stats(); got.Active != 0 || got.Open != 0 {
		t.Errorf("left behind: %+v", got)
	}
}

func TestSlotIsBusyUntilTheRunnerIsIdle(t *testing.T) {
	t.Parallel()
	b := running(t, func(o *worker.Options) { o.Lease = 30 * time.Millisecond })
	first := b.q.submit("linger slow")
	receive(t, "the run", b.fake.Gate("slow").Reached())
	b.q.endElsewhere(first)
	second := b.q.submit("print ok")
	told := b.q.count("renew") + 1
	b.q.until(t, "the worker was told", func() bool { return b.q.calls["renew"] >= told })
	if s := b.q.entry(second).job.State; s != store.Queued {
		t.Errorf("the second job is %s while the slot's run has not ended", s)
	}
	b.fake.Gate("slow").Open()
	b.q.untilState(t, second, store.Completed)
}

func TestFrozenWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	thaw := make(chan struct{})
	b := setup(func(o *worker.Options) { o.Lease = 300 * time.Millisecond })
	b.q.before = func(_ context.Context, call string) error {
		if call == "renew" {
			<-thaw
		}
		return nil
	}
	b.start(t)
	id := b.q.submit("wait gate", "print ok")
	receive(t, "the run", b.fake.Gate("gate").Reached())
	b.q.endElsewhere(id)       // its lease ran out, and another worker was quicker
	b.fake.Gate("gate").Open() // the late report comes before any renewal
	b.untilStats(t, "the late report is refused", func(s worker.Stats) bool { return s.LeasesLost == 1 })
	close(thaw)
	if e := b.q.entry(id); len(e.reports)+len(e.backs) != 0 {
		t.Errorf("reported %+v, gave back %+v", e.reports, e.backs)
	}
}

func TestClaimsGoOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	failures := 0
	b.q.before = func(_ context.Context, call string) error {
		if failures++; failures < 8 && call != "heartbeat" {
			return store.ErrUnavailable
		}
		return nil
	}
	b.q.before = serial(b.q.before)
	id := b.q.submit("print ok")
	b.start(t)
	b.q.untilState(t, id, store.Completed)
}

func serial(f func(context.Context, string) error) func(context.Context, string) error {
	var mu sync.Mutex
	return func(ctx context.Context, call string) error {
		mu.Lock()
		defer mu.Unlock()
		return f(ctx, call)
	}
}

func TestManyWorkersJudgeEachJobOnce(t *testing.T) {
	t.Parallel()
	q := newQueue()
	var calls int
	q.before = serial(func(_ context.Context, call string) error {
		if calls++; calls%7 == 0 {
			return fmt.Errorf("%s: %w", call, store.ErrUnavailable)
		}
		return nil
	})
	for i := range 4 {
		running(t, func(o *worker.Options) {
			o.Queue, o.Name, o.Slots, o.Poll = q, fmt.Sprint("w", i), 2, 20*time.Millisecond
		})
	}
	var ids []store.ID
	for range 200 {
		ids = append(ids, q.submit("print ok"))
	}
	for _, id := range ids {
		q.untilState(t, id, store.Completed)
		if e := q.entry(id); len(e.reports) != 1 || len(e.backs) != 0 {
			t.Errorf("%d reports, given back %d times", len(e.reports), len(e.backs))
		}
	}
}
