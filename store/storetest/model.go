package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"optimus/sandbox"
	"optimus/store"
)

// RunModel takes random walks through a store and a simple model of it at once, and compares
// every answer.
func (h Harness) RunModel(t *testing.T) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{t: rt, jobs: map[store.ID]*modelJob{}, keys: map[string]*modelJob{}}
		m.e = h.env(t, rt, func(o *store.Options) {
			o.MaxAttempts = 2
			o.MaxDepth = 8
			o.KeyTTL = time.Hour * 24 * 365
			o.TenantRunning = rapid.IntRange(0, 2).Draw(rt, "tenant limit")
			o.TenantQueued = rapid.SampledFrom([]int{0, 4}).Draw(rt, "tenant bound")
		})
		defer m.e.close()
		actions := map[string]func(*rapid.T){
			"submit":      m.submit,
			"claim":       m.claim,
			"claim more":  m.claim,
			"finish":      m.finish,
			"give back":   m.giveBack,
			"renew":       m.renew,
			"cancel":      m.cancel,
			"redrive":     m.redrive,
			"delete":      m.delete,
			"queue state": m.queueState,
			"time passes": m.pass,
			"clock jumps": m.jump,
		}
		rt.Repeat(actions)
		m.compare()
		m.e.checkInvariants()
		m.relocate(rt)
	})
}

// modelJob is what the model knows of a job.
type modelJob struct {
	id       store.ID
	n        store.NewJob
	state    store.State
	counted  int
	forgiven int
	attempts int
	asked    bool // to cancel
	delayed  bool
	due      time.Time
	verdict  sandbox.Verdict
	token    uint64
	// By the queue's clock:
	renewed, ends, length time.Duration
}

// model is a store as a list of jobs.
type model struct {
	t    *rapid.T
	e    *env
	jobs map[store.ID]*modelJob
	// order is every job that was made, oldest first.
	order []*modelJob
	keys  map[string]*modelJob
	// leases are all that were ever given, lost ones too.
	leases []store.Lease
	queue  store.QueueState
	// clock is the queue's, which runs while there is one, and outage when it last stood still.
	clock, outage time.Duration
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(format, args...)
}

// agree compares an error with what the model expects.
func (m *model) agree(err, want error, doing string) bool {
	m.t.Helper()
	if !errors.Is(err, want) {
		m.fail("%s gave %v, the model %v", doing, err, want)
	}
	return err == nil
}

func (m *model) unfinished() (n int) {
	for _, j := range m.jobs {
		if !j.state.Terminal() {
			n++
		}
	}
	return n
}

