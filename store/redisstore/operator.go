package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// keptMinutes is how many minutes of counters a queue has.
const keptMinutes = 60

// Queues gives every queue with its figures, by name.
func (s *Store) Queues(ctx context.Context) ([]store.QueueInfo, error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	if err := s.readQueues(ctx); err != nil {
		return nil, err
	}
	if err := s.sync(ctx); err != nil {
		return nil, err
	}
	numbers := s.queues.all()
	figures, minutes := make([]*redis.StringCmd, len(numbers)), make([]*redis.MapStringStringCmd, len(numbers))
	err := s.read(ctx, "read figures", func(p redis.Pipeliner) {
		for i, n := range numbers {
			figures[i] = p.Get(ctx, s.keys.queue(n)+"figures") // nil for a queue without a job yet
			minutes[i] = p.HGetAll(ctx, s.keys.queue(n)+"minutes")
		}
	})
	if err != nil {
		return nil, err
	}
	var infos []store.QueueInfo
	for i, n := range numbers {
		info, err := s.info(ctx, n, figures[i].Val(), minutes[i].Val())
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b store.QueueInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

// info is what a queue's keys say of it.
func (s *Store) info(ctx context.Context, number uint16, raw string, kept map[string]string) (store.QueueInfo, error) {
	info := store.QueueInfo{Name: s.queues.name(number), Number: number}
	g := figures{state: store.QueueRunning, counts: make([]int64, len(phaseNames()))}
	if raw != "" {
		var err error
		if g, err = decodeFigures(raw); err != nil {
			return info, fmt.Errorf("%w: the figures of queue %q are damaged: %w", store.ErrSchema, info.Name, err)
		}
	}
	n := func(phase int) int { return int(g.counts[phase]) }
	info.State, info.Bytes, info.Totals = g.state, g.bytes, g.totals
	info.Ready, info.Delayed, info.Running, info.Unfinished = n(0), n(1), n(2), n(0)+n(1)+n(2)
	info.Completed, info.Failed, info.Cancelled = n(3), n(4), n(5)
	current := s.now().Unix() / 60
	info.PerMinute = make([]store.MinuteCounters, 0, keptMinutes)
	for m := current - keptMinutes + 1; m <= current; m++ {
		c := store.MinuteCounters{Minute: time.Unix(m*60, 0).UTC()}
		if m == g.minute {
			c.Counters = g.current
		} else if raw, ok := kept[strconv.FormatInt(m, 10)]; ok {
			values, err := unpackArray([]byte(raw))
			if c.Counters = countersOf(values, &err); err != nil {
				return info, fmt.Errorf("%w: the counters of queue %q are damaged: %w", store.ErrSchema, info.Name, err)
			}
		}
		info.PerMinute = append(info.PerMinute, c)
	}
	if info.Ready == 0 {
		return info, nil
	}
	var err error
	info.OldestReady, err = s.oldestReady(ctx, number)
	return info, err
}

// oldestReady looks past the delayed and running jobs of a queue, a hundred at once.
func (s *Store) oldestReady(ctx context.Context, queue uint16) (time.Time, error) {
	const chunk = 100
	for after := "-"; ; {
		var answer *redis.StringSliceCmd
		err := s.read(ctx, "read queue", func(p redis.Pipeliner) {
			answer = p.ZRangeByLex(ctx, s.keys.queue(queue)+"open", &redis.ZRangeBy{Min: after, Max: "+", Count: chunk})
		})
		if err != nil {
			return time.Time{}, err
		}
		texts := answer.Val()
		var ids []store.ID
		for _, text := range texts {
			id, err := store.ParseID(text)
			if err != nil {
				return time.Time{}, fmt.Errorf("read queue: %w: %w", store.ErrSchema, err)
			}
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			return time.Time{}, nil
		}
		records, err := s.records(ctx, ids)
		if err != nil {
			return time.Time{}, err
		}
		for _, r := range slices.Backward(records) {
			if r.job.State == store.Queued && r.job.NotBefore.IsZero() {
				return r.job.Created, nil
			}
		}
		after = "(" + texts[len(texts)-1]
	}
}

// SetQueueState pauses, drains or resumes a queue.
func (s *Store) SetQueueState(ctx context.Context, name string, state store.QueueState) error {
	if !state.Valid() {
		return fmt.Errorf("queue %q: %w: the state %.40q", name, store.ErrInvalid, state)
	}
	if err := s.readQueues(ctx); err != nil {
		return err
	}
	n, known := s.queues.number(name)
	if !known {
		return fmt.Errorf("queue %q: %w", name, store.ErrNotFound)
	}
	c := s.queueCall("setstate", n, -1, slices.Index(queueStates(), state))
	c.acknowledged = true
	list, err := s.runQueue(ctx, "set the queue's state", n, c, false)
	if err == nil && textAt(list, 0) == "missing" {
		err = fmt.Errorf("queue %q holds nothing yet: %w", name, store.ErrNotFound)
	}
	return err
}

// Heartbeat registers a worker, or keeps it registered, for ttl.
func (s *Store) Heartbeat(ctx context.Context, w store.Worker, ttl time.Duration) error {
	if w.Name == "" || !store.ValidName(w.Name) || ttl <= 0 {
		return fmt.Errorf("heartbeat: %w: worker %.40q for %s", store.ErrInvalid, w.Name, ttl)
	}
	raw, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("heartbeat: %w: %w", store.ErrInvalid, err)
	}
	_, err = s.run(ctx, "heartbeat", s.workersCall(w.Name, ttl, raw))
	return err
}

func (s *Store) workersCall(name string, ttl time.Duration, raw []byte) *call {
	return &call{
		script: s.scripts["heartbeat"], keys: []string{s.keys.workers, s.keys.beats},
		args: []any{s.timeArg(), name, ttl.Microseconds(), raw},
	}
}

// Workers gives the registered workers, by name.
func (s *Store) Workers(ctx context.Context) ([]store.Worker, error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	if err := s.sync(ctx); err != nil {
		return nil, err
	}
	var all map[string]string
	err := s.patiently(ctx, "read workers", func(ctx context.Context) (err error) {
		all, err = s.client.HGetAll(ctx, s.keys.workers).Result()
		return err //nolint:wrapcheck // patiently does
	})
	if err != nil {
		return nil, err
	}
	now := s.now()
	var ws []store.Worker
	for name, raw := range all {
		parts := strings.SplitN(raw, " ", 3)
		w := store.Worker{}
		var ends, seen int64
		if len(parts) == 3 {
			ends, _ = strconv.ParseInt(parts[0], 10, 64)
			seen, _ = strconv.ParseInt(parts[1], 10, 64)
		}
		if len(parts) != 3 || ends == 0 || json.Unmarshal([]byte(parts[2]), &w) != nil {
			return nil, fmt.Errorf("%w: worker %q is damaged", store.ErrSchema, name)
		}
		if time.UnixMicro(ends).After(now) {
			w.Seen = time.UnixMicro(seen).UTC()
			ws = append(ws, w)
		}
	}
	slices.SortFunc(ws, func(a, b store.Worker) int { return strings.Compare(a.Name, b.Name) })
	return ws, nil
}

// sweepBatch bounds what a sweep does in one script, so that others get their turn.
const sweepBatch = 256

// Sweep moves expired leases and due retries, and drops what retention no longer keeps.
func (s *Store) Sweep(ctx context.Context) (store.Swept, error) {
	var sum store.Swept
	if s.isClosed() {
		return sum, store.ErrClosed
	}
	if _, err := s.run(ctx, "forget workers", s.workersCall("", time.Second, nil)); err != nil {
		return sum, err
	}
	if err := s.readQueues(ctx); err != nil {
		return sum, err
	}
	var failed error
	for _, q := range s.queues.all() {
		// A queue whose master is gone does not keep the others waiting.
		if err := s.sweepQueue(ctx, q, &sum); err != nil {
			failed = err
		}
	}
	return sum, failed
}

func (s *Store) sweepQueue(ctx context.Context, q uint16, sum *store.Swept) error {
	for more := true; more; {
		list, err := s.runQueue(ctx, "sweep", q, s.queueCall("sweep", q, -1, sweepBatch, s.o.BackoffMax.Microseconds(),
			s.o.Retention.Microseconds(), s.o.FailedRetention.Microseconds()), false)
		if err != nil {
			return err
		}
		promoted, deleted := int(numberAt(list, 1)), (len(list)-2)/2
		sum.Promoted += promoted
		sum.Deleted += deleted
		for i := 2; i+1 < len(list); i += 2 {
			r, err := s.jobAt(list, i)
			if err != nil {
				return err
			}
			s.forgetKey(ctx, r)
		}
		if numberAt(list, 0) > 0 {
			if err := s.expire(ctx, q, sum); err != nil {
				return err
			}
		}
		more = promoted >= sweepBatch || deleted >= sweepBatch
	}
	return nil
}

// expire ends the leases of a queue that have run out.
func (s *Store) expire(ctx context.Context, q uint16, sum *store.Swept) error {
	workers, err := s.Workers(ctx)
	if err != nil {
		return err
	}
	for {
		args := []any{sweepBatch, s.o.BackoffBase.Microseconds(), s.o.BackoffMax.Microseconds(), luck(), s.remainder()}
		for _, w := range workers {
			args = append(args, w.Name, w.Started.UnixMicro())
		}
		list, err := s.runQueue(ctx, "expire leases", q, s.queueCall("expire", q, -1, args...), false)
		if err != nil {
			return err
		}
		sum.Expired += int(numberAt(list, 1))
		for i := 2; i+1 < len(list); i += 2 {
			r, err := s.jobAt(list, i)
			if err != nil {
				return err
			}
			if r.job.State == store.Failed {
				sum.DeadLettered++
			}
			if s.o.Ended != nil {
				s.o.Ended(r.job)
			}
		}
		if numberAt(list, 0) < sweepBatch {
			return nil
		}
	}
}
