package boltstore

import (
	"encoding/json"
	"fmt"

	"optimus/store"
)

// record is what the bucket jobs holds of a job: all but its submission, its report and its
// events, so that a transition reads and writes little.
type record struct {
	store.Job
	// Token of the current lease; 0 without one.
	Token uint64 `json:"token,omitempty"`
	// LeaseEnds and Renewed are by the queue's own clock; Lease is the lease's length.
	LeaseEnds int64 `json:"lease_ends,omitempty"`
	Renewed   int64 `json:"renewed,omitempty"`
	Lease     int64 `json:"lease,omitempty"`
	// Forgiven counts expired leases that did not count as an attempt.
	Forgiven int `json:"forgiven,omitempty"`
	// Size is that of the stored submission, in bytes.
	Size int64 `json:"size,omitempty"`
	// Key is the idempotency key, which is forgotten with the job.
	Key string `json:"key,omitempty"`
	// Seq is the last event's; Events and EventBytes are what the stream holds now.
	Seq        uint64 `json:"seq,omitempty"`
	Events     int    `json:"events,omitempty"`
	EventBytes int64  `json:"event_bytes,omitempty"`

	// unknown holds the fields of a newer version, which are written back as they were.
	unknown map[string]json.RawMessage
}

// phase is where the indexes have the job.
func (r *record) phase() phase {
	switch {
	case r.State == store.Queued && r.NotBefore.IsZero():
		return ready
	case r.State == store.Queued:
		return delayed
	}
	return phasesOf(r.State)[0]
}

// holds tells whether the lease is the job's current one and has not run out.
func (r *record) holds(q *queue, l store.Lease) bool {
	return r.State == store.Running && r.Token == l.Token && q.leaseEnd(r) > q.Clock
}

// attempt is the current attempt, or the last one.
func (r *record) attempt() *store.Attempt {
	if len(r.Attempts) == 0 {
		return &store.Attempt{}
	}
	return &r.Attempts[len(r.Attempts)-1]
}

// encodeRecord gives the stored form.
func encodeRecord(r *record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err == nil {
		b, err = store.AppendFields(b, r.unknown)
	}
	if err != nil {
		return nil, fmt.Errorf("encode job %s: %w", r.ID, err)
	}
	return b, nil
}

// decodeRecord reads the stored form.
func decodeRecord(b []byte) (*record, error) {
	r := &record{}
	unknown, err := store.DecodeFields(b, r)
	if err != nil {
		return nil, fmt.Errorf("%w: a job's record is damaged: %w", store.ErrSchema, err)
	}
	r.unknown = unknown
	return r, nil
}
