package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"optimus/sandbox"
	"optimus/store"
)

// Import adds the records that are not there yet.
func (s *Store) Import(ctx context.Context, records []store.Record) (store.Imported, error) {
	for _, r := range records {
		if err := r.Validate(); err != nil {
			return store.Imported{}, fmt.Errorf("import: %w", err)
		}
	}
	var done store.Imported
	err := s.write(ctx, func(b *batch) error {
		done = store.Imported{}
		if err := b.checkImport(records); err != nil {
			return err
		}
		for _, r := range records {
			added := &done.Skipped
			switch {
			case r.Queue != nil && b.importQueue(r.Queue):
				added = &done.Queues
			case r.Job != nil && b.importJob(r.Job):
				added = &done.Jobs
			}
			*added++
		}
		return nil
	})
	return done, err
}

// checkImport refuses queues that are others here, and jobs of no queue, before anything is written.
func (b *batch) checkImport(records []store.Record) error {
	byName, byNumber := map[string]uint16{}, map[uint16]string{}
	for _, q := range b.queues.byNumber {
		byName[q.Name], byNumber[q.number] = q.number, q.Name
	}
	for _, r := range records {
		if j := r.Job; j != nil {
			if _, known := byNumber[j.ID.Queue()]; !known {
				return r.Fault(fmt.Errorf("import: %w: job %s is of queue number %d, which is in no line before it",
					store.ErrInvalid, j.ID, j.ID.Queue()))
			}
			continue
		}
		q := r.Queue
		if name, taken := byNumber[q.Number]; taken && name != q.Name {
			return r.Fault(fmt.Errorf("import: queue %q, number %d, %w: there number %d is queue %q; import into a new store",
				q.Name, q.Number, store.ErrConflict, q.Number, name))
		}
		if n, taken := byName[q.Name]; taken && n != q.Number {
			return r.Fault(fmt.Errorf("import: queue %q, number %d, %w: there it has number %d; import into a new store",
				q.Name, q.Number, store.ErrConflict, n))
		}
		byName[q.Name], byNumber[q.Number] = q.Number, q.Name
	}
	return nil
}

// importQueue makes a queue that is not there, and tells whether it did.
func (b *batch) importQueue(r *store.QueueRecord) (made bool) {
	q := b.queues.byNumber[r.Number]
	if made = q == nil; made {
		q = b.makeQueue(r.Number, queueRecord{Name: r.Name})
		q.setState(r.State)
		q.Totals = r.Totals
		b.saveQueue(q)
	}
	q.follow(r.LastID)
	return made
}

// follow has later ids sort after this one.
func (q *queue) follow(id store.ID) {
	if bytes.Compare(q.LastID[:], id[:]) < 0 {
		q.LastID, q.changed = id, true
	}
}

// importJob adds a job that is not there, and tells whether it did.
func (b *batch) importJob(j *store.JobRecord) bool {
	k := jobKey(j.ID)
	if b.get(bucketJobs, k) != nil {
		return false
	}
	q := b.queues.byNumber[j.ID.Queue()]
	b.tick(q)
	q.follow(j.ID)
	r := &record{Job: j.Job, Size: int64(len(j.Submission)), Forgiven: j.Forgiven, Seq: j.Seq, unknown: maps.Clone(j.Unknown)}
	store.DropFields[record](r.unknown) // what we have of our own is not theirs
	r.Queue, r.Attempts = q.Name, slices.Clone(r.Attempts)
	b.unsaved[r.ID] = true
	b.put(bucketPayloads, k, j.Submission)
	if r.State.Terminal() {
		b.put(bucketReports, k, j.Report)
	}
	for _, e := range j.Events {
		b.putEvent(r, e)
	}
	b.importKey(r, j.Key)
	if r.State == store.Running {
		r.Token = 1 // a lease that nobody holds
		sh := b.share(q, r.Tenant)
		sh.running++ // which leaving that state takes away again
		b.saveShare(q, r.Tenant, sh)
	}
	b.enter(q, r)
	b.save(r)
	if r.State == store.Running {
		const reason = "not counted: the job was moved to another store while it ran"
		if err := b.retry(q, r, store.GivenBack, reason, true, sandbox.InternalError, nil); err != nil {
			b.wrote(err)
		}
	}
	return true
}

// importKey keeps the job's idempotency key, unless it is in use for another job.
func (b *batch) importKey(r *record, k *store.KeyRecord) {
	if k == nil {
		return
	}
	val := b.get(bucketKeys, idemKey(r.Tenant, k.Key))
	if len(val) == idemValue && b.now.UnixNano() < endOfKey(val) {
		return
	}
	r.Key = k.Key
	b.remember(r, k.PayloadHash, k.Ends)
}
