package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"optimus/store"
)

// claim fills the free slots until ctx ends.
//
// A worker waits to be woken only while it has a free slot and has claimed all that there was:
// one submission wakes one waiting worker, which must not be a busy one.
func (s *session) claim(ctx context.Context) {
	var (
		busy    int
		empty   bool // all that there was is claimed, and a waiter stands since before that
		waiting waiter
		outage  outage
	)
	defer waiting.stop()
	for ctx.Err() == nil {
		free := s.o.Slots - busy
		if free <= 0 {
			waiting.stop()
			empty = false
			select {
			case <-s.freed:
				busy--
			case <-ctx.Done():
			}
			continue
		}
		lanes := s.o.Lanes()
		if len(lanes) == 0 {
			waiting.stop()
		}
		rest := s.brake.rest()
		if !empty && rest == 0 && len(lanes) > 0 {
			asked := s.brake.bound(free)
			claims, err := s.claimOnce(ctx, lanes, asked)
			outage.note(s.o.Log, "claim", err)
			busy += len(claims)
			s.start(ctx, claims)
			if err != nil {
				rest = outage.delay(min(s.o.Poll, slowestRetry))
			} else if len(claims) == asked {
				continue
			}
			if err == nil && waiting.start(ctx, s.o.Queue, lanes) {
				continue // a job may have come between the claim and the waiter
			}
		}
		empty = s.await(ctx, &waiting, rest, &busy)
	}
}

// await waits for a reason to claim, and tells whether there is still none.
func (s *session) await(ctx context.Context, w *waiter, rest time.Duration, busy *int) (empty bool) {
	timeout := s.o.Poll
	if rest > 0 {
		timeout = rest
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	woken := w.woken
	if rest > 0 {
		woken = nil // a wake-up does not end a rest; what it told of is claimed after it
	}
	select {
	case <-ctx.Done():
		return true
	case <-timer.C:
		return false
	case <-s.freed:
		*busy--
		return w.woken != nil && rest == 0
	case _, ok := <-woken:
		if !ok {
			w.stop()
			return true // until the poll: a store that is closing must not be asked in a tight loop
		}
		return false
	}
}

// claimOnce claims even while ctx ends: a claim that the store has made must not be forgotten.
func (s *session) claimOnce(ctx context.Context, lanes []store.Lane, most int) ([]store.Claim, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.ReportTimeout)
	defer cancel()
	return s.o.Queue.Claim(ctx, store.ClaimRequest{
		Worker: s.o.Name, Lanes: lanes, Queues: s.o.Queues, Max: most, Lease: s.o.Lease,
	})
}

func (s *session) start(ctx context.Context, claims []store.Claim) {
	for _, c := range claims {
		s.stats.claimed.Add(1)
		s.stats.busy.Add(1)
		started := ctx.Err() == nil
		s.jobs.Go(func() {
			defer func() {
				s.stats.busy.Add(-1)
				select {
				case s.freed <- struct{}{}:
				case <-s.claiming.Done(): // nobody counts slots any more
				}
			}()
			s.job(c, started)
		})
	}
}

// waiter is the wait for a wake-up.
type waiter struct {
	woken  <-chan struct{} // nil: none
	lanes  []store.Lane
	cancel context.CancelFunc
	ending <-chan struct{} // of the wait before this one, until it is closed; nil: none
}

// start begins to wait for these lanes and tells whether it did anew.
func (w *waiter) start(ctx context.Context, q Queue, lanes []store.Lane) bool {
	if w.woken != nil && slices.Equal(w.lanes, lanes) {
		return false
	}
	w.stop()
	w.settle(ctx)
	ctx, cancel := context.WithCancel(ctx)
	woken, err := q.Wake(ctx, lanes)
	if err != nil {
		cancel() // the poll stands in
		return false
	}
	w.woken, w.lanes, w.cancel = woken, slices.Clone(lanes), cancel
	return true
}

// stop ends the wait, which may take the store a moment.
func (w *waiter) stop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	*w = waiter{ending: w.woken}
}

// settleWithin bounds the wait for a store that does not close what it has been told to end.
const settleWithin = time.Second

// settle waits until the wait before is really over: a submission that woke it by mistake would
// wake nobody else.
func (w *waiter) settle(ctx context.Context) {
	timer := time.NewTimer(settleWithin)
	defer timer.Stop()
	for w.ending != nil {
		select {
		case _, open := <-w.ending:
			if !open {
				w.ending = nil
			}
		case <-timer.C:
			w.ending = nil
		case <-ctx.Done():
			return
		}
	}
}

// brake slows claiming while the runner fails at one job after the other, so that a broken
// machine does not burn the attempts of every job in the queue.
type brake struct {
	mu       sync.Mutex
	failures int
	until    time.Time
}

const (
	brakeStep = 500 * time.Millisecond
	brakeMost = 15 * time.Second
)

// failed notes that the runner failed; the first failure alone may be the job's own doing.
func (b *brake) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	if b.failures > 1 {
		b.until = time.Now().Add(min(brakeStep<<min(b.failures-2, 10), brakeMost))
	}
}

func (b *brake) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.until = 0, time.Time{}
}

// rest is how long not to claim; 0 for not at all.
func (b *brake) rest() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return 0
	}
	return max(time.Until(b.until), 0)
}

// bound is how many of n to claim: one at a time until the runner has worked again.
func (b *brake) bound(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures > 1 {
		return 1
	}
	return n
}
