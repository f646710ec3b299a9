package boltstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"

	"optimus/store"
)

// maxBatch is how many operations share one transaction.
const maxBatch = 512

// op is one operation that waits for the writer.
//
// do checks all that it can before it writes: once it has returned an error nothing of it may
// stand in the transaction, which other operations share. It may be run again, in a transaction
// of its own, where another one's fault has spoiled the first.
type op struct {
	ctx context.Context //nolint:containedctx // the caller waits in write for as long as the op lives
	do  func(*batch) error
	// early: the caller need not wait for the disk. See the package doc.
	early bool
	done  chan error
	err   error
	told  bool
}

func (o *op) tell(err error) {
	if !o.told {
		o.told = true
		o.done <- err
	}
}

// write runs do in the writer's next transaction, and returns once that is durable.
func (s *Store) write(ctx context.Context, do func(*batch) error) error {
	return s.enqueue(&op{ctx: ctx, do: do, done: make(chan error, 1)})
}

// writeEarly is write for what need not be durable to be answered.
func (s *Store) writeEarly(ctx context.Context, do func(*batch) error) error {
	return s.enqueue(&op{ctx: ctx, do: do, done: make(chan error, 1), early: true})
}

func (s *Store) enqueue(o *op) error {
	if err := o.ctx.Err(); err != nil {
		return fmt.Errorf("write to store: %w", err)
	}
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return store.ErrClosed
	}
	s.ops <- o // the writer drains it until Close has the lock
	s.closing.RUnlock()
	return <-o.done
}

// run is the writer: the one goroutine that writes.
func (s *Store) run() {
	defer close(s.written)
	for o := range s.ops {
		s.commit(s.gather(o))
	}
}

// gather takes the operations that wait. Whoever was answered by the last commit is about to
// ask for more: it yields for as long as that brings any, so that they share this commit.
func (s *Store) gather(first *op) []*op {
	ops := []*op{first}
	for before := 0; before < len(ops) && len(ops) < maxBatch; {
		before = len(ops)
		runtime.Gosched()
		for len(ops) < maxBatch && len(s.ops) > 0 {
			if o, ok := <-s.ops; ok {
				ops = append(ops, o)
			}
		}
	}
	return ops
}

// commit runs the operations in one transaction and answers each.
func (s *Store) commit(ops []*op) {
	b, err := s.begin()
	if err == nil {
		err = b.runAll(ops)
	}
	if err == nil {
		err = s.finish(b, ops)
	}
	if err == nil {
		for _, o := range ops {
			o.tell(o.err)
		}
		return
	}
	s.queues = nil // what the lost transaction had changed
	if len(ops) > 1 && b != nil && b.fault != nil {
		// One of them spoiled it for all: each gets a transaction of its own.
		for _, o := range ops {
			s.commit([]*op{o})
		}
		return
	}
	for _, o := range ops {
		o.tell(err)
	}
}

// finish makes what the operations wrote durable, and wakes who waits for it.
func (s *Store) finish(b *batch, ops []*op) error {
	if !b.dirty {
		b.rollback()
		return nil
	}
	if s.healthy.Load() && slices.ContainsFunc(ops, func(o *op) bool { return o.early }) {
		// Readers wait until what is told here is what they will see.
		s.visible.Lock()
		defer s.visible.Unlock()
		for _, o := range ops {
			if o.early {
				o.tell(o.err)
			}
		}
	}
	if err := b.commit(); err != nil {
		s.healthy.Store(false)
		return err
	}
	s.healthy.Store(true)
	if s.o.Ended != nil {
		for _, j := range b.ended {
			s.o.Ended(j)
		}
	}
	s.tell(b)
	return nil
}

// read runs do on the last commit.
func (s *Store) read(ctx context.Context, do func(view) error) (err error) {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read store: %w", err)
	}
	defer s.recovered(&err)
	s.visible.RLock()
	tx, err := s.db.Begin(false)
	s.visible.RUnlock()
	if err != nil {
		return s.foreign("read", err)
	}
	defer func() { _ = tx.Rollback() }() // ends a read
	return do(view{tx})
}

// recovered turns a panic into an error that speaks of a damaged file.
func (s *Store) recovered(err *error) {
	if r := recover(); r != nil {
		*err = damaged(s.path, r)
	}
}

// foreign wraps an error of bbolt.
func (s *Store) foreign(doing string, err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	kind := store.ErrUnavailable
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, berrors.ErrMaxSizeReached) {
		kind = store.ErrNoRoom
	}
	return fmt.Errorf("%s %s: %w: %w", doing, s.path, kind, err)
}
