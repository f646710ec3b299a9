package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// sweepBatch bounds what a sweep does in one transaction, so that others get their turn.
const sweepBatch = 256

// Sweep moves expired leases and due retries, and drops what retention no longer keeps.
func (s *Store) Sweep(ctx context.Context) (store.Swept, error) {
	var sum store.Swept
	for {
		var now store.Swept
		var more bool
		err := s.write(ctx, func(b *batch) error {
			now, more = b.sweep()
			return nil
		})
		if err != nil {
			return sum, err
		}
		sum.Expired += now.Expired
		sum.DeadLettered += now.DeadLettered
		sum.Promoted += now.Promoted
		sum.Deleted += now.Deleted
		if !more {
			return sum, nil
		}
	}
}

// sweep does a batch of each kind for each queue; more tells that one was full.
func (b *batch) sweep() (done store.Swept, more bool) {
	for _, q := range b.queues.sorted() {
		b.tick(q)
		looked, expired, dead := b.expire(q)
		promoted := b.promoteDue(q, sweepBatch)
		deleted := b.forgetOld(q)
		done.Expired += expired
		done.DeadLettered += dead
		done.Promoted += promoted
		done.Deleted += deleted
		more = more || max(looked, promoted, deleted) >= sweepBatch
	}
	keys := b.forgetKeys()
	b.forgetWorkers()
	return done, more || keys >= sweepBatch
}

// due gives the ids of a queue's entries whose time is not after t, at most a batch.
func (b *batch) due(n bucket, prefix []byte, t int64, limit int) []store.ID {
	return b.between(n, prefix, 0, t, limit)
}

// between gives the ids of a queue's entries whose time is from one to another, at most a batch.
func (b *batch) between(n bucket, prefix []byte, from, to int64, limit int) []store.ID {
	var ids []store.ID
	c := b.table(n).cursor()
	first := binary.BigEndian.AppendUint64(bytes.Clone(prefix), uint64(from)) //nolint:gosec // is not negative
	for k, _ := c.seek(first); bytes.HasPrefix(k, prefix) && len(ids) < limit; k, _ = c.next() {
		if int64(binary.BigEndian.Uint64(k[len(prefix):])) > to { //nolint:gosec // was not negative
			break
		}
		ids = append(ids, idAtEnd(k))
	}
	return ids
}

// expire ends the leases that have run out. It looks at more where an outage has lengthened some.
func (b *batch) expire(q *queue) (looked, expired, dead int) {
	for _, id := range b.due(bucketLeases, number(q.number), q.Clock, sweepBatch) {
		looked++
		r, err := b.record(id)
		if err != nil {
			b.wrote(err)
			return looked, expired, dead
		}
		if end := q.leaseEnd(r); end > q.Clock {
			b.delete(bucketLeases, timeKey(r.LeaseEnds, r.ID))
			r.LeaseEnds = end
			b.put(bucketLeases, timeKey(r.LeaseEnds, r.ID), nil)
			b.save(r)
			continue
		}
		if err := b.expireOne(q, r); err != nil {
			b.wrote(err)
			return looked, expired, dead
		}
		expired++
		if r.State == store.Failed {
			dead++
		}
	}
	return looked, expired, dead
}

// endLeases has every lease run out now: who held one was in the process that had the file before,
// and that it is gone is what the lock on the file proves.
func (b *batch) endLeases(q *queue) {
	for _, id := range b.due(bucketLeases, number(q.number), math.MaxInt64, math.MaxInt) {
		r, err := b.record(id)
		if err != nil {
			b.wrote(damaged(b.s.path, err))
			return
		}
		b.delete(bucketLeases, timeKey(r.LeaseEnds, r.ID))
		r.LeaseEnds, r.Lease = min(r.LeaseEnds, q.Clock), 0
		b.put(bucketLeases, timeKey(r.LeaseEnds, r.ID), nil)
		b.save(r)
	}
}

func (b *batch) expireOne(q *queue, r *record) error {
	worker := r.attempt().Worker
	reason := fmt.Sprintf("lease expired: worker %q did not renew it", worker)
	pardon := b.pardon(q, r)
	if pardon != "" {
		reason += "; not counted: " + pardon
		r.Forgiven++
	}
	q.count(func(c *store.Counters) { c.LeasesLost++ })
	return b.retry(q, r, store.Expired, reason, pardon != "", sandbox.InternalError, failedReport(reason, worker))
}

