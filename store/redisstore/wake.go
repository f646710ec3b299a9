package redisstore

import (
	"context"
	"slices"

	"optimus/store"
	"optimus/store/internal/wake"
)

// waits are the workers of this process that wait for a job of a lane or for cancellations, and those who
// watch a job.
type waits = wake.Waits[string, wakeup]

// wakeup is what a queue tells: that a lane of it has a job.
type wakeup struct {
	queue uint16
	lane  string
	// hops is how many other processes may be told in place of this one.
	hops int
}

// Wake gives a channel that gets a value when a claim for one of the lanes may succeed. The process is
// registered for these lanes in every queue before it returns.
func (s *Store) Wake(ctx context.Context, lanes []store.Lane) (<-chan struct{}, error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	var texts []string
	for _, l := range lanes {
		if text := laneText(l); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	x := s.waits.Add(texts)
	if x == nil {
		return nil, store.ErrClosed
	}
	if err := s.register(ctx, texts); err != nil {
		s.unwait(x)
		return nil, err
	}
	context.AfterFunc(ctx, func() { s.unwait(x) })
	return x.C(), nil
}

// unwait ends a worker's wait. A value that it has not taken goes to another, here or in another process.
func (s *Store) unwait(x *wake.Worker[string, wakeup]) {
	if why := s.waits.Remove(x); why != nil && !s.waits.One(why.lane, *why) {
		why.hops = -1
		s.pass(*why)
	}
	s.unregisterSoon()
}

// Cancellations gives a channel that gets a value when the cancellation of a running job was asked for.
func (s *Store) Cancellations(ctx context.Context) (<-chan struct{}, error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	ch, end := s.waits.Cancellations()
	if ch == nil {
		return nil, store.ErrClosed
	}
	context.AfterFunc(ctx, end)
	return ch, nil
}

// Watch gives a channel that gets a value after each event of the job.
func (s *Store) Watch(ctx context.Context, id store.ID) (<-chan struct{}, error) {
	queue, err := s.queueOf(ctx, id)
	if err != nil {
		return nil, err
	}
	ch, end := s.waits.Watch(id)
	if ch == nil {
		return nil, store.ErrClosed
	}
	if err := s.watch(ctx, queue, id, true); err != nil {
		end()
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		if end() {
			s.behind(func(ctx context.Context) { s.unwatched(ctx, queue, id) })
		}
	})
	return ch, nil
}
