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
		names := map[uint16]string{}
		for _, q := range b.queues.byNumber {
			names[q.number] = q.Name
		}
		if err := store.CheckQueues(records, names); err != nil {
			return err
		}
		// The keys first: what is refused must not have written anything.
		if err := store.ImportAPIKeys(records, &done, b.changeAPIKeys); err != nil {
			return err
		}
		for _, r := range records {
			if r.APIKey != nil {
				continue
			}
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
		if err := b.retry(q, r, store.GivenBack, store.MovedReason, true, sandbox.InternalError, nil); err != nil {
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
