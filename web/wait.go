package web

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"optimus/store"
)

// await waits for a job's end, at most d, and gives the job as it is then. It looks only when the
// store says that something happened, and now and then: the watch begins before the first look, so nothing is missed.
// old tells that the job may have a past whose events are gone.
func (s *Server) await(ctx context.Context, job store.Job, old bool, d time.Duration) (store.Job, error) {
	s.extend(requestOf(ctx), d+s.opts.Timeouts.Write)
	watching, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	changed, err := s.opts.Store.Watch(watching, job.ID)
	if err != nil {
		return job, fmt.Errorf("watch job: %w", err)
	}
	if old {
		if job, err = s.opts.Store.Get(ctx, job.ID); err != nil || job.State.Terminal() {
			return job, err
		}
	}
	beat := time.NewTicker(s.opts.Timeouts.Heartbeat)
	defer beat.Stop()
	var after uint64
	for {
		ended, last, err := s.ended(ctx, job.ID, after)
		if err != nil {
			return job, err
		}
		if ended {
			break
		}
		after = last
		select {
		case _, ok := <-changed:
			if ok {
				continue
			}
		case <-beat.C:
			// A failover may have taken events back, and given a number that was seen to the one that ends the job.
			after = 0
			continue
		case <-watching.Done():
		case <-s.stop.asked:
		}
		break
	}
	if err := ctx.Err(); err != nil {
		return job, fmt.Errorf("wait for job: %w", err)
	}
	job, err = s.opts.Store.Get(ctx, job.ID)
	if err != nil {
		return job, fmt.Errorf("get job: %w", err)
	}
	return job, nil
}

// ended tells whether the job's events after a sequence number end it, and gives the last one's.
func (s *Server) ended(ctx context.Context, id store.ID, after uint64) (ended bool, last uint64, err error) {
	events, err := s.opts.Store.Events(ctx, id, after)
	if err != nil {
		return false, after, fmt.Errorf("events of job: %w", err)
	}
	for _, e := range events {
		after = e.Seq
		if e.Type == store.EventState {
			ended = terminal(e)
		}
	}
	return ended, after, nil
}

// terminal tells whether a state event ends its job.
func terminal(e store.Event) bool {
	var data store.StateData
	if json.Unmarshal(e.Data, &data) != nil {
		return false
	}
	return data.State.Terminal()
}
