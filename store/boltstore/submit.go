package boltstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// whole is a job as its buckets hold it, to be decoded outside of the transaction.
type whole struct {
	record          *record
	payload, report []byte
}

// whole copies what the buckets hold of a job.
func (v view) whole(r *record) whole {
	k := jobKey(r.ID)
	return whole{r, bytes.Clone(v.get(bucketPayloads, k)), bytes.Clone(v.get(bucketReports, k))}
}

func (w whole) job() (store.Job, error) {
	j := w.record.Job
	if w.payload != nil {
		j.Submission = &sandbox.Submission{}
		if err := json.Unmarshal(w.payload, j.Submission); err != nil {
			return j, fmt.Errorf("%w: the submission of job %s is damaged: %w", store.ErrSchema, j.ID, err)
		}
	}
	if w.report != nil {
		j.Report = &sandbox.Report{}
		if err := json.Unmarshal(w.report, j.Report); err != nil {
			return j, fmt.Errorf("%w: the report of job %s is damaged: %w", store.ErrSchema, j.ID, err)
		}
	}
	return j, nil
}

// Submit makes the job durable and queued.
func (s *Store) Submit(ctx context.Context, n store.NewJob) (job store.Job, replayed bool, err error) {
	payload, err := s.o.EncodeSubmission(n)
	if err != nil {
		return store.Job{}, false, err
	}
	var w whole
	err = s.write(ctx, func(b *batch) error {
		id, err := b.lookup(n.Tenant, n.Key, n.PayloadHash)
		if err == nil {
			r, err := b.record(id)
			if err == nil {
				w, replayed = b.whole(r), true
			}
			return err
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		replayed = false
		r, err := b.submit(n, payload)
		w = whole{record: r}
		return err
	})
	if err != nil {
		return store.Job{}, false, err
	}
	job, err = w.job()
	if !replayed {
		job.Submission = &n.Submission
	}
	return job, replayed, err
}

// submit makes the job in the transaction.
func (b *batch) submit(n store.NewJob, payload []byte) (*record, error) {
	if q := b.queues.byName[n.Queue]; q != nil {
		if q.Draining {
			return nil, fmt.Errorf("queue %q: %w", q.Name, store.ErrQueueDrained)
		}
		if err := b.room(q, n.Tenant, int64(len(payload))); err != nil {
			return nil, err
		}
	}
	q, err := b.queueFor(n.Queue)
	if err != nil {
		return nil, err
	}
	q.LastID = store.NextID(q.LastID, b.now, q.number, 0)
	r := &record{
		Job: store.Job{
			ID: q.LastID, Tenant: n.Tenant, Queue: q.Name, Lane: n.Lane(), Priority: n.Priority,
			State: store.Queued, MaxAttempts: n.MaxAttempts, Created: q.LastID.Time(), Labels: n.Labels, Trace: n.Trace,
		},
		Size: int64(len(payload)), Key: n.Key,
	}
	if r.MaxAttempts == 0 {
		r.MaxAttempts = b.s.o.MaxAttempts
	}
	b.unsaved[r.ID] = true
	b.put(bucketPayloads, jobKey(r.ID), payload)
	b.remember(r, n.PayloadHash, b.now.Add(b.s.o.KeyTTL))
	b.enter(q, r)
	b.stateEvent(r, "")
	b.save(r)
	q.count(func(c *store.Counters) { c.Submitted++ })
	return r, nil
}

// room refuses a submission that the queue has no room for, and counts it.
func (b *batch) room(q *queue, tenant string, payload int64) error {
	o := b.s.o
	full := &store.QueueFullError{Queue: q.Name}
	switch {
	case o.MaxDepth > 0 && q.unfinished() >= o.MaxDepth:
		full.Depth = o.MaxDepth
	case o.MaxBytes > 0 && q.Bytes+payload > o.MaxBytes:
		full.Bytes = o.MaxBytes
	case o.TenantQueued > 0 && b.unfinishedOf(q, tenant) >= o.TenantQueued:
		full.TenantQueued = o.TenantQueued
	default:
		return nil
	}
	b.tick(q)
	q.count(func(c *store.Counters) { c.RejectedFull++ })
	b.dirty = true
	full.RetryAfter = b.retryAfter(q)
	return full
}

// unfinishedOf counts a tenant's jobs in the queue: the first time from the index, then by what changes.
func (b *batch) unfinishedOf(q *queue, tenant string) int {
	n, known := q.tenants[tenant]
	if known {
		return n
	}
	for _, p := range []phase{ready, delayed, running} {
		n += len(b.keys(bucketTenants, append(tenantPrefix(q.number, tenant), byte(p)), math.MaxInt))
	}
	if q.tenants == nil {
		q.tenants = map[string]int{}
	}
	q.tenants[tenant] = n
	return n
}

// retryAfter guesses from the last minutes when a full queue has room: a minute where none ended.
func (b *batch) retryAfter(q *queue) time.Duration {
	var ended, minutes uint64
	for back := range int64(5) {
		c, err := b.minute(q.number, q.Minute-back)
		if back == 0 {
			c = q.Current
		}
		if n := c.Completed + c.Failed + c.Cancelled; err == nil && n > 0 {
			ended += n
			minutes++
		}
	}
	if ended == 0 {
		return time.Minute
	}
	return max(time.Second, time.Duration(minutes)*time.Minute/time.Duration(ended))
}

// An idempotency key's value is a job's id, the payload's hash and when it is forgotten.
const idemValue = 16 + 32 + 8

// lookup finds what the tenant's key was used for.
func (v view) lookup(tenant, key string, hash [32]byte, now time.Time) (store.ID, error) {
	if key == "" || len(key) > store.MaxKey || len(tenant) > store.MaxName {
		return store.ID{}, fmt.Errorf("idempotency key: %w", store.ErrNotFound)
	}
	val := v.get(bucketKeys, idemKey(tenant, key))
	if len(val) != idemValue || now.UnixNano() >= endOfKey(val) {
		return store.ID{}, fmt.Errorf("idempotency key %.40q: %w", key, store.ErrNotFound)
	}
	if [32]byte(val[16:48]) != hash {
		return store.ID{}, fmt.Errorf("key %.40q: %w", key, store.ErrKeyConflict)
	}
	return store.ID(val[:16]), nil
}

func endOfKey(val []byte) int64 { return int64(binary.BigEndian.Uint64(val[48:])) } //nolint:gosec // was not negative

func (b *batch) lookup(tenant, key string, hash [32]byte) (store.ID, error) {
	return b.view.lookup(tenant, key, hash, b.now)
}

// remember keeps the job's idempotency key until a time.
func (b *batch) remember(r *record, hash [32]byte, until time.Time) {
	if r.Key == "" {
		return
	}
	b.forgetKey(r.Tenant, r.Key)
	end := until.UnixNano()
	val := append(append(make([]byte, 0, idemValue), r.ID[:]...), hash[:]...)
	val = binary.BigEndian.AppendUint64(val, uint64(max(end, 0)))
	b.put(bucketKeys, idemKey(r.Tenant, r.Key), val)
	b.put(bucketKeyEnds, idemEndKey(end, r.Tenant, r.Key), nil)
}

// forgetKey drops the key, if it is there.
func (b *batch) forgetKey(tenant, key string) {
	k := idemKey(tenant, key)
	if val := b.get(bucketKeys, k); len(val) == idemValue {
		b.delete(bucketKeyEnds, idemEndKey(endOfKey(val), tenant, key))
		b.delete(bucketKeys, k)
	}
}

// LookupKey gives the id that the tenant's key was used for.
func (s *Store) LookupKey(ctx context.Context, tenant, key string, payload [32]byte) (id store.ID, err error) {
	err = s.read(ctx, func(v view) error {
		id, err = v.lookup(tenant, key, payload, s.now())
		return err
	})
	return id, err
}

// Get gives the job with submission and report.
func (s *Store) Get(ctx context.Context, id store.ID) (store.Job, error) {
	var w whole
	err := s.read(ctx, func(v view) error {
		r, err := v.record(id)
		if err == nil {
			w = v.whole(r)
		}
		return err
	})
	if err != nil {
		return store.Job{}, err
	}
	return w.job()
}
