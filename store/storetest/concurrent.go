package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func concurrentChecks() []check {
	return []check{
		{name: "concurrent/each job is claimed once and finished once", run: checkCrossfire},
		{name: "concurrent/finish and cancel agree", run: checkFinishCancel},
		{name: "concurrent/one order explains it all", run: checkLinear},
		{name: "concurrent/the depth limit is exact", options: depth(25), run: checkExactDepth},
		{name: "concurrent/the tenant's limit is exact", options: func(o *store.Options) { o.TenantRunning = 3 }, run: checkExactTenant},
	}
}

// checkCrossfire has submitters and workers at work at once, some of which give jobs back.
func checkCrossfire(e *env) {
	const submitters, each, workers = 6, 20, 6
	var mu sync.Mutex
	finished := map[store.ID]int{}
	var left atomic.Int64
	left.Store(submitters * each)
	var wg sync.WaitGroup
	for i := range submitters {
		wg.Go(func() {
			for range each {
				if _, _, err := e.s.Submit(e.ctx(), newJob(fmt.Sprint(i%3), python())); err != nil {
					e.Errorf("submit: %v", err)
				}
			}
		})
	}
	until := time.Now().Add(6 * e.patience)
	for i := range workers {
		wg.Go(func() {
			for n := 0; left.Load() > 0 && time.Now().Before(until); n++ {
				cs, err := e.s.Claim(e.ctx(), store.ClaimRequest{Worker: fmt.Sprint(i), Lanes: []store.Lane{python()}, Max: 3, Lease: lease})
				if err != nil {
					e.Errorf("claim: %v", err)
					return
				}
				for k, c := range cs {
					if (n+k+i)%7 == 0 {
						err = e.s.GiveBack(e.ctx(), c.Lease, store.GiveBack{Reason: "drained"})
					} else if err = e.s.Finish(e.ctx(), c.Lease, accepted()); err == nil {
						mu.Lock()
						finished[c.Job.ID]++
						mu.Unlock()
						left.Add(-1)
					}
					if err != nil {
						e.Errorf("end of job %s: %v", c.Job.ID, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if len(finished) != submitters*each {
		e.Errorf("%d of %d jobs were finished", len(finished), submitters*each)
	}
	for id, n := range finished {
		if n != 1 {
			e.Errorf("job %s was finished %d times", id, n)
		}
	}
}

func checkFinishCancel(e *env) {
	const rounds = 20
	for range rounds {
		e.submitted("a")
	}
	for _, c := range e.claims(rounds) {
		var cancelErr, finishErr error
		var wg sync.WaitGroup
		wg.Go(func() { _, cancelErr = e.s.Cancel(e.ctx(), c.Job.ID) })
		wg.Go(func() { finishErr = e.s.Finish(e.ctx(), c.Lease, accepted()) })
		wg.Wait()
		e.ok(finishErr, "finish")
		j := e.is(c.Job.ID, store.Completed)
		if asked := cancelErr == nil; asked != j.CancelRequested || !asked && !errors.Is(cancelErr, store.ErrTerminal) {
			e.Errorf("cancel gave %v, the job says that it was asked for: %v", cancelErr, j.CancelRequested)
		}
	}
}

func checkExactDepth(e *env) {
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch _, _, err := e.s.Submit(e.ctx(), newJob("a", python())); {
			case err == nil:
				accepted.Add(1)
			case errors.Is(err, store.ErrQueueFull):
				refused.Add(1)
			default:
				e.Errorf("submit: %v", err)
			}
		})
	}
	wg.Wait()
	if accepted.Load() != 25 || refused.Load() != 25 {
		e.Errorf("%d were accepted, %d refused", accepted.Load(), refused.Load())
	}
}

func checkExactTenant(e *env) {
	for range 20 {
		e.submitted("a")
	}
	var mu sync.Mutex
	var got []store.ID
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			cs, err := e.s.Claim(e.ctx(), store.ClaimRequest{Worker: workerName, Lanes: []store.Lane{python()}, Max: 2, Lease: lease})
			if err != nil {
				e.Errorf("claim: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, claimed(cs)...)
		})
	}
	wg.Wait()
	if len(got) != 3 || len(slices.Compact(got)) != 3 {
		e.Errorf("%d jobs of the tenant run, want 3", len(got))
	}
}

func reopenChecks() []check {
	return []check{
		{name: "reopen/all is as it was", run: checkReopened, reopens: true},
		{name: "reopen/leases hold, or end with their process", run: checkReopenedLease, reopens: true},
		{name: "reopen/a crash counts as an attempt", run: checkReopenedCrash, reopens: true},
		{name: "reopen/another tenant limit", run: checkReopenedLimit, reopens: true},
	}
}

// reopen closes and opens the store, as another process would.
func (e *env) reopen(change func(*store.Options)) {
	e.Helper()
	if change != nil {
		change(&e.o)
	}
	e.s = e.h.Reopen(e.test, e.s, e.o)
}

func checkReopened(e *env) {
	e.populate()
	keyed := e.submit(keyed("k", "key", 1))
	e.ok(e.s.SetQueueState(e.ctx(), "other", store.QueuePaused), "pause")
	before := e.snapshot()
	e.reopen(nil)
	if after := e.snapshot(); !reflect.DeepEqual(before, after) {
		e.Errorf("opened anew it holds\n%+v\nit held\n%+v", after, before)
	}
	if id, err := e.s.LookupKey(e.ctx(), "k", "key", [32]byte{1}); err != nil || id != keyed.ID {
		e.Errorf("the key: %s, %v", id, err)
	}
	e.submitted("a")
}

func checkReopenedLease(e *env) {
	a, b := e.submitted("a"), e.submitted("b")
	cs := e.claims(2)
	e.clock.Move(24 * time.Hour) // it was down for a day
	e.reopen(nil)
	if e.h.OneProcess {
		e.endedWithTheirProcess(cs)
		return
	}
	if sw := e.sweep(); sw.Expired != 0 {
		e.Errorf("swept: %+v", sw)
	}
	if got := e.claims(2); len(got) != 0 {
		e.Errorf("leased jobs were claimed: %v", claimed(got))
	}
	for _, c := range cs {
		if e.renew(c.Lease).Lost {
			e.Errorf("the lease of %s is lost", c.Job.ID)
		}
		e.finish(c)
	}
	e.is(a.ID, store.Completed)
	e.is(b.ID, store.Completed)
}

// endedWithTheirProcess checks that leases are lost, before a sweep and after it, which puts their jobs
// back with the attempt counted.
func (e *env) endedWithTheirProcess(cs []store.Claim) {
	e.Helper()
	lost := func() {
		for _, c := range cs {
			if !e.renew(c.Lease).Lost {
				e.Errorf("the lease of %s holds", c.Job.ID)
			}
			if err := e.s.Finish(e.ctx(), c.Lease, sandbox.Report{Verdict: sandbox.Accepted}); !errors.Is(err, store.ErrLeaseLost) {
				e.Errorf("finishing %s gives %v", c.Job.ID, err)
			}
		}
	}
	lost()
	if sw := e.sweep(); sw.Expired != len(cs) {
		e.Errorf("swept: %+v, want %d expired", sw, len(cs))
	}
	lost()
	for _, c := range cs {
		if j := e.is(c.Job.ID, store.Queued); j.Counted != 1 || j.Attempts[0].Uncounted || j.Attempts[0].Reason == "" {
			e.Errorf("the job is %+v", j)
		}
	}
	e.pass(e.o.BackoffMax)
	for _, c := range e.claims(len(cs)) {
		if c.Job.Counted != 2 {
			e.Errorf("claimed again: %+v", c.Job)
		}
		e.finish(c)
	}
}

func checkReopenedCrash(e *env) {
	id := e.submitted("a").ID
	for n := range e.o.MaxAttempts {
		e.claim()
		e.reopen(nil)
		if e.h.OneProcess {
			e.sweep()
		} else {
			e.pass(lease)
		}
		j := e.get(id)
		if j.Counted != n+1 {
			e.Fatalf("after crash %d: %+v", n+1, j)
		}
		e.pass(max(0, j.NotBefore.Sub(e.clock.Now())))
	}
	j := e.is(id, store.Failed)
	for _, a := range j.Attempts {
		if a.Reason == "" {
			e.Errorf("attempt: %+v", a)
		}
	}
}

func checkReopenedLimit(e *env) {
	e.reopen(func(o *store.Options) { o.TenantRunning = 1 })
	for range 5 {
		e.submitted("a")
	}
	if got := e.claims(5); len(got) != 1 {
		e.Errorf("%d were claimed under a limit of 1", len(got))
	}
	e.reopen(func(o *store.Options) { o.TenantRunning = 3 })
	if got := e.claims(5); len(got) != 2 {
		e.Errorf("%d more were claimed under a limit of 3", len(got))
	}
	e.reopen(func(o *store.Options) { o.TenantRunning = 0 })
	if got := e.claims(5); len(got) != 2 {
		e.Errorf("%d more were claimed without a limit", len(got))
	}
}

// snapshot is all that a store shows.
type snapshot struct {
	jobs   []store.Job
	events [][]store.Event
	queues []store.QueueInfo
}

func (e *env) snapshot() (s snapshot) {
	e.Helper()
	for _, j := range e.list(store.Filter{}) {
		s.jobs = append(s.jobs, e.get(j.ID))
		s.events = append(s.events, e.events(j.ID, 0))
	}
	var err error
	s.queues, err = e.s.Queues(e.ctx())
	e.ok(err, "queues")
	return s
}
