package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/sandbox/sandboxtest"
	"optimus/store"
)

// queue is a small store in memory: first in, first out, with leases that end when a test says so.
type queue struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and made anew with every change
	jobs     map[store.ID]*entry
	order    []store.ID
	token    uint64
	wakers   []chan struct{}
	waiting  int
	calls    map[string]int
	beats    []store.Worker
	maxBytes int
	lag      time.Duration // until a wait that has ended is forgotten
	// before is called with each call's name, outside the lock; its error is the call's.
	before func(ctx context.Context, call string) error
	// after likewise, once the call has had its effect.
	after func(call string) error
}

type entry struct {
	job     store.Job
	lease   store.Lease
	cancel  bool
	reports []sandbox.Report
	backs   []store.GiveBack
	events  []store.Event
	dead    bool
}

func newQueue() *queue {
	return &queue{changed: make(chan struct{}), jobs: make(map[store.ID]*entry), calls: make(map[string]int)}
}

// notifyingQueue also tells of cancellations.
type notifyingQueue struct {
	*queue
	asked chan struct{}
}

func (q notifyingQueue) Cancellations(context.Context) (<-chan struct{}, error) { return q.asked, nil }

func (q *queue) call(ctx context.Context, name string) error {
	q.mu.Lock()
	q.calls[name]++
	before := q.before
	q.touch()
	q.mu.Unlock()
	if before != nil {
		return before(ctx, name)
	}
	return nil
}

func (q *queue) count(call string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls[call]
}

func (q *queue) touch() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) answer(call string) error {
	if q.after != nil {
		return q.after(call)
	}
	return nil
}

// submit queues a job with one test that expects "ok", and wakes one waiting worker.
func (q *queue) submit(script ...string) store.ID {
	expected := sandbox.Text("ok")
	id := store.NewID(time.Now(), 1, 1)
	s := sandbox.Submission{
		Language: sandbox.Language{Name: "fake"}, Source: sandboxtest.Script(script...),
		Tests: []sandbox.TestCase{{ID: "1", Expected: &expected, Weight: 1}},
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[id] = &entry{job: store.Job{ID: id, Queue: "q", Lane: lanes()[0], State: store.Queued, MaxAttempts: 3, Submission: &s}}
	q.order = append(q.order, id)
	q.wakeOne()
	q.touch()
	return id
}

func (q *queue) wakeOne() {
	for _, w := range q.wakers {
		select {
		case w <- struct{}{}:
			return
		default:
		}
	}
}

func lanes() []store.Lane { return []store.Lane{{Language: "fake", Tier: sandbox.Shared}} }

func (q *queue) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claim, error) {
	if err := q.call(ctx, "claim"); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var claims []store.Claim
	for _, id := range q.order {
		e := q.jobs[id]
		if len(claims) == r.Max || e.job.State != store.Queued || !slices.Contains(r.Lanes, e.job.Lane) {
			continue
		}
		q.token++
		e.job.Counted++
		e.lease, e.job.State = store.Lease{Job: id, Token: q.token}, store.Running
		claims = append(claims, store.Claim{Lease: e.lease, Job: e.job})
	}
	q.touch()
	return claims, q.answer("claim")
}

func (q *queue) Wake(ctx context.Context, _ []store.Lane) (<-chan struct{}, error) {
	if err := q.call(ctx, "wake"); err != nil {
		return nil, err
	}
	woken := make(chan struct{}, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakers = append(q.wakers, woken)
	q.waiting++
	q.touch()
	lag := q.lag
	context.AfterFunc(ctx, func() {
		<-time.After(lag)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.wakers = slices.DeleteFunc(q.wakers, func(c chan struct{}) bool { return c == woken })
		q.waiting--
		q.touch()
		close(woken)
	})
	return woken, nil
}

func (q *queue) holder(l store.Lease) (*entry, error) {
	e := q.jobs[l.Job]
	if e == nil || e.lease != l || e.job.State != store.Running {
		return nil, fmt.Errorf("job %s: %w", l.Job, store.ErrLeaseLost)
	}
	return e, nil
}

func (q *queue) Renew(ctx context.Context, leases []store.Lease, _ time.Duration) ([]store.Renewal, error) {
	if err := q.call(ctx, "renew"); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	renewals := make([]store.Renewal, 0, len(leases))
	for _, l := range leases {
		e, err := q.holder(l)
		renewals = append(renewals, store.Renewal{Lost: err != nil, CancelRequested: err == nil && e.cancel})
	}
	return renewals, nil
}

func (q *queue) Progress(ctx context.Context, l store.Lease, events ...store.Event) error {
	if err := q.call(ctx, "progress"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.holder(l)
	if err != nil {
		return err
	}
	e.events = append(e.events, events...)
	q.touch()
	return nil
}

func (q *queue) Finish(ctx context.Context, l store.Lease, r sandbox.Report, events ...store.Event) error {
	if err := q.call(ctx, "finish"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.holder(l)
	if err != nil {
		return err
	}
	if encoded, err := json.Marshal(r); err != nil || q.maxBytes > 0 && len(encoded) > q.maxBytes {
		return fmt.Errorf("report of %d bytes: %w", len(encoded), store.ErrTooLarge)
	}
	e.events = append(e.events, events...)
	e.reports = append(e.reports, r)
	e.job.State = store.Completed
	if r.Verdict == sandbox.Cancelled && e.cancel {
		e.job.State = store.Cancelled
	}
	q.touch()
	return q.answer("finish")
}

func (q *queue) GiveBack(ctx context.Context, l store.Lease, g store.GiveBack) error {
	if err := q.call(ctx, "give back"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e, err := q.holder(l)
	if err != nil {
		return err
	}
	e.backs = append(e.backs, g)
	e.job.State = store.Queued
	if !g.Counted {
		e.job.Counted--
	}
	if g.Counted && e.job.Counted >= e.job.MaxAttempts {
		e.job.State, e.dead = store.Failed, true
	} else {
		q.wakeOne()
	}
	q.touch()
	return q.answer("give back")
}

func (q *queue) Heartbeat(ctx context.Context, w store.Worker, _ time.Duration) error {
	if err := q.call(ctx, "heartbeat"); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.beats = append(q.beats, w)
	q.touch()
	return nil
}

// endElsewhere ends a job as if another worker had reported it.
func (q *queue) endElsewhere(id store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[id].job.State = store.Completed
	q.touch()
}

func (q *queue) askCancel(id store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs[id].cancel = true
	q.touch()
}

func (q *queue) set(change func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change()
}

// entry gives a copy of what is known of a job.
func (q *queue) entry(id store.ID) entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	return *q.jobs[id]
}

// until waits until a condition on the queue holds, which is looked at under its lock.
func (q *queue) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		q.mu.Lock()
		ok, changed := holds(), q.changed
		q.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func (q *queue) untilState(t *testing.T, id store.ID, s store.State) {
	t.Helper()
	q.until(t, "the job is "+string(s), func() bool { return q.jobs[id].job.State == s })
}

func (q *queue) untilIdle(t *testing.T) {
	t.Helper()
	q.until(t, "a worker waits", func() bool { return q.waiting > 0 })
}
