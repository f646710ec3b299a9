package storetest

import (
	"slices"
	"sync"

	"optimus/store"
)

func endedChecks() []check {
	return []check{
		{name: "ended/whoever ends a job", run: checkEnded},
		{name: "ended/a cancellation and the last attempt", options: func(o *store.Options) { o.MaxAttempts = 1 }, run: checkEndedByBoth},
		{name: "ended/the sweeper's dead letters", options: func(o *store.Options) { o.MaxAttempts = 1 }, run: checkEndedBySweeper},
	}
}

// ends are the jobs that a store told of as ended.
type ends struct {
	mu   sync.Mutex
	jobs []store.Job
}

func (e *ends) add(j store.Job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.jobs = append(e.jobs, j)
}

func (e *ends) all() []store.Job {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.jobs)
}

// forget drops n jobs in a state, which ended in another store too.
func (e *ends) forget(state store.State, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.jobs = slices.DeleteFunc(e.jobs, func(j store.Job) bool {
		drop := j.State == state && n > 0
		if drop {
			n--
		}
		return drop
	})
}

// checkEnds compares what the store told of ends with what its queues have counted.
func (e *env) checkEnds(qs []store.QueueInfo) {
	e.Helper()
	var got, want store.Counters
	for _, j := range e.ended.all() {
		switch j.State {
		case store.Completed:
			got.Completed++
		case store.Failed:
			got.Failed++
		case store.Cancelled:
			got.Cancelled++
		case store.Queued, store.Running:
			e.Errorf("the store told of job %s as ended, which is %s", j.ID, j.State)
		}
	}
	for _, q := range qs {
		want.Completed += q.Totals.Completed
		want.Failed += q.Totals.Failed
		want.Cancelled += q.Totals.Cancelled
	}
	if got != want {
		e.Errorf("the store told of ended jobs %+v, its queues counted %+v", got, want)
	}
}

// told checks that the last end told of is that of the job, in that state.
func (e *env) told(id store.ID, state store.State) {
	e.Helper()
	all := e.ended.all()
	if len(all) == 0 {
		e.Fatalf("the store told of no end; want job %s %s", id, state)
	}
	j, now := all[len(all)-1], e.is(id, state)
	if j.ID != id || j.State != state || j.Lane != now.Lane || !j.Finished.Equal(now.Finished) || !j.Started.Equal(now.Started) ||
		j.Submission != nil || j.Report != nil {
		e.Errorf("the store told of %+v, want job %s %s", j, id, state)
	}
}

func checkEnded(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	e.giveBack(c, false)
	if all := e.ended.all(); len(all) != 0 {
		e.Errorf("told of %+v, which has not ended", all)
	}
	e.finish(e.claim())
	e.told(id, store.Completed)
	e.wants(e.s.Finish(e.ctx(), c.Lease, accepted()), store.ErrLeaseLost, "a late finish")

	queued := e.submitted("a").ID
	e.cancel(queued)
	e.told(queued, store.Cancelled)

	dead := e.submitted("a").ID
	e.fail(e.claim())
	e.told(dead, store.Failed)
	e.redrive(dead)
	e.finish(e.claim())
	e.told(dead, store.Completed)
	if n := len(e.ended.all()); n != 4 {
		e.Errorf("told of %d ends, want 4", n)
	}
}

// checkEndedByBoth: the last give-back of a job whose cancellation was asked for cancels it.
func checkEndedByBoth(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	e.cancel(id)
	e.giveBack(c, true)
	e.told(id, store.Cancelled)
}

func checkEndedBySweeper(e *env) {
	id := e.submitted("a").ID
	e.claim()
	e.pass(lease)
	e.told(id, store.Failed)

	asked := e.submitted("a").ID
	e.claim()
	e.cancel(asked)
	e.pass(lease)
	e.told(asked, store.Cancelled)
}
