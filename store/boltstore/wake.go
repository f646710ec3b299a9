package boltstore

import (
	"context"
	"slices"
	"sync"

	"optimus/store"
)

// waits are the workers that wait for a job or for cancellations, and those who watch a job.
type waits struct {
	mu       sync.Mutex
	closed   bool
	done     chan struct{}
	workers  []*waiter // by how long they have waited
	watchers map[store.ID][]*waiter
	// cancellers are told of cancellations.
	cancellers []*waiter
}

// waiter waits for a value in a channel that holds one.
type waiter struct {
	ch    chan struct{}
	lanes []store.Lane
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
	return &waits{done: make(chan struct{}), watchers: map[store.ID][]*waiter{}}
}

// notify wakes one worker for each lane named, all who watch the jobs and, with cancels, all who
// want to hear of cancellations.
func (w *waits) notify(lanes []store.Lane, jobs []store.ID, cancels bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range lanes {
		w.wakeOne(l)
	}
	for _, id := range jobs {
		for _, x := range w.watchers[id] {
			x.wake()
		}
	}
	if cancels {
		for _, x := range w.cancellers {
			x.wake()
		}
	}
}

// wakeOne wakes the worker that has waited longest of those that can run the lane and have not
// been woken already.
func (w *waits) wakeOne(l store.Lane) {
	for i, x := range w.workers {
		if slices.Contains(x.lanes, l) && x.wake() {
			w.workers = append(slices.Delete(w.workers, i, i+1), x)
			return
		}
	}
}

// Wake gives a channel that gets a value when a claim for one of the lanes may succeed.
func (s *Store) Wake(ctx context.Context, lanes []store.Lane) (<-chan struct{}, error) {
	x := &waiter{ch: make(chan struct{}, 1), lanes: slices.Clone(lanes)}
	w := s.waits
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, store.ErrClosed
	}
	w.workers = append(w.workers, x)
	context.AfterFunc(ctx, func() { w.leave(x) })
	return x.ch, nil
}

// leave ends a worker's wait. A value that it has not taken goes to another.
func (w *waits) leave(x *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.workers, x)
	if i < 0 {
		return
	}
	w.workers = slices.Delete(w.workers, i, i+1)
	select {
	case <-x.ch:
		for _, l := range x.lanes {
			w.wakeOne(l)
		}
	default:
	}
	close(x.ch)
}

// Cancellations gives a channel that gets a value when the cancellation of a running job was asked for.
func (s *Store) Cancellations(ctx context.Context) (<-chan struct{}, error) {
	x := &waiter{ch: make(chan struct{}, 1)}
	w := s.waits
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
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
	x := &waiter{ch: make(chan struct{}, 1)}
	w := s.waits
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, store.ErrClosed
	}
	w.watchers[id] = append(w.watchers[id], x)
	w.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { w.unwatch(id, x) })
	err := s.read(ctx, func(v view) error {
		_, err := v.record(id)
		return err
	})
	if err != nil {
		stop()
		w.unwatch(id, x)
		return nil, err
	}
	return x.ch, nil
}

func (w *waits) unwatch(id store.ID, x *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.watchers[id], x)
	if i < 0 {
		return
	}
	w.watchers[id] = slices.Delete(w.watchers[id], i, i+1)
	if len(w.watchers[id]) == 0 {
		delete(w.watchers, id)
	}
	close(x.ch)
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
	w.workers, w.cancellers, w.watchers = nil, nil, map[store.ID][]*waiter{}
	close(w.done)
}
