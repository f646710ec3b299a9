package storetest

import (
	"errors"
	"time"

	"optimus/store"
)

func limitChecks() []check {
	three := func(o *store.Options) { o.TenantQueued = 3 }
	return []check{
		{name: "limit/a tenant's share of a queue", options: three, run: checkTenantQueued},
		{name: "limit/it holds in whichever state", options: three, run: checkTenantQueuedStates},
		{name: "limit/it holds after a restart", options: three, run: checkTenantQueuedReopened, reopens: true},
		{name: "limit/a queue that is drained", run: checkDrained},
	}
}

// refuses checks that tenant a may submit nothing more.
func (e *env) refuses() {
	e.Helper()
	_, _, err := e.s.Submit(e.ctx(), newJob("a", rust()))
	full := &store.QueueFullError{}
	if !errors.Is(err, store.ErrQueueFull) || !errors.As(err, &full) {
		e.Errorf("a submission over the tenant's share gave %v", err)
		return
	}
	if full.Queue != queueName || full.TenantQueued != e.o.TenantQueued || full.Depth != 0 || full.Bytes != 0 || full.RetryAfter < time.Second {
		e.Errorf("it says %+v", full)
	}
}

func checkTenantQueued(e *env) {
	for range 3 {
		e.submitted("a")
	}
	e.refuses()
	e.submitted("b")
	e.submitted("")
	other := newJob("a", python())
	other.Queue = "other"
	e.submit(other)
	e.refuses()
	if n := e.queue().Totals.RejectedFull; n != 2 {
		e.Errorf("%d refusals are counted, want 2", n)
	}
}

// checkTenantQueuedStates: a job counts until it ends, and anew once it is re-driven.
func checkTenantQueuedStates(e *env) {
	ids := []store.ID{e.submitted("a").ID, e.submitted("a").ID, e.submitted("a").ID}
	c := e.claim()
	e.refuses() // it runs
	e.giveBack(c, true)
	e.refuses() // it is delayed
	e.cancel(ids[1])
	n := newJob("a", python())
	n.MaxAttempts = 1
	ids = append(ids, e.submit(n).ID)
	e.refuses()
	e.cancel(ids[2])
	c = e.claim()
	if c.Job.ID != ids[3] {
		e.Fatalf("claimed %s, want %s", c.Job.ID, ids[3])
	}
	e.fail(c)
	e.submitted("a")
	e.submitted("a")
	e.refuses()
	e.redrive(ids[3]) // what was in the store once is not refused
	e.refuses()
}

func checkTenantQueuedReopened(e *env) {
	for range 3 {
		e.submitted("a")
	}
	e.reopen(nil)
	e.refuses()
	e.finish(e.claim())
	e.submitted("a")
	e.refuses()
	e.reopen(func(o *store.Options) { o.TenantQueued = 4 })
	e.submitted("a")
	e.refuses()
}

func checkDrained(e *env) {
	known := e.submit(keyed("a", "k", 1))
	e.submitted("a")
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueueDraining), "drain")
	if q := e.queue(); q.State != store.QueueDraining {
		e.Errorf("the queue is %s", q.State)
	}
	_, _, err := e.s.Submit(e.ctx(), newJob("a", python()))
	e.wants(err, store.ErrQueueDrained, "a submission to a queue that is drained")
	if j, replayed, err := e.s.Submit(e.ctx(), keyed("a", "k", 1)); err != nil || !replayed || j.ID != known.ID {
		e.Errorf("a replay gave %s, %v, %v", j.ID, replayed, err)
	}
	other := newJob("a", python())
	other.Queue = "other"
	e.submit(other)
	c := e.claim()
	e.giveBack(c, false)
	for _, c := range e.claims(2) {
		e.finish(c)
	}
	if q := e.queue(); q.Completed+q.Ready != 2 || q.Totals.Submitted != 2 {
		e.Errorf("figures: %+v", q)
	}
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueueRunning), "resume")
	e.submitted("a")
	e.wants(e.s.SetQueueState(e.ctx(), "nowhere", store.QueueDraining), store.ErrNotFound, "drain of no queue")
	e.wants(e.s.SetQueueState(e.ctx(), queueName, "asleep"), store.ErrInvalid, "an odd state")
}