func (m *model) submit(t *rapid.T) {
	n := newJob(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant"), rapid.SampledFrom([]store.Lane{python(), rust()}).Draw(t, "lane"))
	n.Priority = rapid.IntRange(-1, 1).Draw(t, "priority")
	n.Key = rapid.SampledFrom([]string{"", "", "k1", "k2"}).Draw(t, "key")
	n.PayloadHash = [32]byte{rapid.ByteRange(0, 1).Draw(t, "payload")}
	j, replayed, err := m.e.s.Submit(m.e.ctx(), n)
	known := m.keys[n.Tenant+"/"+n.Key]
	var want error
	switch {
	case n.Key != "" && known != nil && known.n.PayloadHash != n.PayloadHash:
		want = store.ErrKeyConflict
	case n.Key != "" && known != nil:
		if err != nil || !replayed || j.ID != known.id {
			m.fail("a replay gave %s, %v, %v", j.ID, replayed, err)
		}
		return
	case m.queue == store.QueueDraining:
		want = store.ErrQueueDrained
	case m.unfinished() >= m.e.o.MaxDepth, m.e.o.TenantQueued > 0 && m.unfinishedOf(n.Tenant) >= m.e.o.TenantQueued:
		want = store.ErrQueueFull
	}
	if !m.agree(err, want, "submit") {
		return
	}
	if replayed {
		m.fail("job %s was replayed", j.ID)
	}
	if k := len(m.order); k > 0 && bytes.Compare(m.order[k-1].id[:], j.ID[:]) >= 0 {
		m.fail("job %s is older than the one before", j.ID)
	}
	made := &modelJob{id: j.ID, n: n, state: store.Queued}
	m.jobs[j.ID] = made
	m.order = append(m.order, made)
	if n.Key != "" {
		m.keys[n.Tenant+"/"+n.Key] = made
	}
}

// running counts a tenant's.
func (m *model) running(tenant string) (n int) {
	for _, j := range m.jobs {
		if j.state == store.Running && j.n.Tenant == tenant {
			n++
		}
	}
	return n
}

// claimable gives the jobs that a claim of the lanes may give now: those of the highest
// priority, each the oldest of its tenant and lane, of tenants below their limit.
func (m *model) claimable(lanes []store.Lane) (best []*modelJob) {
	heads := map[string]bool{}
	for _, j := range m.order {
		if m.queue == store.QueuePaused || m.jobs[j.id] != j || j.state != store.Queued || j.delayed || !slices.Contains(lanes, j.n.Lane()) {
			continue
		}
		if limit := m.e.o.TenantRunning; limit > 0 && m.running(j.n.Tenant) >= limit {
			continue
		}
		group := fmt.Sprint(j.n.Tenant, j.n.Lane(), j.n.Priority)
		if heads[group] {
			continue
		}
		heads[group] = true
		if len(best) > 0 && j.n.Priority > best[0].n.Priority {
			best = nil
		}
		if len(best) == 0 || j.n.Priority == best[0].n.Priority {
			best = append(best, j)
		}
	}
	return best
}

func (m *model) claim(t *rapid.T) {
	lanes := rapid.SampledFrom([][]store.Lane{{python()}, {rust()}, {python(), rust()}}).Draw(t, "lanes")
	most := rapid.IntRange(1, 3).Draw(t, "max")
	for _, c := range m.e.claims(most, lanes...) {
		best := m.claimable(lanes)
		i := slices.IndexFunc(best, func(j *modelJob) bool { return j.id == c.Job.ID })
		if i < 0 {
			m.fail("claim gave job %s, the model would give one of %d others", c.Job.ID, len(best))
		}
		j := best[i]
		j.state, j.token = store.Running, c.Lease.Token
		j.counted++
		j.attempts++
		j.renewed, j.length, j.ends = m.clock, lease, m.clock+lease
		m.leases = append(m.leases, c.Lease)
		most--
	}
	if best := m.claimable(lanes); most > 0 && len(best) > 0 {
		m.fail("claim left job %s", best[0].id)
	}
}

// leased draws a lease, a lost one perhaps, and gives the job where it holds.
func (m *model) leased(t *rapid.T) (store.Lease, *modelJob) {
	if len(m.leases) == 0 {
		t.Skip("no lease was given")
	}
	l := m.leases[len(m.leases)-1-rapid.IntRange(0, min(len(m.leases), 6)-1).Draw(t, "lease")]
	j := m.jobs[l.Job]
	if j == nil || j.state != store.Running || j.token != l.Token {
		return l, nil
	}
	return l, j
}

func (m *model) finish(t *rapid.T) {
	l, j := m.leased(t)
	r := accepted()
	r.Verdict = rapid.SampledFrom([]sandbox.Verdict{sandbox.Accepted, sandbox.Cancelled}).Draw(t, "verdict")
	err := m.e.s.Finish(m.e.ctx(), l, r)
	if j == nil {
		m.agree(err, store.ErrLeaseLost, "finish")
		return
	}
	m.agree(err, nil, "finish")
	j.state, j.verdict = store.Completed, r.Verdict
	if j.asked && r.Verdict == sandbox.Cancelled {
		j.state = store.Cancelled
	}
}

func (m *model) giveBack(t *rapid.T) {
	l, j := m.leased(t)
	counted := rapid.Bool().Draw(t, "counted")
	err := m.e.s.GiveBack(m.e.ctx(), l, store.GiveBack{Reason: "no luck", Counted: counted})
	if j == nil {
		m.agree(err, store.ErrLeaseLost, "give back")
		return
	}
	m.agree(err, nil, "give back")
	m.back(j, counted)
}

// back is the end of an attempt without a report.
func (m *model) back(j *modelJob, counted bool) {
	switch {
	case j.asked:
		j.state, j.verdict = store.Cancelled, sandbox.Cancelled
		if !counted {
			j.counted = -1 // of no meaning any more
		}
	case counted && j.counted >= m.e.o.MaxAttempts:
		j.state, j.verdict = store.Failed, sandbox.InternalError
	case counted:
		j.state, j.delayed = store.Queued, true
		j.due = m.e.get(j.id).NotBefore // checked by its bounds: it has jitter
		base := m.e.o.BackoffBase << (j.counted - 1)
		if d := j.due.Sub(m.e.clock.Now()); d < base || d > base+base/5 {
			m.fail("job %s is delayed by %s, want %s and up to a fifth more", j.id, d, base)
		}
	default:
		j.state = store.Queued
		j.counted--
	}
}

func (m *model) renew(t *rapid.T) {
	l, j := m.leased(t)
	r := m.e.renew(l)
	if r.Lost != (j == nil) || j != nil && r.CancelRequested != j.asked {
		m.fail("renewal: %+v, the model's job is %+v", r, j)
	}
	if j != nil {
		j.renewed, j.ends = m.clock, m.clock+lease
	}
}

// any draws a job.
func (m *model) any(t *rapid.T) *modelJob {
	if len(m.order) == 0 {
		t.Skip("there is no job")
	}
	return rapid.SampledFrom(m.order).Draw(t, "job")
}

func (m *model) cancel(t *rapid.T) {
	j := m.any(t)
	got, err := m.e.s.Cancel(m.e.ctx(), j.id)
	switch {
	case m.jobs[j.id] == nil:
		m.agree(err, store.ErrNotFound, "cancel")
		return
	case j.state.Terminal():
		m.agree(err, store.ErrTerminal, "cancel")
	case j.state == store.Queued:
		m.agree(err, nil, "cancel")
		j.state, j.verdict, j.delayed, j.asked = store.Cancelled, sandbox.Cancelled, false, true
	default:
		m.agree(err, nil, "cancel")
		j.asked = true
	}
	if got.State != j.state {
		m.fail("cancel says that the job is %s, the model %s", got.State, j.state)
	}
}

func (m *model) redrive(t *rapid.T) {
	j := m.any(t)
	_, err := m.e.s.Redrive(m.e.ctx(), j.id)
	switch {
	case m.jobs[j.id] == nil:
		m.agree(err, store.ErrNotFound, "redrive")
	case j.state != store.Failed:
		m.agree(err, store.ErrTransition, "redrive")
	default:
		m.agree(err, nil, "redrive")
		m.e.redriven++
		j.state, j.counted, j.forgiven, j.asked, j.verdict = store.Queued, 0, 0, false, ""
	}
}

func (m *model) delete(t *rapid.T) {
	j := m.any(t)
	err := m.e.s.Delete(m.e.ctx(), j.id)
	switch {
	case m.jobs[j.id] == nil:
		m.agree(err, store.ErrNotFound, "delete")
	case !j.state.Terminal():
		m.agree(err, store.ErrNotTerminal, "delete")
	default:
		m.agree(err, nil, "delete")
		delete(m.jobs, j.id)
		delete(m.keys, j.n.Tenant+"/"+j.n.Key)
	}
}

func (m *model) pass(t *rapid.T) {
	for range rapid.IntRange(1, 8).Draw(t, "steps") {
		m.move(time.Duration(rapid.IntRange(1, int(store.MaxClockStep)).Draw(t, "step")))
	}
}

func (m *model) jump(t *rapid.T) {
	m.move(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "seconds")) * time.Second)
}

