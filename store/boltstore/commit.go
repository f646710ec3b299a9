package boltstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
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
	s.waits.notify(b.woken, b.seen)
	return nil
}

// view reads a transaction.
type view struct {
	tx *bolt.Tx
}

func (v view) table(n bucket) table {
	name, prefix := n.place()
	b := v.tx.Bucket([]byte(name))
	if b == nil {
		panic("bucket " + name + " is missing") // recovered, and told as damage
	}
	return table{b, prefix}
}

func (v view) get(n bucket, k []byte) []byte { return v.table(n).get(k) }

// first is the first key that begins with prefix, and its value.
func (v view) first(n bucket, prefix []byte) (k, val []byte) {
	k, val = v.table(n).cursor().seek(prefix)
	if !bytes.HasPrefix(k, prefix) {
		return nil, nil
	}
	return k, val
}

// keys gives copies of the first keys, at most limit, that begin with prefix.
func (v view) keys(n bucket, prefix []byte, limit int) [][]byte {
	var ks [][]byte
	c := v.table(n).cursor()
	for k, _ := c.seek(prefix); len(ks) < limit && bytes.HasPrefix(k, prefix) && k != nil; k, _ = c.next() {
		ks = append(ks, bytes.Clone(k))
	}
	return ks
}

// record reads a job's record.
func (v view) record(id store.ID) (*record, error) {
	raw := v.get(bucketJobs, jobKey(id))
	if raw == nil {
		return nil, fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return decodeRecord(raw)
}

// batch is the writer's open transaction.
type batch struct {
	view
	s      *Store
	now    time.Time
	queues *catalogue
	tables [bucketCount]table
	// fault is the first error of the file itself, which spoils the whole transaction.
	fault error
	dirty bool
	// unsaved jobs were submitted in this transaction: no claim of them is told early.
	unsaved map[store.ID]bool
	// late: the operation under way must not be told early.
	late bool
	// woken are the lanes of jobs that became ready, seen the jobs that have a new event.
	woken []store.Lane
	seen  []store.ID
}

func (s *Store) begin() (b *batch, err error) {
	defer s.recovered(&err)
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, s.foreign("begin", err)
	}
	b = &batch{view: view{tx}, s: s, now: s.now(), queues: s.queues, unsaved: map[store.ID]bool{}}
	if s.queues == nil {
		if b.queues, err = loadCatalogue(b.view, s.before); err != nil {
			b.rollback()
			return nil, err
		}
		s.queues, s.before = b.queues, b.queues
	}
	return b, nil
}

// runAll runs the operations; an error means that the transaction is spoiled, and was rolled back.
func (b *batch) runAll(ops []*op) error {
	for _, o := range ops {
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		b.late = false
		o.err = b.try(o.do)
		o.early = o.early && !b.late
		if b.fault != nil {
			b.rollback()
			return b.fault
		}
	}
	if b.dirty {
		_ = b.try(func(b *batch) error { b.flush(); return nil })
	}
	if b.fault != nil {
		b.rollback()
	}
	return b.fault
}

// try runs do; a panic, which is how bbolt speaks of a damaged page, becomes a fault.
func (b *batch) try(do func(*batch) error) (err error) {
	defer b.s.recovered(&b.fault)
	return do(b)
}

func (b *batch) commit() (err error) {
	defer func() {
		if err != nil {
			b.rollback() // a panic has left it open
		}
	}()
	defer b.s.recovered(&err)
	if err := b.tx.Commit(); err != nil {
		return b.s.foreign("commit", err)
	}
	return nil
}

func (b *batch) rollback() {
	var err error
	defer b.s.recovered(&err)
	_ = b.tx.Rollback() // it fails only where there is nothing left to roll back
}

func (b *batch) table(n bucket) table {
	if b.tables[n].bucket == nil {
		b.tables[n] = b.view.table(n)
		b.tables[n].bucket.FillPercent = 0.9 // most keys are appended: to the end, or to a queue's or phase's end
	}
	return b.tables[n]
}

func (b *batch) get(n bucket, k []byte) []byte { return b.table(n).get(k) }

// put writes. Its error, which is the file's own, is kept as the transaction's fault.
func (b *batch) put(n bucket, k, v []byte) { b.wrote(b.table(n).put(k, v)) }

func (b *batch) delete(n bucket, k []byte) { b.wrote(b.table(n).delete(k)) }

func (b *batch) wrote(err error) {
	b.dirty = true
	if err != nil && b.fault == nil {
		b.fault = b.s.foreign("write", err)
	}
}

func (b *batch) putJSON(n bucket, k []byte, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		b.wrote(err)
		return
	}
	b.put(n, k, raw)
}

// save writes a job's record.
func (b *batch) save(r *record) {
	raw, err := encodeRecord(r)
	if err != nil {
		b.wrote(err)
		return
	}
	b.put(bucketJobs, jobKey(r.ID), raw)
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
	return fmt.Errorf("%s %s: %w: %w", doing, s.path, store.ErrUnavailable, err)
}
