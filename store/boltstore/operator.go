package boltstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"optimus/store"
)

// Redrive puts a failed job back with its attempts counted anew.
func (s *Store) Redrive(ctx context.Context, id store.ID) (store.Job, error) {
	var w whole
	err := s.write(ctx, func(b *batch) error {
		q, r, err := b.job(id)
		if err != nil {
			return err
		}
		_, err = b.step(q, r, store.Redriven, "redriven", func() {
			r.Counted, r.Forgiven = 0, 0
			r.Finished, r.NotBefore, r.Verdict, r.CancelRequested = time.Time{}, time.Time{}, "", false
		})
		if err != nil {
			return fmt.Errorf("job %s: %w", id, err)
		}
		b.delete(bucketReports, jobKey(id))
		w = b.whole(r)
		return nil
	})
	if err != nil {
		return store.Job{}, err
	}
	return w.job()
}

// Queues gives every queue with its figures, by name.
func (s *Store) Queues(ctx context.Context) ([]store.QueueInfo, error) {
	var infos []store.QueueInfo
	err := s.read(ctx, func(v view) error {
		queues, err := loadCatalogue(v, nil)
		if err != nil {
			return err
		}
		for _, q := range queues.sorted() {
			info, err := v.info(q, s.now())
			if err != nil {
				return err
			}
			infos = append(infos, info)
		}
		return nil
	})
	slices.SortFunc(infos, func(a, b store.QueueInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, err
}

// info gives a queue's figures.
func (v view) info(q *queue, now time.Time) (store.QueueInfo, error) {
	n := q.Counts
	info := store.QueueInfo{
		Name: q.Name, Number: q.number, State: q.state(),
		Ready: n[ready], Delayed: n[delayed], Running: n[running], Unfinished: q.unfinished(), Bytes: q.Bytes,
		Completed: n[completed], Failed: n[failed], Cancelled: n[cancelled],
		Totals: q.Totals, PerMinute: make([]store.MinuteCounters, 0, keptMinutes),
	}
	if k, _ := v.first(bucketPhases, append(number(q.number), byte(ready))); k != nil {
		info.OldestReady = idAtEnd(k).Time()
	}
	current := now.Unix() / 60
	for m := current - keptMinutes + 1; m <= current; m++ {
		c, err := v.minute(q.number, m)
		if err != nil {
			return info, err
		}
		if m == q.Minute {
			c = q.Current
		}
		info.PerMinute = append(info.PerMinute, store.MinuteCounters{Minute: time.Unix(m*60, 0).UTC(), Counters: c})
	}
	return info, nil
}

// SetQueueState pauses, drains or resumes a queue.
func (s *Store) SetQueueState(ctx context.Context, name string, state store.QueueState) error {
	if !state.Valid() {
		return fmt.Errorf("queue %q: %w: the state %.40q", name, store.ErrInvalid, state)
	}
	return s.write(ctx, func(b *batch) error {
		q := b.queues.byName[name]
		if q == nil {
			return fmt.Errorf("queue %q: %w", name, store.ErrNotFound)
		}
		if q.state() == state {
			return nil
		}
		q.setState(state)
		b.saveQueue(q)
		for _, k := range b.keys(bucketBacklog, number(q.number), sweepBatch) {
			_, lane, _ := splitGroup(k)
			b.wake(q, lane)
		}
		return nil
	})
}

// workerRecord is a registered worker, in the bucket workers.
type workerRecord struct {
	store.Worker
	// Ends is when it counts as gone.
	Ends time.Time `json:"ends"`
}

// Heartbeat registers a worker, or keeps it registered, for ttl.
func (s *Store) Heartbeat(ctx context.Context, w store.Worker, ttl time.Duration) error {
	if w.Name == "" || !store.ValidName(w.Name) || ttl <= 0 {
		return fmt.Errorf("heartbeat: %w: worker %.40q for %s", store.ErrInvalid, w.Name, ttl)
	}
	return s.writeEarly(ctx, func(b *batch) error {
		w.Seen = b.now
		b.putJSON(bucketWorkers, []byte(w.Name), workerRecord{w, b.now.Add(ttl)})
		return nil
	})
}

// Workers gives the registered workers, by name.
func (s *Store) Workers(ctx context.Context) ([]store.Worker, error) {
	var ws []store.Worker
	err := s.read(ctx, func(v view) error {
		now := s.now()
		return v.table(bucketWorkers).each(func(k, raw []byte) error {
			w := workerRecord{}
			if err := json.Unmarshal(raw, &w); err != nil {
				return fmt.Errorf("%w: worker %q is damaged: %w", store.ErrSchema, k, err)
			}
			if w.Ends.After(now) {
				ws = append(ws, w.Worker)
			}
			return nil
		})
	})
	return ws, err
}
