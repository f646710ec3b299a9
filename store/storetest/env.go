package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

const (
	queueName  = "main"
	workerName = "worker-1"
	lease      = 30 * time.Second
)

func python() store.Lane { return store.Lane{Language: "python", Tier: sandbox.Shared} }
func rust() store.Lane   { return store.Lane{Language: "rust", Tier: sandbox.Dedicated} }

// env is a store under test, with what a check needs to speak briefly.
type env struct {
	T
	test  *testing.T
	h     Harness
	s     store.Store
	clock *Clock
	o     store.Options
	// redriven counts successful re-drives.
	redriven uint64
	began    time.Time
	// patience is how long to wait for what should come at once.
	patience time.Duration
	// ended counts, by state, what the store told of jobs that came to their end.
	ended *ends
	// moved: its jobs came from another store.
	moved bool
	// closed: there is nothing left to look at.
	closed bool
}

func (h Harness) env(t *testing.T, as T, change func(*store.Options)) *env {
	t.Helper()
	clock := NewClock()
	o := store.DefaultOptions()
	o.Now = clock.Now
	ended := &ends{}
	o.Ended = ended.add
	if change != nil {
		change(&o)
	}
	return &env{T: as, test: t, h: h, s: h.Open(t, o), clock: clock, o: o, ended: ended, began: clock.Now(), patience: 10 * time.Second}
}

func (e *env) close() {
	if err := e.s.Close(); err != nil {
		e.Errorf("close: %v", err)
	}
}

// ctx ends when something hangs.
func (e *env) ctx() context.Context { return e.Context() }

// newJob is a small job of a lane.
func newJob(tenant string, l store.Lane) store.NewJob {
	expected := sandbox.Text("3\n")
	return store.NewJob{
		Tenant: tenant, Queue: queueName,
		Submission: sandbox.Submission{
			Language: sandbox.Language{Name: l.Language, Tier: l.Tier, Run: []string{"run", "{source}"}},
			Source:   sandbox.Source{Files: []sandbox.File{{Name: "main", Content: []byte("print(1+2)")}}},
			Tests:    []sandbox.TestCase{{ID: "1", Input: []byte("in"), Expected: &expected, Weight: 1}},
		},
	}
}

func accepted() sandbox.Report {
	return sandbox.Report{
		Verdict: sandbox.Accepted, Score: 1, MaxScore: 1, Worker: workerName,
		Tests: []sandbox.TestReport{{ID: "1", Verdict: sandbox.Accepted, Score: 1, Weight: 1}},
	}
}

// ok ends the check where err is one.
func (e *env) ok(err error, doing string) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: %v", doing, err)
	}
}

// wants reports an error that is not the one expected.
func (e *env) wants(err, want error, doing string) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("%s gave %v; want an error that is %q", doing, err, want)
	}
}

func (e *env) submit(n store.NewJob) store.Job {
	e.Helper()
	j, replayed, err := e.s.Submit(e.ctx(), n)
	e.ok(err, "submit")
	if replayed {
		e.Fatalf("submit replayed job %s", j.ID)
	}
	return j
}

func (e *env) submitted(tenant string) store.Job {
	e.Helper()
	return e.submit(newJob(tenant, python()))
}

// claims leases up to n jobs of the lanes, or of both where none is named.
func (e *env) claims(n int, lanes ...store.Lane) []store.Claim {
	e.Helper()
	if len(lanes) == 0 {
		lanes = []store.Lane{python(), rust()}
	}
	cs, err := e.s.Claim(e.ctx(), store.ClaimRequest{Worker: workerName, Lanes: lanes, Max: n, Lease: lease})
	e.ok(err, "claim")
	return cs
}

// claim leases exactly one job.
func (e *env) claim(lanes ...store.Lane) store.Claim {
	e.Helper()
	cs := e.claims(1, lanes...)
	if len(cs) != 1 {
		e.Fatalf("claimed %d jobs, want 1", len(cs))
	}
	return cs[0]
}

