package storetest

import (
	"context"
	"fmt"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func retryChecks() []check {
	return []check{
		{name: "retry/after a delay that doubles", options: func(o *store.Options) {
			o.MaxAttempts, o.BackoffBase, o.BackoffMax = 6, 2*time.Second, 10*time.Second
		}, run: checkBackoff},
		{name: "retry/spent attempts are a dead letter", run: checkDeadLetter},
		{name: "retry/a dead letter has its worker's report", run: checkDeadReport},
		{name: "retry/uncounted ones never end", run: checkUncounted},
		{name: "retry/a dead letter is re-driven", run: checkRedrive},
		{name: "retry/only dead letters are re-driven", run: checkRedriveOthers},
		{name: "retry/attempt records are bounded", options: func(o *store.Options) { o.MaxAttempts = 100 }, run: checkAttemptRecords},
	}
}

func checkBackoff(e *env) {
	id := e.submitted("a").ID
	for i := range 5 {
		e.giveBack(e.claim(), true)
		j := e.is(id, store.Queued)
		base := min(2*time.Second<<i, 10*time.Second)
		delay := j.NotBefore.Sub(e.clock.Now())
		if delay < base || delay > min(base+base/5, 10*time.Second) {
			e.Errorf("after attempt %d the delay is %s, want %s and up to a fifth more", i+1, delay, base)
		}
		if q := e.queue(); q.Delayed != 1 || q.Ready != 0 {
			e.Errorf("figures: %+v", q)
		}
		e.pass(delay - time.Millisecond)
		if cs := e.claims(1); len(cs) != 0 {
			e.Fatalf("it was claimed before its time")
		}
		if sw := e.pass(time.Millisecond); sw.Promoted != 1 {
			e.Errorf("swept: %+v", sw)
		}
	}
	e.finish(e.claim())
}

func checkDeadLetter(e *env) {
	id := e.submitted("a").ID
	j := e.fail(e.claim())
	if j.ID != id || len(j.Attempts) != e.o.MaxAttempts || j.Counted != e.o.MaxAttempts {
		e.Errorf("dead letter: %+v", j)
	}
	for i, a := range j.Attempts {
		if a.Reason != "no luck" || a.Worker != workerName || a.Uncounted {
			e.Errorf("attempt %d: %+v", i+1, a)
		}
	}
	if j.Report.Verdict != sandbox.InternalError || j.Report.Error != "no luck" {
		e.Errorf("report: %+v", j.Report)
	}
	if js := e.list(store.Filter{States: []store.State{store.Failed}}); len(js) != 1 || js[0].ID != id {
		e.Errorf("dead letters: %v", ids(js))
	}
	if q := e.queue(); q.Totals.Failed != 1 || q.Totals.Retried != 2 || q.Failed != 1 {
		e.Errorf("figures: %+v", q)
	}
}

func checkDeadReport(e *env) {
	n := newJob("a", python())
	n.MaxAttempts = 1
	id := e.submit(n).ID
	r := accepted()
	r.Verdict, r.Error = sandbox.InternalError, "the image is gone"
	g := store.GiveBack{Reason: "image", Counted: true, Report: &r}
	e.ok(e.s.GiveBack(e.ctx(), e.claim().Lease, g), "give back")
	if j := e.is(id, store.Failed); j.Report.Error != "the image is gone" || len(j.Report.Tests) != 1 {
		e.Errorf("report: %+v", j.Report)
	}
}

func checkUncounted(e *env) {
	id := e.submitted("a").ID
	for range 3 * e.o.MaxAttempts {
		e.giveBack(e.claim(), false)
	}
	if j := e.is(id, store.Queued); j.Counted != 0 {
		e.Errorf("job: %+v", j)
	}
	if q := e.queue(); q.Totals.Retried != 0 {
		e.Errorf("figures: %+v", q.Totals)
	}
	e.finish(e.claim())
}

func checkRedrive(e *env) {
	id := e.submitted("a").ID
	e.fail(e.claim())
	j := e.redrive(id)
	if j.State != store.Queued || j.Counted != 0 || j.Report != nil || j.Verdict != "" || !j.Finished.IsZero() {
		e.Errorf("re-driven: %+v", j)
	}
	for range e.o.MaxAttempts - 1 {
		e.giveBack(e.claim(), true)
		j = e.is(id, store.Queued)
		e.pass(j.NotBefore.Sub(e.clock.Now()))
	}
	e.finish(e.claim())
	if j = e.is(id, store.Completed); j.Verdict != sandbox.Accepted {
		e.Errorf("in the end: %+v", j)
	}
	if q := e.queue(); q.Failed != 0 || q.Completed != 1 {
		e.Errorf("figures: %+v", q)
	}
}

func checkRedriveOthers(e *env) {
	refuse := func(id store.ID) {
		e.Helper()
		before := e.get(id).State
		_, err := e.s.Redrive(e.ctx(), id)
		e.wants(err, store.ErrTransition, fmt.Sprintf("redrive of a job that is %s", before))
		e.is(id, before)
	}
	a, b := e.submitted("a").ID, e.submitted("a").ID
	refuse(a)
	c := e.claim()
	refuse(a)
	e.finish(c)
	refuse(a)
	e.cancel(b)
	refuse(b)
}

func checkAttemptRecords(e *env) {
	id := e.submitted("a").ID
	for i := range store.MaxAttemptRecords + 2 {
		g := store.GiveBack{Reason: fmt.Sprint(i)}
		e.ok(e.s.GiveBack(e.ctx(), e.claim().Lease, g), "give back")
	}
	j := e.get(id)
	if len(j.Attempts) != store.MaxAttemptRecords || j.Attempts[0].Reason != "2" {
		e.Errorf("%d attempts are kept, the oldest is %+v", len(j.Attempts), j.Attempts[0])
	}
}

func cancelChecks() []check {
	return []check{
		{name: "cancel/a queued job ends", run: checkCancelQueued},
		{name: "cancel/a delayed job ends", run: checkCancelDelayed},
		{name: "cancel/a running job's worker hears", run: checkCancelRunning},
		{name: "cancel/workers are told", run: checkCancelTold},
		{name: "cancel/its worker may finish first", run: checkCancelLate},
		{name: "cancel/a lost worker's job ends", run: checkCancelExpired},
		{name: "cancel/a job given back ends", run: checkCancelGivenBack},
		{name: "cancel/an ended job stays", run: checkCancelEnded},
		{name: "cancel/an unasked one is a verdict", run: checkCancelUnasked},
	}
}

func (e *env) checkCancelled(id store.ID) {
	e.Helper()
	j := e.is(id, store.Cancelled)
	if j.Verdict != sandbox.Cancelled || j.Report == nil || j.Report.Verdict != sandbox.Cancelled {
		e.Errorf("cancelled: %+v", j)
	}
	if q := e.queue(); q.Totals.Cancelled != 1 || q.Cancelled != 1 {
		e.Errorf("figures: %+v", q)
	}
}

func checkCancelQueued(e *env) {
	a, b := e.submitted("a").ID, e.submitted("a").ID
	if j := e.cancel(a); j.State != store.Cancelled {
		e.Errorf("cancel gave %+v", j)
	}
	e.checkCancelled(a)
	if c := e.claim(); c.Job.ID != b {
		e.Errorf("claimed %s", c.Job.ID)
	}
}

func checkCancelDelayed(e *env) {
	id := e.submitted("a").ID
	e.giveBack(e.claim(), true)
	e.cancel(id)
	e.checkCancelled(id)
	if sw := e.pass(time.Minute); sw.Promoted != 0 || len(e.claims(1)) != 0 {
		e.Errorf("it came back")
	}
}

func checkCancelRunning(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	for range 2 {
		if j := e.cancel(id); j.State != store.Running || !j.CancelRequested {
			e.Errorf("cancel gave %+v", j)
		}
	}
	if r := e.renew(c.Lease); r.Lost || !r.CancelRequested {
		e.Fatalf("renewal: %+v", r)
	}
	r := accepted()
	r.Verdict = sandbox.Cancelled
	e.ok(e.s.Finish(e.ctx(), c.Lease, r), "finish")
	e.checkCancelled(id)
	if j := e.get(id); len(j.Report.Tests) != 1 {
		e.Errorf("the worker's report is lost: %+v", j.Report)
	}
}

func checkCancelTold(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	var chs []<-chan struct{}
	for range 2 {
		ch, err := e.s.Cancellations(ctx)
		e.ok(err, "cancellations")
		chs = append(chs, ch)
	}
	queued, running := e.submit(newJob("a", rust())).ID, e.submitted("a").ID
	c := e.claim(python())
	e.cancel(queued)
	for _, ch := range chs {
		e.silent(ch, "a queued job cancelled")
	}
	e.cancel(running)
	for _, ch := range chs {
		e.hears(ch, "a running job's cancellation")
	}
	if r := e.renew(c.Lease); !r.CancelRequested {
		e.Errorf("renewal: %+v", r)
	}
	stop()
	for _, ch := range chs {
		e.closes(ch, "cancellations")
	}
}

func checkCancelLate(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	e.cancel(id)
	e.finish(c)
	if j := e.is(id, store.Completed); j.Verdict != sandbox.Accepted {
		e.Errorf("finished: %+v", j)
	}
}

func checkCancelExpired(e *env) {
	id := e.submitted("a").ID
	e.claim()
	e.cancel(id)
	e.pass(lease)
	e.checkCancelled(id)
}

func checkCancelGivenBack(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	e.cancel(id)
	e.giveBack(c, false)
	e.checkCancelled(id)
}

func checkCancelEnded(e *env) {
	id := e.submitted("a").ID
	e.finish(e.claim())
	j, err := e.s.Cancel(e.ctx(), id)
	e.wants(err, store.ErrTerminal, "cancel")
	if j.ID != id || j.State != store.Completed {
		e.Errorf("cancel gave %+v", j)
	}
	e.is(id, store.Completed)
}

func checkCancelUnasked(e *env) {
	id := e.submitted("a").ID
	r := accepted()
	r.Verdict = sandbox.Cancelled
	e.ok(e.s.Finish(e.ctx(), e.claim().Lease, r), "finish")
	e.is(id, store.Completed)
}
