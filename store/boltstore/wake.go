package boltstore

import (
	"context"

	"optimus/store"
	"optimus/store/internal/wake"
)

// waits are the workers that wait for a job or for cancellations, and those who watch a job.
type waits = wake.Waits[store.Lane, store.Lane]

// tell wakes one worker for each lane in which a job became ready, all who watch a job that has a new
// event and, where a cancellation was asked for, all who want to hear of those.
func (s *Store) tell(b *batch) {
	for _, l := range b.woken {
		s.waits.One(l, l)
	}
	for _, id := range b.seen {
		s.waits.Event(id)
	}
	if b.cancels {
		s.waits.Cancelled()
	}
}

// Wake gives a channel that gets a value when a claim for one of the lanes may succeed.
func (s *Store) Wake(ctx context.Context, lanes []store.Lane) (<-chan struct{}, error) {
	x := s.waits.Add(lanes)
	if x == nil {
		return nil, store.ErrClosed
	}
	context.AfterFunc(ctx, func() {
		if l := s.waits.Remove(x); l != nil {
			s.waits.One(*l, *l)
		}
	})
	return x.C(), nil
}

// Cancellations gives a channel that gets a value when the cancellation of a running job was asked for.
func (s *Store) Cancellations(ctx context.Context) (<-chan struct{}, error) {
	ch, end := s.waits.Cancellations()
	if ch == nil {
		return nil, store.ErrClosed
	}
	context.AfterFunc(ctx, end)
	return ch, nil
}

// Watch gives a channel that gets a value after each event of the job.
func (s *Store) Watch(ctx context.Context, id store.ID) (<-chan struct{}, error) {
	ch, end := s.waits.Watch(id)
	if ch == nil {
		return nil, store.ErrClosed
	}
	stop := context.AfterFunc(ctx, func() { end() })
	err := s.read(ctx, func(v view) error {
		_, err := v.record(id)
		return err
	})
	if err != nil {
		stop()
		end()
		return nil, err
	}
	return ch, nil
}