func (e *env) finish(c store.Claim) {
	e.Helper()
	e.ok(e.s.Finish(e.ctx(), c.Lease, accepted()), "finish")
}

func (e *env) giveBack(c store.Claim, counted bool) {
	e.Helper()
	e.ok(e.s.GiveBack(e.ctx(), c.Lease, store.GiveBack{Reason: "no luck", Counted: counted}), "give back")
}

func (e *env) get(id store.ID) store.Job {
	e.Helper()
	j, err := e.s.Get(e.ctx(), id)
	e.ok(err, "get")
	return j
}

// is checks a job's state.
func (e *env) is(id store.ID, want store.State) store.Job {
	e.Helper()
	j := e.get(id)
	if j.State != want {
		e.Fatalf("job %s is %s, want %s", id, j.State, want)
	}
	return j
}

func (e *env) renew(l store.Lease) store.Renewal {
	e.Helper()
	rs, err := e.s.Renew(e.ctx(), []store.Lease{l}, lease)
	e.ok(err, "renew")
	if len(rs) != 1 {
		e.Fatalf("renew gave %d answers for one lease", len(rs))
	}
	return rs[0]
}

func (e *env) cancel(id store.ID) store.Job {
	e.Helper()
	j, err := e.s.Cancel(e.ctx(), id)
	e.ok(err, "cancel")
	return j
}

func (e *env) redrive(id store.ID) store.Job {
	e.Helper()
	j, err := e.s.Redrive(e.ctx(), id)
	e.ok(err, "redrive")
	e.redriven++
	return j
}

func (e *env) sweep() store.Swept {
	e.Helper()
	sw, err := e.s.Sweep(e.ctx())
	e.ok(err, "sweep")
	return sw
}

// pass lets time pass as it does for a store that is in use: the sweeper looks often enough
// that the queues' clocks keep up.
func (e *env) pass(d time.Duration) store.Swept {
	e.Helper()
	var sum store.Swept
	for {
		step := min(d, store.MaxClockStep)
		e.clock.Move(step)
		sw := e.sweep()
		sum.Expired += sw.Expired
		sum.DeadLettered += sw.DeadLettered
		sum.Promoted += sw.Promoted
		sum.Deleted += sw.Deleted
		if d -= step; d <= 0 {
			return sum
		}
	}
}

// queue gives the figures of the suite's queue.
func (e *env) queue() store.QueueInfo {
	e.Helper()
	qs, err := e.s.Queues(e.ctx())
	e.ok(err, "queues")
	for _, q := range qs {
		if q.Name == queueName {
			return q
		}
	}
	e.Fatalf("there is no queue %q", queueName)
	return store.QueueInfo{}
}

// fail makes a dead letter of a claimed job.
func (e *env) fail(c store.Claim) store.Job {
	e.Helper()
	for range c.Job.MaxAttempts {
		e.giveBack(c, true)
		j := e.get(c.Job.ID)
		if j.State == store.Failed {
			return j
		}
		e.pass(j.NotBefore.Sub(e.clock.Now()))
		c = e.claim()
	}
	e.Fatalf("job %s is no dead letter after %d attempts", c.Job.ID, c.Job.MaxAttempts)
	return store.Job{}
}

// list gives all jobs of the filter, page by page.
func (e *env) list(f store.Filter) []store.Job {
	e.Helper()
	var all []store.Job
	for {
		p, err := e.s.List(e.ctx(), f)
		e.ok(err, "list")
		all = append(all, p.Jobs...)
		if p.Next == "" {
			return all
		}
		if len(p.Jobs) == 0 {
			e.Fatalf("an empty page has a next one")
		}
		f.Cursor = p.Next
	}
}

func ids(js []store.Job) []store.ID {
	var all []store.ID
	for _, j := range js {
		all = append(all, j.ID)
	}
	return all
}

func claimed(cs []store.Claim) []store.ID {
	var all []store.ID
	for _, c := range cs {
		all = append(all, c.Job.ID)
	}
	return all
}
