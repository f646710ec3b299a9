package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Mover is what moves all that a store keeps into another one, of whichever kind: a backup, and its
// way back. See [RecordWriter] for the form in which it lies in a file.
type Mover interface {
	// Export gives every queue, by number, and behind each its jobs, oldest first, and behind all of them
	// the API keys. Where one process
	// alone can have the store open that is what the store holds at one moment, however long do takes
	// and whatever becomes of the store meanwhile. A server that many share is not held still: there
	// each job, with all that is kept of it, is as it was at one moment of the export. Whichever is
	// there from its beginning to its end comes once; one that is made meanwhile may be missing, one
	// that is deleted may come; and a queue's state and totals are those of a moment before its jobs'.
	// It ends with the first error of do, and gives that. Workers, leases and the counters of single
	// minutes are no part of it.
	Export(ctx context.Context, do func(Record) error) error
	// Import adds what is not there yet, all of the records or, with an error, none; on a server that
	// many share an [ErrUnavailable] may have left whole queues' parts of them there and, unless it is
	// repeated within a minute, jobs without their idempotency keys. Who repeats an import that broke
	// off completes it. [ErrInvalid] is a
	// record that no store has written, [ErrConflict] a queue whose name or number means another queue
	// here; both name the line.
	//
	//   - Times are kept as finely as the store counts: to the nanosecond, or on a server to the
	//     microsecond.
	//   - A job keeps its id, state, attempts, events, report and fields that this version does not
	//     know, its place in the order, and the time before which it is not tried again. The bounds
	//     of a submission (depth, bytes, a tenant's share) are not asked.
	//   - A job that ran is queued, its attempt ended and not counted; where its cancellation was
	//     asked for it is cancelled instead. Who runs it in the other store has no lease here.
	//   - A queue that is not there is made, with its totals. One that is there keeps its own state
	//     and totals. Jobs are not counted anew, nor is [Options.Ended] told of them; but for those
	//     that the import itself has cancelled, as above.
	//   - An API key whose id is there already stays as it is.
	//   - An idempotency key comes with its job, unless it is in use here for another one. A submission
	//     with a key whose job is among the records gets that job or, meanwhile, [ErrUnavailable]; one
	//     that was there before, another job, which keeps the key.
	Import(ctx context.Context, records []Record) (Imported, error)
}

// Record is one of what a store keeps: a queue, a job or an API key.
type Record struct {
	Queue  *QueueRecord
	Job    *JobRecord
	APIKey *APIKey
	// Line is where it was read, from 1; 0 for nowhere.
	Line int
}

// QueueRecord is a queue without its jobs.
type QueueRecord struct {
	Name   string     `json:"name"`
	Number uint16     `json:"number"`
	State  QueueState `json:"state"`
	// LastID is the latest that was given to a job of the queue: later ones sort after it.
	LastID ID       `json:"last_id,omitzero"`
	Totals Counters `json:"totals"`
}

// JobRecord is a job with all that is kept of it.
type JobRecord struct {
	Job

	// Submission and Report are as they are stored, to the byte; those of Job are nil.
	Submission json.RawMessage `json:"submission"`
	Report     json.RawMessage `json:"report,omitempty"`
	// Forgiven counts the expired leases that did not count as an attempt.
	Forgiven int `json:"forgiven,omitempty"`
	// Seq is the last event's, which may be there no more.
	Seq    uint64     `json:"seq,omitempty"`
	Events []Event    `json:"events,omitempty"`
	Key    *KeyRecord `json:"key,omitempty"`
	// Unknown holds the fields of a newer version, by name.
	Unknown map[string]json.RawMessage `json:"-"`
}

// KeyRecord is the idempotency key of its job's tenant by which the job was submitted.
type KeyRecord struct {
	Key         string      `json:"key"`
	PayloadHash PayloadHash `json:"payload_hash"`
	// Ends is when it is forgotten.
	Ends time.Time `json:"ends"`
}

// PayloadHash is a hash in hexadecimal, where it is text.
type PayloadHash [32]byte

// MarshalText writes 64 hexadecimal digits.
func (h PayloadHash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 hexadecimal digits.
func (h *PayloadHash) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	if err != nil || len(raw) != len(h) {
		return fmt.Errorf("%w: %.70q is no hash of %d bytes", ErrInvalid, text, len(h))
	}
	copy(h[:], raw)
	return nil
}

// MovedReason is why the attempt of a job ends that ran when it was exported.
const MovedReason = "not counted: the job was moved to another store while it ran"

// Imported counts what an import has added, and what was there already.
type Imported struct {
	Queues  int `json:"queues"`
	Jobs    int `json:"jobs"`
	APIKeys int `json:"api_keys"`
	Skipped int `json:"skipped"`
}

// Add adds what another import has done.
func (i *Imported) Add(more Imported) {
	i.Queues += more.Queues
	i.Jobs += more.Jobs
	i.APIKeys += more.APIKeys
	i.Skipped += more.Skipped
}

// plainJobRecord is a JobRecord as encoding/json sees it.
type plainJobRecord JobRecord

// MarshalJSON writes the fields that this version does not know behind the others.
func (r *JobRecord) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal((*plainJobRecord)(r))
	if err == nil {
		raw, err = AppendFields(raw, r.Unknown)
	}
	if err != nil {
		return nil, fmt.Errorf("encode job %s: %w", r.ID, err)
	}
	return raw, nil
}

// UnmarshalJSON keeps the fields that it does not know.
func (r *JobRecord) UnmarshalJSON(raw []byte) error {
	plain := plainJobRecord{}
	unknown, err := DecodeFields(raw, &plain)
	if err != nil {
		return err
	}
	*r = JobRecord(plain)
	r.Unknown = unknown
	return nil
}

// AppendFields adds fields to a JSON object that has some.
func AppendFields(object []byte, more map[string]json.RawMessage) ([]byte, error) {
	if len(more) == 0 {
		return object, nil
	}
	tail, err := json.Marshal(more)
	if err != nil {
		return nil, fmt.Errorf("encode unknown fields: %w", err)
	}
	return append(append(object[:len(object)-1], ','), tail[1:]...), nil
}

// DecodeFields decodes a JSON object into the zero struct that into points to, and gives the fields
// that the struct has not; nil where it has all. It decodes twice only where there are any.
func DecodeFields[T any](raw []byte, into *T) (unknown map[string]json.RawMessage, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(into) == nil {
		return nil, nil
	}
	*into = *new(T)
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, err //nolint:wrapcheck // the caller says of what
	}
	if err := json.Unmarshal(raw, &unknown); err != nil {
		return nil, err //nolint:wrapcheck // the caller says of what
	}
	DropFields[T](unknown)
	return unknown, nil
}

// DropFields takes away those fields that a struct has, in whichever case: encoding/json heeds none.
func DropFields[T any](fields map[string]json.RawMessage) {
	var known []string
	var collect func(t reflect.Type)
	collect = func(t reflect.Type) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				collect(f.Type)
			case name != "":
				known = append(known, name)
			}
		}
	}
	collect(reflect.TypeFor[T]())
	for name := range fields {
		for _, k := range known {
			if strings.EqualFold(name, k) {
				delete(fields, name)
			}
		}
	}
}