// pardon says why an expired lease does not count as an attempt; empty where it does.
func (b *batch) pardon(q *queue, r *record) string {
	if r.Forgiven >= r.MaxAttempts {
		return ""
	}
	if q.outageSince(r) {
		return "the store was out"
	}
	raw := b.get(bucketWorkers, []byte(r.attempt().Worker))
	w := workerRecord{}
	if raw == nil || json.Unmarshal(raw, &w) != nil {
		return ""
	}
	if w.Ends.After(b.now) && !w.Started.After(r.attempt().Started) {
		return "the worker is alive"
	}
	return ""
}

// promoteDue makes ready the delayed jobs whose time has come. It has, too, where it is further away
// than any delay: the clock has gone back since.
func (b *batch) promoteDue(q *queue, limit int) int {
	ids := b.due(bucketDelayed, number(q.number), b.now.UnixNano(), limit)
	beyond := b.now.Add(b.s.o.BackoffMax).UnixNano() + 1
	ids = append(ids, b.between(bucketDelayed, number(q.number), beyond, math.MaxInt64, limit-len(ids))...)
	for _, id := range ids {
		r, err := b.record(id)
		if err != nil {
			b.wrote(err)
			break
		}
		b.leave(q, r)
		r.NotBefore = time.Time{}
		b.enter(q, r)
		b.save(r)
	}
	return len(ids)
}

// forgetOld drops the ended jobs that are past their retention.
func (b *batch) forgetOld(q *queue) int {
	n := 0
	for _, dead := range []bool{false, true} {
		keep := b.s.o.Retention
		if dead {
			keep = b.s.o.FailedRetention
		}
		if keep <= 0 {
			continue
		}
		prefix := endedKey(dead, 0, store.ID{})[:3]
		copy(prefix, number(q.number))
		for _, id := range b.due(bucketEnded, prefix, b.now.Add(-keep).UnixNano(), sweepBatch) {
			r, err := b.record(id)
			if err != nil {
				b.wrote(err)
				return n
			}
			b.forget(q, r)
			n++
		}
	}
	return n
}

// forget drops a job that has ended.
func (b *batch) forget(q *queue, r *record) {
	b.leave(q, r)
	b.seen = append(b.seen, r.ID)
	k := jobKey(r.ID)
	for _, n := range []bucket{bucketJobs, bucketPayloads, bucketReports} {
		b.delete(n, k)
	}
	for _, e := range b.keys(bucketEvents, k, r.Events) {
		b.delete(bucketEvents, e)
	}
	if r.Key == "" {
		return
	}
	if val := b.get(bucketKeys, idemKey(r.Tenant, r.Key)); bytes.HasPrefix(val, r.ID[:]) {
		b.forgetKey(r.Tenant, r.Key)
	}
}

// forgetKeys drops idempotency keys past their time.
func (b *batch) forgetKeys() int {
	limit := idemEndKey(b.now.UnixNano(), "", "")[:8]
	old := b.keys(bucketKeyEnds, nil, sweepBatch)
	for i, k := range old {
		if bytes.Compare(k[:8], limit) > 0 {
			return i
		}
		b.delete(bucketKeyEnds, k)
		b.delete(bucketKeys, k[8:])
	}
	return len(old)
}

// forgetWorkers drops workers that have not been heard of.
func (b *batch) forgetWorkers() {
	for _, k := range b.keys(bucketWorkers, nil, sweepBatch) {
		w := workerRecord{}
		if json.Unmarshal(b.get(bucketWorkers, k), &w) != nil || !w.Ends.After(b.now) {
			b.delete(bucketWorkers, k)
		}
	}
}

// Delete forgets a job that has ended.
func (s *Store) Delete(ctx context.Context, id store.ID) error {
	return s.write(ctx, func(b *batch) error {
		q, r, err := b.job(id)
		if err != nil {
			return err
		}
		if !r.State.Terminal() {
			return fmt.Errorf("delete job %s, which is %s: %w", id, r.State, store.ErrNotTerminal)
		}
		b.forget(q, r)
		return nil
	})
}
