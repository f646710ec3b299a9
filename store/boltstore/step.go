package boltstore

import (
	"encoding/json"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// step moves a job along the transition table: out of the indexes of its old phase, changed by
// change, into those of the new one, with an event. Where the table forbids it nothing is
// written. It says since when a job that was ready had been so.
func (b *batch) step(q *queue, r *record, t store.Transition, reason string, change func()) (time.Time, error) {
	to, err := store.Next(r.State, t)
	if err != nil {
		return time.Time{}, err
	}
	since := b.leave(q, r)
	r.State = to
	change()
	b.enter(q, r)
	b.stateEvent(r, reason)
	b.save(r)
	return since, nil
}

// leave takes the job out of the indexes of its phase.
func (b *batch) leave(q *queue, r *record) (since time.Time) {
	p := r.phase()
	switch p {
	case ready:
		since = b.unready(q, r)
	case delayed:
		b.delete(bucketDelayed, timeKey(r.NotBefore.UnixNano(), r.ID))
	case running:
		b.delete(bucketLeases, timeKey(r.LeaseEnds, r.ID))
		b.release(q, r.Tenant)
	case completed, failed, cancelled, phaseCount:
		b.delete(bucketEnded, endedKey(p == failed, r.Finished.UnixNano(), r.ID))
	}
	b.delete(bucketPhases, phaseKey(p, r.ID))
	b.delete(bucketTenants, tenantKey(r.Tenant, p, r.ID))
	q.Counts[p]--
	q.hold(r, -1)
	q.changed = true
	return since
}

// enter puts the job into the indexes of its phase.
func (b *batch) enter(q *queue, r *record) {
	p := r.phase()
	switch p {
	case ready:
		b.makeReady(q, r)
	case delayed:
		b.put(bucketDelayed, timeKey(r.NotBefore.UnixNano(), r.ID), nil)
	case running:
		b.put(bucketLeases, timeKey(r.LeaseEnds, r.ID), nil)
	case completed, failed, cancelled, phaseCount:
		b.put(bucketEnded, endedKey(p == failed, r.Finished.UnixNano(), r.ID), nil)
	}
	b.put(bucketPhases, phaseKey(p, r.ID), nil)
	b.put(bucketTenants, tenantKey(r.Tenant, p, r.ID), nil)
	q.Counts[p]++
	q.hold(r, 1)
	q.changed = true
}

// endLease closes the current attempt.
func (b *batch) endLease(r *record, reason string, uncounted bool) {
	a := r.attempt()
	a.Ended, a.Reason, a.Uncounted = b.now, reason, uncounted
	if uncounted {
		r.Counted--
	}
	r.Token, r.LeaseEnds, r.Renewed, r.Lease = 0, 0, 0, 0
}

// end gives the job its report and its last state.
func (b *batch) end(q *queue, r *record, t store.Transition, reason string, v sandbox.Verdict, report []byte) error {
	_, err := b.step(q, r, t, reason, func() {
		if r.Token != 0 {
			b.endLease(r, reason, false)
		}
		r.Finished, r.Verdict, r.NotBefore = b.now, v, time.Time{}
	})
	if err != nil {
		return err
	}
	b.put(bucketReports, jobKey(r.ID), report)
	b.ended = append(b.ended, r.Job)
	q.count(func(c *store.Counters) {
		switch r.State {
		case store.Completed:
			c.Completed++
		case store.Failed:
			c.Failed++
		case store.Cancelled:
			c.Cancelled++
		case store.Queued, store.Running:
		}
	})
	return nil
}

// cancelledReport is the report of a job that is cancelled by the store.
func cancelledReport() []byte {
	return encodeReport(sandbox.Report{Verdict: sandbox.Cancelled, Tests: []sandbox.TestReport{}})
}

// failedReport is the report of a dead letter whose worker gave none.
func failedReport(reason, worker string) []byte {
	return encodeReport(sandbox.Report{
		Verdict: sandbox.InternalError, Tests: []sandbox.TestReport{}, Error: reason, Worker: worker,
	})
}

func encodeReport(r sandbox.Report) []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // these reports hold nothing that JSON cannot
	}
	return b
}

// retry puts a running job back, or ends it: cancelled where that was asked for, a dead letter
// with its last attempt. report is the dead letter's.
func (b *batch) retry(q *queue, r *record, t store.Transition, reason string, uncounted bool, verdict sandbox.Verdict, report []byte) error {
	switch {
	case r.CancelRequested:
		return b.end(q, r, store.CancelledRunning, reason, sandbox.Cancelled, cancelledReport())
	case !uncounted && r.Counted >= r.MaxAttempts:
		return b.end(q, r, store.DeadLettered, reason, verdict, report)
	}
	_, err := b.step(q, r, t, reason, func() {
		b.endLease(r, reason, uncounted)
		if !uncounted {
			r.NotBefore = b.now.Add(b.s.o.Backoff(r.Counted))
			q.count(func(c *store.Counters) { c.Retried++ })
		}
	})
	return err
}
