package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// Claim leases up to r.Max jobs, best first.
func (s *Store) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claim, error) {
	if r.Max < 1 || r.Lease <= 0 || !store.ValidName(r.Worker) {
		return nil, fmt.Errorf("claim: %w: worker %.40q wants %d jobs for %s", store.ErrInvalid, r.Worker, r.Max, r.Lease)
	}
	var claims []store.Claim
	var found []whole
	err := s.writeEarly(ctx, func(b *batch) error {
		claims, found = nil, nil
		b.claim(r, func(w whole, l store.Lease, waited time.Duration) {
			found = append(found, w)
			claims = append(claims, store.Claim{Lease: l, Waited: waited})
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range claims {
		if claims[i].Job, err = found[i].job(); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// claim leases the best jobs: of the highest priority among the queues' heads, in turn between
// queues whose heads are equal.
func (b *batch) claim(r store.ClaimRequest, found func(whole, store.Lease, time.Duration)) {
	heads := map[*queue]head{}
	look := func(q *queue) {
		delete(heads, q)
		if h, ok := b.best(q, r.Lanes); ok {
			heads[q] = h
		}
	}
	for _, q := range b.queues.named(r.Queues) {
		b.tick(q)
		if !q.Paused {
			b.promoteDue(q, r.Max)
			look(q)
		}
	}
	for range r.Max {
		q := nextQueue(heads)
		if q == nil || b.fault != nil {
			return
		}
		b.lease(q, heads[q], r, found)
		b.s.turns++
		q.turn = b.s.turns
		look(q)
	}
}

func nextQueue(heads map[*queue]head) (next *queue) {
	for q, h := range heads {
		switch {
		case next == nil || h.priority > heads[next].priority:
			next = q
		case h.priority == heads[next].priority && (q.turn < next.turn || q.turn == next.turn && q.number < next.number):
			next = q
		}
	}
	return next
}

// lease gives the head to the worker.
func (b *batch) lease(q *queue, h head, req store.ClaimRequest, found func(whole, store.Lease, time.Duration)) {
	r, err := b.record(h.id)
	if err != nil {
		b.wrote(err)
		return
	}
	b.serve(q, r, h.start)
	l := store.Lease{Job: r.ID, Token: 1 + rand.Uint64N(1<<53-1)} //nolint:gosec // distinct, not secret
	since, err := b.step(q, r, store.Claimed, "", func() {
		r.Counted++
		r.Started = b.now
		r.Attempts = append(r.Attempts, store.Attempt{Worker: req.Worker, Started: b.now})
		if extra := len(r.Attempts) - store.MaxAttemptRecords; extra > 0 {
			r.Attempts = r.Attempts[extra:]
		}
		r.Token, r.Renewed, r.Lease = l.Token, q.Clock, int64(req.Lease)
		r.LeaseEnds = q.Clock + r.Lease
	})
	if err != nil {
		b.wrote(err)
		return
	}
	b.late = b.late || b.unsaved[r.ID]
	q.count(func(c *store.Counters) { c.Claimed++ })
	found(whole{record: r, payload: bytes.Clone(b.get(bucketPayloads, jobKey(r.ID)))}, l, max(b.now.Sub(since), 0))
}

// Renew extends leases by lease from now.
func (s *Store) Renew(ctx context.Context, leases []store.Lease, lease time.Duration) ([]store.Renewal, error) {
	if lease <= 0 {
		return nil, fmt.Errorf("renew: %w: a lease of %s", store.ErrInvalid, lease)
	}
	var renewals []store.Renewal
	err := s.writeEarly(ctx, func(b *batch) error {
		renewals = make([]store.Renewal, len(leases))
		for i, l := range leases {
			q, r, err := b.leased(l)
			if err != nil {
				renewals[i].Lost = true
				continue
			}
			renewals[i].CancelRequested = r.CancelRequested
			b.delete(bucketLeases, timeKey(r.LeaseEnds, r.ID))
			r.Renewed, r.Lease = q.Clock, int64(lease)
			r.LeaseEnds = q.Clock + r.Lease
			b.put(bucketLeases, timeKey(r.LeaseEnds, r.ID), nil)
			b.save(r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return renewals, nil
}

// Finish stores the report and ends the job, after the last of its events.
func (s *Store) Finish(ctx context.Context, l store.Lease, report sandbox.Report, events ...store.Event) error {
	raw, err := s.o.EncodeReport(report)
	if err != nil {
		return err
	}
	if err := validEvents(events); err != nil {
		return fmt.Errorf("finish job %s: %w", l.Job, err)
	}
	return s.write(ctx, func(b *batch) error {
		q, r, err := b.leased(l)
		if err != nil {
			return err
		}
		for _, e := range events {
			b.event(r, e.Type, e.Data)
		}
		t := store.Finished
		if report.Verdict == sandbox.Cancelled && r.CancelRequested {
			t = store.CancelledRunning
		}
		return b.end(q, r, t, "", report.Verdict, raw)
	})
}

// GiveBack ends the attempt without a report.
func (s *Store) GiveBack(ctx context.Context, l store.Lease, g store.GiveBack) error {
	verdict, raw, err := s.o.EncodeGiveBack(g)
	if err != nil {
		return err
	}
	return s.write(ctx, func(b *batch) error {
		q, r, err := b.leased(l)
		if err != nil {
			return err
		}
		report := raw
		if report == nil {
			report = failedReport(g.Reason, r.attempt().Worker)
		}
		return b.retry(q, r, store.GivenBack, g.Reason, !g.Counted, verdict, report)
	})
}

// Cancel ends a queued job and asks the worker of a running one to stop.
func (s *Store) Cancel(ctx context.Context, id store.ID) (store.Job, error) {
	var w whole
	var ended error
	err := s.write(ctx, func(b *batch) error {
		q, r, err := b.job(id)
		if err != nil {
			return err
		}
		ended = nil
		switch {
		case r.State.Terminal():
			ended = fmt.Errorf("cancel job %s: %w", id, store.ErrTerminal)
		case r.State == store.Queued:
			r.CancelRequested = true
			err = b.end(q, r, store.CancelledQueued, "cancelled", sandbox.Cancelled, cancelledReport())
		case !r.CancelRequested:
			r.CancelRequested = true
			b.cancels = true
			b.save(r)
		}
		w = b.whole(r)
		return err
	})
	if err != nil {
		return store.Job{}, err
	}
	job, err := w.job()
	if err != nil {
		return job, err
	}
	return job, ended
}
