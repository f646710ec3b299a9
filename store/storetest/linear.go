package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"optimus/sandbox"
	"optimus/store"
)

// verb is what a client did in a history.
type verb int

const (
	claims verb = iota
	findsNone
	finishes
	givesBack
	cancels
	renews
	looks
)

// deed is what a client did to a job, and what it was told.
type deed struct {
	verb  verb
	job   store.ID
	token uint64
	// cancelled: the report says so.
	cancelled bool
	// lost or terminal is the error that came, state the job's state that was told, asked that a
	// cancellation was asked for.
	lost, terminal, asked bool
	state                 store.State
}

func (d deed) String() string {
	return fmt.Sprintf("%s %s %d cancelled %v: lost %v, terminal %v, asked %v, %s",
		[]string{"claim", "claim nothing", "finish", "give back", "cancel", "renew", "get"}[d.verb],
		d.job, d.token, d.cancelled, d.lost, d.terminal, d.asked, d.state)
}

// simple is a job as the model has it.
type simple struct {
	state store.State
	token uint64
	asked bool
}

// step tells what the deed makes of the job, and whether what the client was told can be true.
func (d deed) step(j simple) (bool, simple) {
	holds := j.state == store.Running && j.token == d.token
	switch d.verb {
	case claims:
		return j.state == store.Queued, simple{store.Running, d.token, j.asked}
	case findsNone:
		return j.state != store.Queued, j
	case renews:
		return d.lost != holds && (d.lost || d.asked == j.asked), j
	case looks:
		return d.state == j.state && d.asked == j.asked, j
	case cancels:
		switch {
		case j.state.Terminal():
			return d.terminal && d.state == j.state, j
		case j.state == store.Queued:
			return !d.terminal && d.state == store.Cancelled, simple{store.Cancelled, 0, true}
		default:
			return !d.terminal && d.state == store.Running, simple{j.state, j.token, true}
		}
	case finishes, givesBack:
	}
	if d.lost || !holds {
		return d.lost && !holds, j
	}
	next := simple{state: store.Queued, asked: j.asked}
	if d.verb == finishes {
		next.state = store.Completed
	}
	if j.asked && (d.cancelled || d.verb == givesBack) {
		next.state = store.Cancelled
	}
	return true, next
}

// history is what several clients did at once, job by job.
type history struct {
	e     *env
	began time.Time
	jobs  []store.ID
	mu    sync.Mutex
	ops   map[store.ID][]porcupine.Operation
}

// did notes a deed that was called at a time and has just been answered.
func (h *history) did(client int, called time.Duration, d deed) {
	answered := time.Since(h.began)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops[d.job] = append(h.ops[d.job], porcupine.Operation{ClientId: client, Input: d, Call: int64(called), Return: int64(answered)})
}

// claim claims one job. Where there is none, that says something of each.
func (h *history) claim(client int) (l store.Lease, ok bool) {
	called := time.Since(h.began)
	cs, err := h.e.s.Claim(h.e.ctx(), store.ClaimRequest{Worker: fmt.Sprint(client), Lanes: []store.Lane{python()}, Max: 1, Lease: lease})
	switch {
	case err != nil:
		h.e.Errorf("claim: %v", err)
	case len(cs) == 0:
		for _, id := range h.jobs {
			h.did(client, called, deed{verb: findsNone, job: id})
		}
	default:
		l = cs[0].Lease
		h.did(client, called, deed{verb: claims, job: l.Job, token: l.Token})
		return l, true
	}
	return l, false
}

// use does something with a lease, which may be lost.
func (h *history) use(client int, l store.Lease) {
	called := time.Since(h.began)
	d := deed{job: l.Job, token: l.Token}
	var err error
	switch rand.IntN(4) { //nolint:gosec // any choice will do
	case 0:
		d.verb = givesBack
		err = h.e.s.GiveBack(h.e.ctx(), l, store.GiveBack{Reason: "drained"})
	case 1:
		d.verb = renews
		var rs []store.Renewal
		if rs, err = h.e.s.Renew(h.e.ctx(), []store.Lease{l}, lease); err == nil {
			d.lost, d.asked = rs[0].Lost, rs[0].CancelRequested
		}
	default:
		r := accepted()
		if d.cancelled = rand.IntN(2) == 0; d.cancelled { //nolint:gosec // any choice will do
			r.Verdict = sandbox.Cancelled
		}
		d.verb = finishes
		err = h.e.s.Finish(h.e.ctx(), l, r)
	}
	if errors.Is(err, store.ErrLeaseLost) {
		d.lost, err = true, nil
	}
	if err != nil {
		h.e.Errorf("%s: %v", d, err)
		return
	}
	h.did(client, called, d)
}

// meddle cancels a job, or looks at it.
func (h *history) meddle(client int, id store.ID) {
	called := time.Since(h.began)
	d := deed{verb: looks, job: id}
	var j store.Job
	var err error
	if rand.IntN(3) == 0 { //nolint:gosec // any choice will do
		d.verb = cancels
		j, err = h.e.s.Cancel(h.e.ctx(), id)
		if errors.Is(err, store.ErrTerminal) {
			d.terminal, err = true, nil
		}
	} else {
		j, err = h.e.s.Get(h.e.ctx(), id)
		d.asked = j.CancelRequested
	}
	if err != nil {
		h.e.Errorf("%s: %v", d, err)
		return
	}
	d.state = j.State
	h.did(client, called, d)
}

// checkLinear has clients claim, finish, give back, cancel and look at once. What each was told must be
// what some order of all that they did would have told, in which nothing comes before what had ended
// when it began.
func checkLinear(e *env) {
	const clients, jobs, rounds = 6, 8, 25
	h := &history{e: e, began: time.Now(), ops: map[store.ID][]porcupine.Operation{}}
	for range jobs {
		h.jobs = append(h.jobs, e.submitted("a").ID)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var leases []store.Lease // shared, so that leases are used that others have lost
	for client := range clients {
		wg.Go(func() {
			for range rounds {
				if l, ok := h.claim(client); ok {
					mu.Lock()
					leases = append(leases, l)
					mu.Unlock()
				}
				mu.Lock()
				var l store.Lease
				if len(leases) > 0 {
					l = leases[len(leases)-1-rand.IntN(min(len(leases), clients))] //nolint:gosec // any choice will do
				}
				mu.Unlock()
				if l.Token != 0 {
					h.use(client, l)
				}
				h.meddle(client, h.jobs[rand.IntN(jobs)]) //nolint:gosec // any choice will do
			}
		})
	}
	wg.Wait()
	model := porcupine.Model{
		Init: func() any { return simple{state: store.Queued} },
		Step: func(state, input, _ any) (bool, any) {
			d, _ := input.(deed)
			j, _ := state.(simple)
			return d.step(j)
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprint(input) },
	}
	for id, ops := range h.ops {
		if result := porcupine.CheckOperationsTimeout(model, ops, time.Minute); result != porcupine.Ok {
			e.Errorf("job %s: no order explains what was told (%s):", id, result)
			for _, op := range ops {
				e.Errorf("%d-%d: %s", op.Call, op.Return, op.Input)
			}
		}
	}
}
