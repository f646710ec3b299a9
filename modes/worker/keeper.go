package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox/judge"
	"optimus/store"
)

// errLeaseLost is the cause of the end of a job whose lease is lost.
var errLeaseLost = fmt.Errorf("stop judging: %w", store.ErrLeaseLost)

// held is a lease that a job holds.
type held struct {
	lease store.Lease
	// stop ends the judging with a cause.
	stop context.CancelCauseFunc
	// lost is closed when the lease is lost, whatever else has ended the judging.
	lost chan struct{}
}

func newHeld(l store.Lease, stop context.CancelCauseFunc) *held {
	return &held{lease: l, stop: stop, lost: make(chan struct{})}
}

// keeper renews leases. Its goroutine alone touches the map of them.
type keeper struct {
	queue   Queue
	log     zerolog.Logger
	lease   time.Duration
	every   time.Duration
	timeout time.Duration

	add    chan *held
	remove chan *held
	look   chan struct{}
	done   chan struct{}
}

// cancelWithin is how soon a cancellation is seen where the store does not tell of it.
const cancelWithin = time.Second

func newKeeper(o Options) *keeper {
	every := o.Lease / 3
	if _, told := o.Queue.(CancelNotifier); !told {
		every = min(every, cancelWithin)
	}
	return &keeper{
		queue: o.Queue, log: o.Log, lease: o.Lease, every: every, timeout: min(o.ReportTimeout, o.Lease/3),
		add: make(chan *held), remove: make(chan *held), look: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// keep has a lease renewed until it is released or lost.
func (k *keeper) keep(h *held) {
	select {
	case k.add <- h:
	case <-k.done:
	}
}

// release ends the renewal of a lease.
func (k *keeper) release(h *held) {
	select {
	case k.remove <- h:
	case <-k.done:
	}
}

// lookNow renews soon, to learn of cancellations.
func (k *keeper) lookNow() {
	select {
	case k.look <- struct{}{}:
	default:
	}
}

// renewal is the answer to one renewal of several leases.
type renewal struct {
	leases   []*held
	renewals []store.Renewal
	err      error
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	var (
		leases = make(map[store.Lease]*held)
		answer chan renewal // nil while no renewal is under way
		again  bool         // asked to look while one is under way
		fails  outage
		timer  = time.NewTimer(k.every)
	)
	defer timer.Stop()
	renew := func() {
		if answer != nil || len(leases) == 0 {
			again = answer != nil
			return
		}
		again = false
		answer = k.renew(ctx, leases)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-k.add:
			leases[h.lease] = h
		case h := <-k.remove:
			delete(leases, h.lease)
		case <-k.look:
			renew()
		case <-timer.C:
			renew()
			timer.Reset(k.every)
		case a := <-answer:
			answer = nil
			fails.note(k.log, "renew", a.err)
			k.apply(leases, a)
			if a.err != nil {
				timer.Reset(fails.delay(k.every))
			} else if again {
				renew()
			}
		}
	}
}

// renew asks for all leases beside the keeper's goroutine, which must stay free to take leases.
func (k *keeper) renew(ctx context.Context, leases map[store.Lease]*held) chan renewal {
	r := renewal{}
	asked := make([]store.Lease, 0, len(leases))
	for l, h := range leases {
		asked = append(asked, l)
		r.leases = append(r.leases, h)
	}
	answer := make(chan renewal, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, k.timeout)
		defer cancel()
		r.renewals, r.err = k.queue.Renew(ctx, asked, k.lease)
		if r.err == nil && len(r.renewals) != len(asked) {
			r.err = errors.New("renew: the store did not answer for each lease")
		}
		answer <- r
	}()
	return answer
}

func (k *keeper) apply(leases map[store.Lease]*held, a renewal) {
	if a.err != nil {
		return // whether a lease still holds, the store says when it answers again
	}
	for i, h := range a.leases {
		if leases[h.lease] != h {
			continue // released meanwhile
		}
		switch {
		case a.renewals[i].Lost:
			delete(leases, h.lease)
			close(h.lost)
			h.stop(errLeaseLost)
		case a.renewals[i].CancelRequested:
			h.stop(judge.ErrCancelled)
		}
	}
}
