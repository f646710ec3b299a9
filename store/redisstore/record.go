package redisstore

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// The places of what records hold; in the scripts R_STATE is the first field of a record, and so on.
// New fields are appended: whoever does not know them leaves them as they are.

// recordFields are those of a job. Times are in µs since 1970, those of leases by the queue's clock.
func recordFields() []string {
	return []string{
		"STATE",    // q ready, d delayed, r running, c completed, f failed, x cancelled
		"TENANT",   //
		"LANE",     // see laneText
		"PRIORITY", //
		"PLACE",    // in the queue: when it came in µs, and behind the one before
		"SINCE",    // when it last became ready
		"TOKEN",    // of the current lease, 0 without one
		"ENDS",     // of the lease
		"RENEWED",  // the lease
		"LEASE",    // its length in µs
		"COUNTED",  // attempts
		"MAX_ATTEMPTS",
		"FORGIVEN",   // expired leases that did not count as an attempt
		"CANCEL",     // 1: asked for
		"FINISHED",   //
		"NOT_BEFORE", //
		"VERDICT",
		"SIZE",        // of the payload in bytes
		"SEQ",         // of the last event
		"EVENTS",      // that the stream holds, and
		"EVENT_BYTES", // the bytes of their data
		"FIRST",       // time of the first event, which is not in the stream; 0 where it was dropped
		"DONE",        // marks of the last calls that changed it, to know them again
		"PROCESS",     // that holds the lease
		"ATTEMPTS",    // arrays
		"WATCHERS",    // processes that are told of its events
		"DETAILS",     // JSON, written once
		"STATES",      // the latest events of its state, a line each; older ones stand in the stream
	}
}

func attemptFields() []string { return []string{"WORKER", "STARTED", "ENDED", "REASON", "UNCOUNTED"} }

// figureFields are those of a queue, numbers of 8 bytes, before those by phase, the totals and the
// counters of the current minute.
func figureFields() []string {
	return []string{
		"CLOCK",     // in µs
		"SEEN",      // the time when the clock was last moved
		"OUTAGE",    // the clock at the end of the last outage
		"GAP",       // when the last gap between operations began, -1 where that is settled
		"GAP_CLOCK", // the clock at its end
		"PLACE",     // of the latest job
		"STATE",     // see queueStates
		"LIMIT",     // of a tenant's running jobs
		"BYTES",     // of the unfinished jobs' payloads
		"MINUTE",    // since 1970, that CURRENT counts
		// The latest id that imports have brought or that is gone: its time in ms, its last 46 bits.
		"LAST_TIME", "LAST_REST",
	}
}

// queueStates are the states of a queue, by their number in its figures.
func queueStates() []store.QueueState {
	return []store.QueueState{store.QueueRunning, store.QueuePaused, store.QueueDraining}
}

// figuresLayout says behind which figure those by phase and the counters stand, and how many there are.
func figuresLayout() (counts, totals, current, all int) {
	counts = len(figureFields())
	totals = counts + len(phaseNames())
	current = totals + len(counterNames())
	return counts, totals, current, current + len(counterNames())
}

// phaseNames are what jobs are counted by.
func phaseNames() []string {
	return []string{"READY", "DELAYED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"}
}

// counterNames are those of [store.Counters], in its order.
func counterNames() []string {
	return []string{"SUBMITTED", "CLAIMED", "COMPLETED", "FAILED", "CANCELLED", "RETRIED", "LEASES_LOST", "REJECTED"}
}

// details is what of a job only Go reads. Only a submission writes it.
type details struct {
	Language string            `json:"language"`
	Tier     sandbox.Tier      `json:"tier"`
	Labels   map[string]string `json:"labels,omitempty"`
	Trace    string            `json:"trace,omitempty"`
	// Key is the idempotency key, which is forgotten with the job.
	Key string `json:"key,omitempty"`
	// Unknown holds the fields that an import has brought and this version does not know.
	Unknown map[string]json.RawMessage `json:"unknown,omitempty"`
}

// record is a job as its record tells it.
type record struct {
	job   store.Job
	token uint64
	first time.Time
	key   string
	// states are the events that the record itself holds.
	states string
	// What only an export tells.
	forgiven int
	seq      uint64
	unknown  map[string]json.RawMessage
}

