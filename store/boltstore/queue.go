package boltstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"optimus/store"
)

// queueRecord is a queue's settings, in the bucket queues.
type queueRecord struct {
	Name     string `json:"name"`
	Paused   bool   `json:"paused,omitempty"`
	Draining bool   `json:"draining,omitempty"`

	// unknown holds the fields of a newer version, which are written back as they were.
	unknown map[string]json.RawMessage
}

func (q *queueRecord) state() store.QueueState {
	switch {
	case q.Paused:
		return store.QueuePaused
	case q.Draining:
		return store.QueueDraining
	}
	return store.QueueRunning
}

func (q *queueRecord) setState(s store.QueueState) {
	q.Paused, q.Draining = s == store.QueuePaused, s == store.QueueDraining
}

// figures are what nearly every operation changes of a queue, in the bucket figures.
type figures struct {
	// Clock is the queue's own, in nanoseconds; Seen the wall clock when it was last moved.
	Clock int64 `json:"clock"`
	Seen  int64 `json:"seen"`
	// Outage is what Clock was when the store last came back from an outage; 0 for never.
	Outage int64 `json:"outage,omitempty"`
	// LastID is the latest job's.
	LastID store.ID `json:"last_id"`
	// Counts are the jobs that the queue holds, by phase.
	Counts [phaseCount]int `json:"counts"`
	// Bytes are those of the unfinished jobs' submissions.
	Bytes  int64          `json:"bytes,omitempty"`
	Totals store.Counters `json:"totals"`
	// Minute, since 1970, is the one that Current counts.
	Minute  int64          `json:"minute"`
	Current store.Counters `json:"current"`
	// Virtual is the virtual time of each priority.
	Virtual map[int]uint64 `json:"virtual,omitempty"`

	// unknown holds the fields of a newer version, which are written back as they were.
	unknown map[string]json.RawMessage
}

func (f *figures) unfinished() int { return f.Counts[ready] + f.Counts[delayed] + f.Counts[running] }

// hold adds a job to the figures of the unfinished ones or, with -1, takes it away.
func (q *queue) hold(r *record, sign int) {
	if r.State.Terminal() {
		return
	}
	q.Bytes = max(q.Bytes+int64(sign)*r.Size, 0)
	if n, known := q.tenants[r.Tenant]; known {
		q.tenants[r.Tenant] = n + sign
		if n+sign <= 0 {
			delete(q.tenants, r.Tenant)
		}
	}
}

// queue is a queue as the writer knows it.
type queue struct {
	number uint16
	queueRecord
	figures
	// fresh until the first operation of this process: only later does a gap speak of an outage.
	fresh bool
	// changed since the last commit.
	changed bool
	// tenants has the unfinished jobs of those tenants that were asked for.
	tenants map[string]int
	// turn is when it was last claimed from, to be fair between queues.
	turn uint64
}

// tick moves the queue's clock along with the wall clock, and notes an outage.
func (b *batch) tick(q *queue) {
	step := b.now.UnixNano() - q.Seen
	q.Seen = b.now.UnixNano()
	q.Clock += min(max(step, 0), int64(store.MaxClockStep))
	if step > int64(store.MaxClockStep) && !q.fresh {
		q.Outage = q.Clock
		q.changed = true
	}
	q.fresh = false
	if m := b.now.Unix() / 60; m != q.Minute {
		b.turnMinute(q, m)
	}
}

// leaseEnd is when, by the queue's clock, the job's lease runs out. An outage since its last
// renewal starts it anew, since its holder could not renew it then.
func (q *queue) leaseEnd(r *record) int64 {
	if q.outageSince(r) {
		return max(r.LeaseEnds, q.Outage+r.Lease)
	}
	return r.LeaseEnds
}

// outageSince tells whether the store was out since the job's lease was last renewed.
func (q *queue) outageSince(r *record) bool { return q.Outage > r.Renewed }

// count adds to the queue's totals and to the current minute.
func (q *queue) count(add func(*store.Counters)) {
	add(&q.Totals)
	add(&q.Current)
	q.changed = true
}

// catalogue is every queue, as of the last commit and what the open transaction has changed.
type catalogue struct {
	byName   map[string]*queue
	byNumber map[uint16]*queue
}

func (c *catalogue) add(q *queue) {
	c.byName[q.Name] = q
	c.byNumber[q.number] = q
}

// sorted gives the queues by number.
func (c *catalogue) sorted() []*queue {
	return slices.SortedFunc(maps.Values(c.byNumber), func(a, b *queue) int { return int(a.number) - int(b.number) })
}

// named gives the queues of these names, those that exist; all for none.
func (c *catalogue) named(names []string) []*queue {
	if len(names) == 0 {
		return c.sorted()
	}
	var qs []*queue
	for _, n := range names {
		if q := c.byName[n]; q != nil && !slices.Contains(qs, q) {
			qs = append(qs, q)
		}
	}
	return qs
}

