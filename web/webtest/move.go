package webtest

import (
	"context"
	"encoding/json"

	"optimus/sandbox"
	"optimus/store"
)

// Export implements store.Mover.
func (s *Store) Export(_ context.Context, do func(store.Record) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	for _, q := range s.queues {
		if err := do(store.Record{Queue: &store.QueueRecord{Name: q.Name, Number: q.Number, State: q.State}}); err != nil {
			return err
		}
	}
	for _, id := range s.order {
		e, there := s.jobs[id]
		if !there {
			continue
		}
		j := &store.JobRecord{Job: e.job, Events: e.events}
		j.Created = id.Time()
		if n := len(e.events); n > 0 {
			j.Seq = e.events[n-1].Seq
		}
		var err error
		if j.Submission, err = json.Marshal(e.job.Submission); err != nil {
			return err //nolint:wrapcheck // a test's own
		}
		if e.job.Report != nil {
			if j.Report, err = json.Marshal(e.job.Report); err != nil {
				return err //nolint:wrapcheck // a test's own
			}
		}
		j.Job.Submission, j.Job.Report = nil, nil
		if err := do(store.Record{Job: j}); err != nil {
			return err
		}
	}
	return nil
}

// Import implements store.Mover, for queues and jobs alone.
func (s *Store) Import(_ context.Context, records []store.Record) (done store.Imported, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range records {
		if err := r.Validate(); err != nil {
			return store.Imported{}, err
		}
	}
	if s.fail != nil {
		return done, s.fail
	}
	for _, r := range records {
		if r.Queue != nil {
			done.Skipped++ // there is one queue
			continue
		}
		if s.jobs[r.Job.ID] != nil {
			done.Skipped++
			continue
		}
		e := &entry{job: r.Job.Job, events: r.Job.Events}
		e.job.Submission = &sandbox.Submission{}
		if err := json.Unmarshal(r.Job.Submission, e.job.Submission); err != nil {
			return done, err //nolint:wrapcheck // was validated
		}
		if r.Job.Report != nil {
			e.job.Report = &sandbox.Report{}
			if err := json.Unmarshal(r.Job.Report, e.job.Report); err != nil {
				return done, err //nolint:wrapcheck // was validated
			}
		}
		s.jobs[r.Job.ID] = e
		s.order = append(s.order, r.Job.ID)
		done.Jobs++
	}
	return done, nil
}
