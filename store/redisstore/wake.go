package redisstore

import (
	"context"
	"slices"
	"sync"

	"optimus/store"
)

// waits are the workers of this process that wait for a job or for cancellations, and those who watch
// a job.
type waits struct {
	mu      sync.Mutex
	closed  bool
	workers []*waiter // by how long they have waited
	// lanes says how many wait for each lane.
	lanes      map[string]int
	watchers   map[store.ID][]*waiter
	cancellers []*waiter
}

// wakeup is what a queue tells: that a lane of it has a job.
type wakeup struct {
	queue uint16
	lane  string
	// hops is how many other processes may be told in place of this one.
	hops int
}

// waiter waits for a value in a channel that holds one.
type waiter struct {
	ch    chan struct{}
	lanes []string
	// why is what the value in the channel tells of.
	why wakeup
}

func (w *waiter) wake() bool {
	select {
	case w.ch <- struct{}{}:
		return true
	default:
		return false
	}
}

func newWaits() *waits {
	return &waits{lanes: map[string]int{}, watchers: map[store.ID][]*waiter{}}
}

// wakeOne wakes the worker that has waited longest of those that can run the lane and have not been
// woken already, and tells whether there is one.
func (w *waits) wakeOne(why wakeup) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.workers {
		if slices.Contains(x.lanes, why.lane) && x.wake() {
			x.why = why
			w.workers = append(slices.Delete(w.workers, i, i+1), x)
			return true
		}
	}
	return false
}

// look wakes all workers: what they were told may be lost.
func (w *waits) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.workers {
		x.why = wakeup{}
		x.wake()
	}
}

// lookAll wakes whoever waits for anything.
func (w *waits) lookAll() {
	w.look()
	w.cancelled()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, xs := range w.watchers {
		for _, x := range xs {
			x.wake()
		}
	}
}

func (w *waits) cancelled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.cancellers {
		x.wake()
	}
}

func (w *waits) event(id store.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.watchers[id] {
		x.wake()
	}
}

// waited gives the lanes that somebody waits for.
func (w *waits) waited() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for l := range w.lanes {
		all = append(all, l)
	}
	return all
}

// Wake gives a channel that gets a value when a claim for one of the lanes may succeed. The process is
// registered for these lanes in every queue before it returns.
func (s *Store) Wake(ctx context.Context, lanes []store.Lane) (<-chan struct{}, error) {
	x := &waiter{ch: make(chan struct{}, 1)}
	for _, l := range lanes {
		if text := laneText(l); !slices.Contains(x.lanes, text) {
			x.lanes = append(x.lanes, text)
		}
	}
	w := s.waits
	w.mu.Lock()
	if w.closed || s.isClosed() {
		w.mu.Unlock()
		return nil, store.ErrClosed
	}
	w.workers = append(w.workers, x)
	for _, l := range x.lanes {
		w.lanes[l]++
	}
	w.mu.Unlock()
	if err := s.register(ctx, x.lanes); err != nil {
		s.waits.remove(x)
		return nil, err
	}
	context.AfterFunc(ctx, func() { s.unwait(x) })
	return x.ch, nil
}

// remove takes a worker away, and tells whether it was there.
func (w *waits) remove(x *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.workers, x)
	if i < 0 {
		return false
	}
	w.workers = slices.Delete(w.workers, i, i+1)
	for _, l := range x.lanes {
		if w.lanes[l]--; w.lanes[l] == 0 {
			delete(w.lanes, l)
		}
	}
	return true
}

// unwait ends a worker's wait. A value that it has not taken goes to another.
func (s *Store) unwait(x *waiter) {
	if !s.waits.remove(x) {
		return
	}
	select {
	case <-x.ch:
		if x.why.lane != "" && !s.waits.wakeOne(x.why) {
			x.why.hops = -1
			s.pass(x.why)
		}
	default:
	}
	close(x.ch)
	s.unregisterSoon()
}

// Cancellations gives a channel that gets a value when the cancellation of a running job was asked for.
func (s *Store) Cancellations(ctx context.Context) (<-chan struct{}, error) {
	x := &waiter{ch: make(chan struct{}, 1)}
	w := s.waits
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || s.isClosed() {
		return nil, store.ErrClosed
	}
	w.cancellers = append(w.cancellers, x)
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if i := slices.Index(w.cancellers, x); i >= 0 {
			w.cancellers = slices.Delete(w.cancellers, i, i+1)
			close(x.ch)
		}
	})
	return x.ch, nil
}

// Watch gives a channel that gets a value after each event of the job.
func (s *Store) Watch(ctx context.Context, id store.ID) (<-chan struct{}, error) {
	queue, err := s.queueOf(ctx, id)
	if err != nil {
		return nil, err
	}
	x := &waiter{ch: make(chan struct{}, 1)}
	w := s.waits
	w.mu.Lock()
	if w.closed || s.isClosed() {
		w.mu.Unlock()
		return nil, store.ErrClosed
	}
	w.watchers[id] = append(w.watchers[id], x)
	w.mu.Unlock()
	if err := s.watch(ctx, queue, id, true); err != nil {
		w.unwatch(id, x)
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		if w.unwatch(id, x) {
			s.behind(func(ctx context.Context) { s.unwatched(ctx, queue, id) })
		}
	})
	return x.ch, nil
}

// unwatch ends a watch, and tells whether nobody here watches the job any more.
func (w *waits) unwatch(id store.ID, x *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.watchers[id], x)
	if i < 0 {
		return false
	}
	w.watchers[id] = slices.Delete(w.watchers[id], i, i+1)
	close(x.ch)
	if len(w.watchers[id]) > 0 {
		return false
	}
	delete(w.watchers, id)
	return true
}

func (w *waits) watched(id store.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watchers[id]) > 0
}

// close ends all waits.
func (w *waits) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, x := range slices.Concat(w.workers, w.cancellers) {
		close(x.ch)
	}
	for _, xs := range w.watchers {
		for _, x := range xs {
			close(x.ch)
		}
	}
	w.workers, w.cancellers = nil, nil
	w.lanes, w.watchers = map[string]int{}, map[store.ID][]*waiter{}
}
