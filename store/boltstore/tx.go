package boltstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
)

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
	r, err := decodeRecord(raw)
	if err == nil && r.ID != id {
		return nil, fmt.Errorf("%w: the record of job %s is damaged", store.ErrSchema, id)
	}
	return r, err
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
	// cancels: the cancellation of a running job was asked for.
	cancels bool
	// ended are the jobs that have come to their end.
	ended []store.Job
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

func (b *batch) putJSON(n bucket, k []byte, v any) { b.putFields(n, k, v, nil) }

// putFields is putJSON with the fields of a newer version behind those of v.
func (b *batch) putFields(n bucket, k []byte, v any, unknown map[string]json.RawMessage) {
	raw, err := json.Marshal(v)
	if err == nil {
		raw, err = store.AppendFields(raw, unknown)
	}
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
