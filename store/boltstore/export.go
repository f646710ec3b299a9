package boltstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
)

// Export gives every queue and job as they are in one commit. It reads a copy of the file: a
// transaction that stays open for as long as somebody reads slowly would let the file grow and,
// where its mapping must grow, keep all others from writing. Where no copy can be made, as on a
// full disk, the file itself is read.
func (s *Store) Export(ctx context.Context, do func(store.Record) error) error {
	db, err := s.copied(ctx)
	if err != nil {
		return s.read(ctx, func(v view) error { return v.export(ctx, do) })
	}
	return errors.Join(s.readFrom(db, func(v view) error { return v.export(ctx, do) }), db.Close())
}

// copied opens a copy of the file as it is now. The copy has no name any more.
func (s *Store) copied(ctx context.Context) (*bolt.DB, error) {
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+unfinished+"*")
	if err != nil {
		return nil, s.foreign("copy", err)
	}
	if err = os.Remove(f.Name()); err == nil {
		err = s.read(ctx, func(v view) error {
			_, err := v.tx.WriteTo(&untilDone{ctx, f})
			return err //nolint:wrapcheck // see below
		})
	}
	if err != nil {
		return nil, errors.Join(s.foreign("copy", err), f.Close())
	}
	var file *os.File
	o := options(&file)
	o.ReadOnly = true
	o.OpenFile = func(string, int, os.FileMode) (*os.File, error) { return f, nil }
	db, err := bolt.Open(f.Name(), 0o600, o)
	if err != nil {
		return nil, errors.Join(s.foreign("copy", err), f.Close())
	}
	return db, nil
}

// untilDone writes until its context ends.
type untilDone struct {
	ctx context.Context //nolint:containedctx // io.Writer has none
	w   io.Writer
}

func (u *untilDone) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, fmt.Errorf("copy store: %w", err)
	}
	return u.w.Write(b) //nolint:wrapcheck // its caller does
}

// readFrom runs do on what a copy holds.
func (s *Store) readFrom(db *bolt.DB, do func(view) error) (err error) {
	defer s.recovered(&err)
	tx, err := db.Begin(false)
	if err != nil {
		return s.foreign("read", err)
	}
	defer func() { _ = tx.Rollback() }() // ends a read
	return do(view{tx})
}

func (v view) export(ctx context.Context, do func(store.Record) error) error {
	queues, err := loadCatalogue(v, nil)
	if err != nil {
		return err
	}
	for _, q := range queues.sorted() {
		err := do(store.Record{Queue: &store.QueueRecord{
			Name: q.Name, Number: q.number, State: q.state(), LastID: q.LastID, Totals: q.Totals,
		}})
		if err != nil {
			return err
		}
		prefix := number(q.number)
		c := v.table(bucketJobs).cursor()
		for k, raw := c.seek(prefix); bytes.HasPrefix(k, prefix); k, raw = c.next() {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			job, err := v.exportJob(raw)
			if err != nil {
				return err
			}
			if err := do(store.Record{Job: job}); err != nil {
				return err
			}
		}
	}
	keys, err := v.apiKeys()
	for i := range keys {
		if err == nil {
			err = do(store.Record{APIKey: &keys[i]})
		}
	}
	return err
}

func (v view) exportJob(raw []byte) (*store.JobRecord, error) {
	r, err := decodeRecord(raw)
	if err != nil {
		return nil, err
	}
	w := v.whole(r)
	if w.payload == nil {
		return nil, fmt.Errorf("%w: the submission of job %s is missing", store.ErrSchema, r.ID)
	}
	j := &store.JobRecord{
		Job: r.Job, Submission: w.payload, Report: w.report, Forgiven: r.Forgiven, Seq: r.Seq, Unknown: r.unknown,
		Events: v.events(r.ID, 0),
	}
	if val := v.get(bucketKeys, idemKey(r.Tenant, r.Key)); r.Key != "" && len(val) == idemValue && bytes.HasPrefix(val, r.ID[:]) {
		j.Key = &store.KeyRecord{Key: r.Key, PayloadHash: store.PayloadHash(val[16:48]), Ends: unixTime(endOfKey(val))}
	}
	for i := range j.Events {
		if !json.Valid(j.Events[i].Data) {
			j.Events[i].Data = nil // nobody could read it
		}
	}
	return j, nil
}