// loadCatalogue reads every queue. What the file does not hold of them is taken from before.
func loadCatalogue(v view, before *catalogue) (*catalogue, error) {
	c := &catalogue{byName: map[string]*queue{}, byNumber: map[uint16]*queue{}}
	err := v.table(bucketQueues).each(func(k, raw []byte) error {
		q, err := loadQueue(v, k, raw)
		if err != nil {
			return err
		}
		q.fresh = true
		if before != nil && before.byNumber[q.number] != nil {
			q.turn, q.fresh = before.byNumber[q.number].turn, before.byNumber[q.number].fresh
		}
		c.add(q)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	return c, nil
}

func loadQueue(v view, k, raw []byte) (*queue, error) {
	q := &queue{number: uint16(k[0])<<8 | uint16(k[1])}
	unknown, err := store.DecodeFields(raw, &q.queueRecord)
	if err != nil {
		return nil, fmt.Errorf("%w: queue %d is damaged: %w", store.ErrSchema, q.number, err)
	}
	q.queueRecord.unknown = unknown
	if raw := v.get(bucketFigures, k); raw != nil {
		if unknown, err = store.DecodeFields(raw, &q.figures); err != nil {
			return nil, fmt.Errorf("%w: the figures of queue %q are damaged: %w", store.ErrSchema, q.Name, err)
		}
		q.figures.unknown = unknown
	}
	if q.Virtual == nil {
		q.Virtual = map[int]uint64{}
	}
	return q, nil
}

// queueFor gives the queue of the name, and makes it where it is new.
func (b *batch) queueFor(name string) (*queue, error) {
	if q := b.queues.byName[name]; q != nil {
		b.tick(q)
		return q, nil
	}
	// The first number that is free: those of imported queues may be any.
	for n := 1; n <= store.MaxQueueNumber; n++ {
		if b.queues.byNumber[uint16(n)] == nil {
			return b.makeQueue(uint16(n), queueRecord{Name: name}), nil
		}
	}
	return nil, fmt.Errorf("%w: queue %q would be one more than %d", store.ErrInvalid, name, store.MaxQueueNumber)
}

func (b *batch) makeQueue(n uint16, r queueRecord) *queue {
	q := &queue{
		number: n, queueRecord: r,
		figures: figures{Seen: b.now.UnixNano(), Virtual: map[int]uint64{}},
	}
	b.tick(q)
	b.queues.add(q)
	b.saveQueue(q)
	b.put(bucketNumbers, []byte(r.Name), number(n))
	return q
}

// queueOf gives the queue that the job's id names, with its clock moved.
func (b *batch) queueOf(id store.ID) (*queue, error) {
	q := b.queues.byNumber[id.Queue()]
	if q == nil {
		return nil, fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	b.tick(q)
	return q, nil
}

// job gives the job with its queue.
func (b *batch) job(id store.ID) (*queue, *record, error) {
	q, err := b.queueOf(id)
	if err != nil {
		return nil, nil, err
	}
	r, err := b.record(id)
	return q, r, err
}

// leased gives the job of a lease that holds, with its queue.
func (b *batch) leased(l store.Lease) (*queue, *record, error) {
	q, r, err := b.job(l.Job)
	if errors.Is(err, store.ErrNotFound) || err == nil && !r.holds(q, l) {
		return nil, nil, fmt.Errorf("job %s: %w", l.Job, store.ErrLeaseLost)
	}
	return q, r, err
}

func (b *batch) saveQueue(q *queue) {
	b.putFields(bucketQueues, number(q.number), q.queueRecord, q.queueRecord.unknown)
	q.changed = true
}

// flush writes the figures of every queue that has changed.
func (b *batch) flush() {
	for _, q := range b.queues.byNumber {
		if !q.changed {
			continue
		}
		b.putFields(bucketFigures, number(q.number), q.figures, q.figures.unknown)
		q.changed = false
	}
}

// keptMinutes is how many minutes of counters a queue has.
const keptMinutes = 60

// turnMinute puts the counters of the minute that has passed aside, drops old ones, and begins
// with those of minute m: none, unless the wall clock went back.
func (b *batch) turnMinute(q *queue, m int64) {
	if q.Current != (store.Counters{}) {
		oldest := string(minuteKey(q.number, q.Minute-keptMinutes+1))
		for _, old := range b.keys(bucketMinutes, number(q.number), keptMinutes) {
			if string(old) < oldest {
				b.delete(bucketMinutes, old)
			}
		}
		b.putJSON(bucketMinutes, minuteKey(q.number, q.Minute), q.Current)
	}
	var err error
	if q.Current, err = b.minute(q.number, m); err != nil {
		b.wrote(err)
	}
	q.Minute, q.changed = m, true
}

// minute reads counters that were put aside.
func (v view) minute(queue uint16, m int64) (c store.Counters, err error) {
	raw := v.get(bucketMinutes, minuteKey(queue, m))
	if raw == nil {
		return c, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("%w: the counters of queue %d are damaged: %w", store.ErrSchema, queue, err)
	}
	return c, nil
}
