package storetest

import (
	"reflect"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func leaseChecks() []check {
	return []check{
		{name: "lease/renewed it holds", run: checkRenewed},
		{name: "lease/expired it puts the job back", run: checkExpired},
		{name: "lease/expired it is lost before any sweep", run: checkUnswept},
		{name: "lease/once lost it changes nothing", run: checkLost},
		{name: "lease/another's token is no lease", run: checkToken},
		{name: "lease/a job finishes once", run: checkOnce},
		{name: "lease/the last attempt's end is a dead letter", run: checkCrashes},
		{name: "lease/an expiry beside a heartbeat is not counted", run: checkHeartbeatPardon},
		{name: "lease/a pardon is not for ever", run: checkPardonEnds},
	}
}

func checkRenewed(e *env) {
	j := e.submitted("a")
	c := e.claim()
	for range 5 {
		e.pass(lease - time.Second)
		if r := e.renew(c.Lease); r.Lost || r.CancelRequested {
			e.Fatalf("renewal: %+v", r)
		}
	}
	e.pass(lease - time.Second)
	e.finish(c)
	e.is(j.ID, store.Completed)
}

func checkExpired(e *env) {
	j := e.submitted("a")
	e.claim()
	if sw := e.pass(lease - time.Millisecond); sw.Expired != 0 {
		e.Errorf("it expired early")
	}
	if sw := e.pass(time.Millisecond); sw.Expired != 1 || sw.DeadLettered != 0 {
		e.Errorf("swept: %+v", sw)
	}
	j = e.is(j.ID, store.Queued)
	if j.Counted != 1 || len(j.Attempts) != 1 || j.Attempts[0].Uncounted || j.Attempts[0].Reason == "" {
		e.Errorf("after it: %+v", j)
	}
	e.pass(j.NotBefore.Sub(e.clock.Now()))
	c := e.claim()
	if c.Job.ID != j.ID || c.Job.Counted != 2 {
		e.Errorf("the second attempt: %+v", c.Job)
	}
	e.finish(c)
	if q := e.queue(); q.Totals.LeasesLost != 1 || q.Totals.Retried != 1 || q.Totals.Claimed != 2 {
		e.Errorf("figures: %+v", q.Totals)
	}
}

func checkUnswept(e *env) {
	j := e.submitted("a")
	cs, err := e.s.Claim(e.ctx(), store.ClaimRequest{Worker: workerName, Lanes: []store.Lane{python()}, Max: 1, Lease: 2 * time.Second})
	if err != nil || len(cs) != 1 {
		e.Fatalf("claim gave %v, %v", cs, err)
	}
	e.clock.Move(2 * time.Second)
	e.refused(cs[0].Lease, j.ID)
	e.is(j.ID, store.Running)
	e.pass(time.Second)
	e.is(j.ID, store.Queued)
}

func checkLost(e *env) {
	j := e.submitted("a")
	lost := e.claim()
	e.pass(lease)
	e.refused(lost.Lease, j.ID)
	e.pass(e.get(j.ID).NotBefore.Sub(e.clock.Now()))
	c := e.claim()
	if c.Lease.Token == lost.Lease.Token {
		e.Errorf("two claims have one token")
	}
	e.refused(lost.Lease, j.ID)
	if e.renew(c.Lease).Lost {
		e.Errorf("the second lease is lost with the first")
	}
	e.finish(c)
	e.refused(lost.Lease, j.ID)
	e.refused(c.Lease, j.ID)
}

// refused checks that a lost lease is good for nothing.
func (e *env) refused(l store.Lease, id store.ID) {
	e.Helper()
	before := e.get(id)
	late := sandbox.Report{Verdict: sandbox.RuntimeError, Tests: []sandbox.TestReport{}}
	e.wants(e.s.Finish(e.ctx(), l, late), store.ErrLeaseLost, "a late finish")
	e.wants(e.s.GiveBack(e.ctx(), l, store.GiveBack{Reason: "late", Counted: true}), store.ErrLeaseLost, "a late give-back")
	e.wants(e.s.Progress(e.ctx(), l, store.Event{Type: store.EventTest, Data: []byte(`{}`)}), store.ErrLeaseLost, "late progress")
	if !e.renew(l).Lost {
		e.Errorf("a lost lease was renewed")
	}
	if after := e.get(id); !reflect.DeepEqual(before, after) {
		e.Errorf("a lost lease changed the job from\n%+v\nto\n%+v", before, after)
	}
}

func checkToken(e *env) {
	j := e.submitted("a")
	c := e.claim()
	for _, token := range []uint64{0, c.Lease.Token + 1} {
		e.refused(store.Lease{Job: j.ID, Token: token}, j.ID)
	}
	other := e.submitted("a")
	e.refused(store.Lease{Job: other.ID, Token: c.Lease.Token}, other.ID)
	e.refused(store.Lease{Job: other.ID}, other.ID)
	e.finish(c)
}

func checkOnce(e *env) {
	j := e.submitted("a")
	c := e.claim()
	e.finish(c)
	e.refused(c.Lease, j.ID)
	if sw := e.pass(2 * lease); sw.Expired != 0 {
		e.Errorf("an ended job's lease expired")
	}
}

func checkCrashes(e *env) {
	n := newJob("a", python())
	n.MaxAttempts = 2
	id := e.submit(n).ID
	e.claim()
	e.pass(lease)
	e.pass(e.get(id).NotBefore.Sub(e.clock.Now()))
	e.claim()
	if sw := e.pass(lease); sw.DeadLettered != 1 || sw.Expired != 1 {
		e.Errorf("swept: %+v", sw)
	}
	j := e.is(id, store.Failed)
	if len(j.Attempts) != 2 || j.Attempts[0].Reason == "" || j.Attempts[1].Reason == "" {
		e.Errorf("attempts: %+v", j.Attempts)
	}
	if j.Report == nil || j.Report.Verdict != sandbox.InternalError || j.Report.Error == "" {
		e.Errorf("report: %+v", j.Report)
	}
}

func (e *env) heartbeat(started time.Time) {
	e.Helper()
	w := store.Worker{Name: workerName, Slots: 2, Started: started}
	e.ok(e.s.Heartbeat(e.ctx(), w, 2*lease), "heartbeat")
}

// loseAlive lets a claimed job's lease expire while its worker still shows itself.
func (e *env) loseAlive(started time.Time) store.Job {
	e.Helper()
	e.heartbeat(started)
	c := e.claim()
	e.pass(lease / 2)
	e.heartbeat(started)
	e.pass(lease / 2)
	return e.get(c.Job.ID)
}

func checkHeartbeatPardon(e *env) {
	e.submitted("a")
	j := e.loseAlive(e.clock.Now())
	if j.State != store.Queued || j.Counted != 0 || !j.Attempts[0].Uncounted || j.Attempts[0].Reason == "" {
		e.Errorf("after an expiry beside a heartbeat: %+v", j)
	}
	e.claim()
	// The worker's name is alive, but it is a worker that started after the attempt.
	e.heartbeat(e.clock.Now().Add(time.Second))
	e.pass(lease)
	if j := e.get(j.ID); j.Counted != 1 {
		e.Errorf("after a worker's restart: %+v", j)
	}
}

func checkPardonEnds(e *env) {
	id := e.submitted("a").ID
	began := e.clock.Now()
	for range 4 * e.o.MaxAttempts {
		j := e.loseAlive(began)
		if j.State == store.Failed {
			return
		}
		e.pass(max(0, j.NotBefore.Sub(e.clock.Now())))
	}
	e.Errorf("a job whose lease always expires is never a dead letter: %+v", e.get(id))
}

func clockChecks() []check {
	return []check{
		{name: "clock/a jump ends no lease", run: checkJump},
		{name: "clock/steps back end no lease", run: checkBack},
		{name: "clock/an outage is not counted", run: checkOutage},
		{name: "clock/an outage gives the lease anew", run: checkOutageGrace},
		{name: "clock/a jump harms no submission", run: checkJumpSubmit},
		{name: "clock/steps back hold up no retry", run: checkBackRetry},
	}
}

func checkJump(e *env) {
	j := e.submitted("a")
	c := e.claim()
	for _, d := range []time.Duration{time.Hour, -2 * time.Hour, 30 * 24 * time.Hour} {
		e.clock.Move(d)
		if sw := e.sweep(); sw.Expired != 0 {
			e.Errorf("a jump of %s ended a lease", d)
		}
		if e.renew(c.Lease).Lost {
			e.Fatalf("a jump of %s lost the lease", d)
		}
	}
	e.finish(c)
	e.is(j.ID, store.Completed)
}

func checkBack(e *env) {
	e.submitted("a")
	c := e.claim()
	for range 5 {
		e.pass(10 * time.Second)
		e.clock.Move(-10 * time.Second)
		if e.renew(c.Lease).Lost {
			e.Fatalf("the lease is lost")
		}
	}
	e.clock.Move(-time.Hour)
	e.sweep()
	if sw := e.pass(lease); sw.Expired != 1 {
		e.Errorf("after the clock went back no lease ends: %+v", sw)
	}
}

func checkOutage(e *env) {
	j := e.submitted("a")
	e.claim()
	e.clock.Move(time.Minute) // nobody reaches the store
	e.sweep()
	e.pass(lease)
	j = e.is(j.ID, store.Queued)
	if j.Counted != 0 || !j.Attempts[0].Uncounted || !j.NotBefore.IsZero() {
		e.Errorf("after an outage: %+v", j)
	}
	e.claim()
	e.pass(lease)
	if j := e.get(j.ID); j.Counted != 1 {
		e.Errorf("a later expiry: %+v", j)
	}
}

func checkOutageGrace(e *env) {
	e.submitted("a")
	c := e.claim()
	e.pass(lease - time.Second)
	e.clock.Move(time.Hour)
	if sw := e.sweep(); sw.Expired != 0 {
		e.Errorf("the outage itself ended a lease")
	}
	if sw := e.pass(lease - time.Second); sw.Expired != 0 {
		e.Errorf("the lease is not given anew")
	}
	if e.renew(c.Lease).Lost {
		e.Errorf("the lease is lost")
	}
	e.finish(c)
}

func checkBackRetry(e *env) {
	j := e.submitted("a")
	e.giveBack(e.claim(), true)
	e.is(j.ID, store.Queued)
	e.clock.Move(-time.Hour)
	for range 2 * e.o.BackoffMax / store.MaxClockStep {
		e.pass(store.MaxClockStep)
	}
	if c := e.claim(); c.Job.ID != j.ID {
		e.Errorf("claimed %s, want the retry", c.Job.ID)
	}
}

func checkJumpSubmit(e *env) {
	a := e.submitted("a")
	e.clock.Move(-24 * time.Hour)
	b := e.submitted("a")
	e.clock.Move(48 * time.Hour)
	c := e.submitted("a")
	got := claimed(e.claims(3))
	if !reflect.DeepEqual(got, []store.ID{a.ID, b.ID, c.ID}) {
		e.Errorf("claimed %v", got)
	}
}