// decodeRecord reads a job's record.
func (s *Store) decodeRecord(id store.ID, raw string) (*record, error) {
	values, err := unpackArray([]byte(raw))
	f := fields{values, err}
	r := &record{job: store.Job{
		ID: id, Tenant: f.text(1), Queue: s.queues.name(id.Queue()), Priority: int(f.number(3)), State: stateOf(f.text(0)),
		CancelRequested: f.number(13) == 1, Counted: int(f.number(10)), MaxAttempts: int(f.number(11)),
		Created: id.Time(), Finished: f.time(14), NotBefore: f.time(15), Verdict: sandbox.Verdict(f.text(16)),
	}, token: uint64(f.number(6)), first: f.time(21), states: f.text(27), forgiven: int(f.number(12)), seq: uint64(f.number(18))} //nolint:gosec // the scripts' numbers are not negative
	for _, a := range f.list(24) {
		list, _ := a.([]any)
		x := fields{list, f.err}
		r.job.Attempts = append(r.job.Attempts, store.Attempt{
			Worker: x.text(0), Started: x.time(1), Ended: x.time(2), Reason: x.text(3), Uncounted: x.number(4) == 1,
		})
		r.job.Started, f.err = x.time(1), x.err
	}
	d := details{}
	if f.err == nil {
		f.err = json.Unmarshal([]byte(f.text(26)), &d)
	}
	if f.err != nil {
		return nil, fmt.Errorf("%w: the record of job %s is damaged: %w", store.ErrSchema, id, f.err)
	}
	r.job.Lane, r.job.Labels, r.job.Trace = store.Lane{Language: d.Language, Tier: d.Tier}, d.Labels, d.Trace
	r.key, r.unknown = d.Key, d.Unknown
	return r, nil
}

// fields reads an array's values, and remembers the first that is not what it should be.
type fields struct {
	values []any
	err    error
}

func fieldOf[T any](f *fields, i int) (v T) {
	if f.err != nil {
		return v
	}
	if i < len(f.values) {
		if v, ok := f.values[i].(T); ok {
			return v
		}
	}
	f.err = errors.New("field " + strconv.Itoa(i+1) + " is not what it should be")
	return v
}

func (f *fields) text(i int) string         { return fieldOf[string](f, i) }
func (f *fields) number(i int) int64        { return fieldOf[int64](f, i) }
func (f *fields) list(i int) []any          { return fieldOf[[]any](f, i) }
func (f *fields) time(i int) (at time.Time) { return timeOf(f.number(i)) }

// timeOf is the zero time for 0.
func timeOf(µs int64) time.Time {
	if µs == 0 {
		return time.Time{}
	}
	return time.UnixMicro(µs).UTC()
}

func stateOf(letter string) store.State {
	switch letter {
	case "r":
		return store.Running
	case "c":
		return store.Completed
	case "f":
		return store.Failed
	case "x":
		return store.Cancelled
	}
	return store.Queued
}

// whole is the job with its submission and report, as their keys hold them; empty for none.
func (r *record) whole(payload, report string) (store.Job, error) {
	j := r.job
	if payload != "" {
		j.Submission = &sandbox.Submission{}
		if err := json.Unmarshal([]byte(payload), j.Submission); err != nil {
			return j, fmt.Errorf("%w: the submission of job %s is damaged: %w", store.ErrSchema, j.ID, err)
		}
	}
	if report != "" {
		j.Report = &sandbox.Report{}
		if err := json.Unmarshal([]byte(report), j.Report); err != nil {
			return j, fmt.Errorf("%w: the report of job %s is damaged: %w", store.ErrSchema, j.ID, err)
		}
	}
	return j, nil
}

// figures are a queue's.
type figures struct {
	state  store.QueueState
	bytes  int64
	minute int64
	// lastTime and lastRest are of the latest id that imports have brought or that is gone; 0 for none.
	lastTime, lastRest int64
	counts             []int64
	totals, current    store.Counters
}

func decodeFigures(raw string) (g figures, err error) {
	counts, totals, current, all := figuresLayout()
	if len(raw) < 8*all {
		return g, fmt.Errorf("%d bytes, %d are needed", len(raw), 8*all)
	}
	number := func(i int) int64 {
		return int64(math.Float64frombits(binary.BigEndian.Uint64([]byte(raw[8*i : 8*i+8]))))
	}
	list := func(first, n int) (values []any) {
		for i := range n {
			values = append(values, number(first+i))
		}
		return values
	}
	states := queueStates()
	if n := number(6); n >= 0 && n < int64(len(states)) {
		g.state = states[n]
	} else {
		return g, fmt.Errorf("state %d", n)
	}
	g.bytes, g.minute = number(8), number(9)
	g.lastTime, g.lastRest = number(10), number(11)
	for i := range phaseNames() {
		g.counts = append(g.counts, number(counts+i))
	}
	g.totals = countersOf(list(totals, len(counterNames())), &err)
	g.current = countersOf(list(current, len(counterNames())), &err)
	return g, err
}

func countersOf(values []any, err *error) store.Counters {
	f := fields{values, *err}
	n := func(i int) uint64 { return uint64(f.number(i)) } //nolint:gosec // the scripts' numbers are not negative
	c := store.Counters{
		Submitted: n(0), Claimed: n(1), Completed: n(2), Failed: n(3), Cancelled: n(4), Retried: n(5), LeasesLost: n(6), RejectedFull: n(7),
	}
	*err = f.err
	return c
}
