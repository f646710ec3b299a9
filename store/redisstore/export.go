package redisstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// Bounds of what an export reads in one script, so that others get their turn.
const (
	exportJobs  = 128
	exportBytes = 1 << 20
)

// Export gives every queue and job. A server that all share cannot be held still meanwhile, nor copied:
// each job is as it was at one moment, in which a script has read it whole. Of those that are there from
// the beginning to the end each comes once; those that come later than a queue's first are left out.
func (s *Store) Export(ctx context.Context, do func(store.Record) error) error {
	if s.isClosed() {
		return store.ErrClosed
	}
	if err := s.readQueues(ctx); err != nil {
		return err
	}
	for _, q := range s.queues.all() {
		if err := s.exportQueue(ctx, q, do); err != nil {
			return err
		}
	}
	keys, err := s.APIKeys(ctx)
	for i := range keys {
		if err == nil {
			err = do(store.Record{APIKey: &keys[i]})
		}
	}
	return err
}

func (s *Store) exportQueue(ctx context.Context, q uint16, do func(store.Record) error) error {
	for after, last, first := "", "", true; ; first = false {
		value, err := s.run(ctx, "export", s.queueCall("export", q, -1, after, last, exportJobs, exportBytes))
		if err != nil {
			return err
		}
		list, err := asList("export", value)
		if err != nil {
			return err
		}
		if first {
			last = textAt(list, 1)
			if err := s.exportFigures(q, textAt(list, 0), last, do); err != nil {
				return err
			}
		}
		jobs, err := s.exportedJobs(ctx, list)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("export: %w", err)
			}
			if err := do(store.Record{Job: j}); err != nil {
				return err
			}
			after = j.ID.String()
		}
		if len(jobs) == 0 || after == last {
			return nil
		}
	}
}

// exportFigures gives a queue, of whose jobs the latest has this id.
func (s *Store) exportFigures(q uint16, raw, latest string, do func(store.Record) error) error {
	r := store.QueueRecord{Name: s.queues.name(q), Number: q, State: store.QueueRunning}
	if raw != "" {
		g, err := decodeFigures(raw)
		if err != nil {
			return fmt.Errorf("%w: the figures of queue %q are damaged: %w", store.ErrSchema, r.Name, err)
		}
		r.State, r.Totals = g.state, g.totals
		if g.lastTime > 0 {
			r.LastID = idOf(q, g.lastTime, g.lastRest)
		}
	}
	if latest != "" {
		id, err := store.ParseID(latest)
		if err != nil {
			return fmt.Errorf("export: %w: %w", store.ErrSchema, err)
		}
		if bytes.Compare(id[:], r.LastID[:]) > 0 {
			r.LastID = id
		}
	}
	return do(store.Record{Queue: &r})
}

// exportedJobs reads the jobs of an export's answer, and asks for their idempotency keys.
func (s *Store) exportedJobs(ctx context.Context, list []any) ([]*store.JobRecord, error) {
	var jobs []*store.JobRecord
	var keyed []*record
	for i := 2; i+4 < len(list); i += 5 {
		r, err := s.jobAt(list, i)
		if err != nil {
			return nil, err
		}
		j := &store.JobRecord{
			Job: r.job, Submission: json.RawMessage(textAt(list, i+2)), Forgiven: r.forgiven, Seq: r.seq, Unknown: r.unknown,
		}
		if len(j.Submission) == 0 {
			return nil, fmt.Errorf("%w: the submission of job %s is missing", store.ErrSchema, j.ID)
		}
		if report := textAt(list, i+3); report != "" {
			j.Report = json.RawMessage(report)
		}
		kept, _ := list[i+4].([]any)
		if j.Events, err = r.events(kept, 0); err != nil {
			return nil, err
		}
		for k := range j.Events {
			if !json.Valid(j.Events[k].Data) {
				j.Events[k].Data = nil // nobody could read it
			}
		}
		jobs, keyed = append(jobs, j), append(keyed, r)
	}
	return jobs, s.exportKeys(ctx, jobs, keyed)
}

// exportKeys adds the idempotency keys, which have slots of their own, of those jobs that still have one.
func (s *Store) exportKeys(ctx context.Context, jobs []*store.JobRecord, records []*record) error {
	asked := map[int]*redis.StringCmd{}
	err := s.patiently(ctx, "read keys", func(ctx context.Context) error {
		p := s.client.Pipeline()
		for i, r := range records {
			if r.key != "" {
				asked[i] = p.Get(ctx, s.keys.key(r.job.Tenant, r.key))
			}
		}
		if len(asked) == 0 {
			return nil
		}
		_, err := p.Exec(ctx)
		if errors.Is(err, redis.Nil) { // a key that is forgotten
			for _, cmd := range asked {
				if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
					return err //nolint:wrapcheck // patiently does
				}
			}
			return nil
		}
		return err //nolint:wrapcheck // patiently does
	})
	if err != nil {
		return err
	}
	for i, cmd := range asked {
		jobs[i].Key = keyOf(cmd.Val(), records[i])
	}
	return nil
}

// keyOf is what a key's record, see lua/reserve.lua, says of the job; nil where it is not the job's.
func keyOf(text string, r *record) *store.KeyRecord {
	parts := strings.Fields(text)
	if len(parts) != 4 || parts[1] != r.job.ID.String() {
		return nil
	}
	k := &store.KeyRecord{Key: r.key}
	ends, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil || k.PayloadHash.UnmarshalText([]byte(parts[2])) != nil {
		return nil
	}
	k.Ends = time.UnixMicro(ends).UTC()
	return k
}
