// Package wake knows who waits in this process: for a job, for cancellations, or for the events of a job.
// Whoever waits has a channel that holds one value, which says no more than "look".
package wake

import (
	"slices"
	"sync"

	"optimus/store"
)

// Waits are those who wait. Workers wait for lanes, L, and a wake-up tells of a lane, with whatever else N has.
type Waits[L comparable, N any] struct {
	mu         sync.Mutex
	closed     bool
	workers    []*Worker[L, N] // by how long they have waited
	watchers   map[store.ID][]channel
	cancellers []channel
}

// channel holds one value.
type channel chan struct{}

func (c channel) wake() bool {
	select {
	case c <- struct{}{}:
		return true
	default:
		return false
	}
}

// take takes the value, and tells whether there is one.
func (c channel) take() bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Worker waits for a job of one of its lanes.
type Worker[L comparable, N any] struct {
	ch    channel
	lanes []L
	// told is what the value in the channel tells of; nil where it may be anything.
	told *N
}

// C is where it is woken.
func (w *Worker[L, N]) C() <-chan struct{} { return w.ch }

// New gives nobody who waits.
func New[L comparable, N any]() *Waits[L, N] {
	return &Waits[L, N]{watchers: map[store.ID][]channel{}}
}

// Add begins the wait of a worker; nil where all waits are over.
func (w *Waits[L, N]) Add(lanes []L) *Worker[L, N] {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	x := &Worker[L, N]{ch: make(channel, 1), lanes: slices.Clone(lanes)}
	w.workers = append(w.workers, x)
	return x
}

// Remove ends the wait of a worker. It gives what the worker was woken for and has not taken, which another
// must hear of: nil for nothing.
func (w *Waits[L, N]) Remove(x *Worker[L, N]) (untaken *N) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.workers, x)
	if i < 0 {
		return nil
	}
	w.workers = slices.Delete(w.workers, i, i+1)
	if x.ch.take() {
		untaken = x.told
	}
	close(x.ch)
	return untaken
}

// One wakes the worker that has waited longest of those that can run the lane and have not been woken
// already, and tells whether there is one.
func (w *Waits[L, N]) One(lane L, why N) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.workers {
		if slices.Contains(x.lanes, lane) && x.ch.wake() {
			x.told = &why
			w.workers = append(slices.Delete(w.workers, i, i+1), x)
			return true
		}
	}
	return false
}

// Look wakes all workers: what they were told may be lost.
func (w *Waits[L, N]) Look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
}

func (w *Waits[L, N]) look() {
	for _, x := range w.workers {
		x.told = nil
		x.ch.wake()
	}
}

// LookAll wakes whoever waits for anything.
func (w *Waits[L, N]) LookAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	wakeAll(w.cancellers)
	for _, chs := range w.watchers {
		wakeAll(chs)
	}
}

func wakeAll(chs []channel) {
	for _, ch := range chs {
		ch.wake()
	}
}

// Lanes gives those that somebody waits for.
func (w *Waits[L, N]) Lanes() []L {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []L
	for _, x := range w.workers {
		for _, l := range x.lanes {
			if !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all
}

// Cancellations begins a wait for cancellations. end ends it; the channel is nil where all waits are over.
func (w *Waits[L, N]) Cancellations() (ch <-chan struct{}, end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, nil
	}
	own := make(channel, 1)
	w.cancellers = append(w.cancellers, own)
	return own, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.cancellers, _ = without(w.cancellers, own)
	}
}

// Cancelled wakes who waits for cancellations.
func (w *Waits[L, N]) Cancelled() {
	w.mu.Lock()
	defer w.mu.Unlock()
	wakeAll(w.cancellers)
}

// Watch begins a wait for a job's events. end ends it, and tells whether nobody watches the job any more that
// did; the channel is nil where all waits are over.
func (w *Waits[L, N]) Watch(id store.ID) (ch <-chan struct{}, end func() (last bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, nil
	}
	own := make(channel, 1)
	w.watchers[id] = append(w.watchers[id], own)
	return own, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		left, there := without(w.watchers[id], own)
		if w.watchers[id] = left; len(left) == 0 {
			delete(w.watchers, id)
		}
		return there && len(left) == 0
	}
}

// without closes a channel and takes it away, where it is there still.
func without(chs []channel, own channel) (left []channel, there bool) {
	i := slices.Index(chs, own)
	if i < 0 {
		return chs, false
	}
	close(own)
	return slices.Delete(chs, i, i+1), true
}

// Watched tells whether anybody watches a job.
func (w *Waits[L, N]) Watched(id store.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.watchers[id]) > 0
}

// Event wakes who watches a job.
func (w *Waits[L, N]) Event(id store.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wakeAll(w.watchers[id])
}

// Close ends all waits, those to come too.
func (w *Waits[L, N]) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, x := range w.workers {
		close(x.ch)
	}
	for _, ch := range w.cancellers {
		close(ch)
	}
	for _, chs := range w.watchers {
		for _, ch := range chs {
			close(ch)
		}
	}
	w.workers, w.cancellers, w.watchers = nil, nil, map[store.ID][]channel{}
}