// move turns the wall clock and sweeps.
func (m *model) move(d time.Duration) {
	m.e.clock.Move(d)
	var want store.Swept
	if len(m.order) > 0 {
		m.clock += min(max(d, 0), store.MaxClockStep)
		if d > store.MaxClockStep {
			m.outage = m.clock
		}
	}
	got := m.e.sweep()
	for _, j := range m.order {
		if m.jobs[j.id] == nil {
			continue
		}
		if j.state == store.Running && m.leaseEnd(j) <= m.clock {
			m.expire(j)
			want.Expired++
			if j.state == store.Failed {
				want.DeadLettered++
			}
		}
		if wait := j.due.Sub(m.e.clock.Now()); j.delayed && (wait <= 0 || wait > m.e.o.BackoffMax) {
			j.delayed = false
			want.Promoted++
		}
	}
	if got != want {
		m.fail("a sweep did %+v, the model %+v", got, want)
	}
}

func (m *model) leaseEnd(j *modelJob) time.Duration {
	if m.outage > j.renewed {
		return max(j.ends, m.outage+j.length)
	}
	return j.ends
}

func (m *model) expire(j *modelJob) {
	pardoned := m.outage > j.renewed && j.forgiven < m.e.o.MaxAttempts
	if pardoned {
		j.forgiven++
	}
	m.back(j, !pardoned)
}

// compare looks at every job.
func (m *model) compare() {
	for _, j := range m.order {
		got, err := m.e.s.Get(m.e.ctx(), j.id)
		if m.jobs[j.id] == nil {
			m.agree(err, store.ErrNotFound, "get")
			continue
		}
		m.agree(err, nil, "get")
		if got.State != j.state || got.Verdict != j.verdict || len(got.Attempts) != min(j.attempts, store.MaxAttemptRecords) ||
			j.counted >= 0 && got.Counted != j.counted {
			m.fail("job %s is\n%+v\nthe model's\n%+v", j.id, got, *j)
		}
	}
}
