package webtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// Store is a store in memory. Its worker is the test: see Start, Emit, Finish and Bury.
type Store struct {
	mu       sync.Mutex
	now      func() time.Time
	depth    int
	fail     error
	jobs     map[store.ID]*entry
	order    []store.ID
	keys     map[string]keyRecord
	queues   []store.QueueInfo
	workers  []store.Worker
	onSubmit func(store.Job)
	apiKeys  map[string]store.APIKey
}

type entry struct {
	job      store.Job
	events   []store.Event
	watchers []chan struct{}
}

type keyRecord struct {
	payload [32]byte
	id      store.ID
}

// NewStore makes an empty store with one queue, "default".
func NewStore(now func() time.Time) *Store {
	return &Store{
		now: now, jobs: map[store.ID]*entry{}, keys: map[string]keyRecord{}, apiKeys: map[string]store.APIKey{},
		queues: []store.QueueInfo{{Name: "default", State: store.QueueRunning}},
	}
}

// SetDepth bounds the unfinished jobs; 0 is no bound.
func (s *Store) SetDepth(n int) { s.set(func() { s.depth = n }) }

// SetFailure makes every call fail with err, until it is nil.
func (s *Store) SetFailure(err error) { s.set(func() { s.fail = err }) }

// SetWorkers registers workers.
func (s *Store) SetWorkers(w ...store.Worker) { s.set(func() { s.workers = w }) }

// OnSubmit calls f, in a goroutine of its own, with each job that is made.
func (s *Store) OnSubmit(f func(store.Job)) { s.set(func() { s.onSubmit = f }) }

func (s *Store) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Jobs counts the jobs.
func (s *Store) Jobs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.jobs)
}

// Start makes a queued job running.
func (s *Store) Start(id store.ID) error {
	return s.change(id, func(e *entry) {
		e.job.State, e.job.Started = store.Running, s.now()
		e.job.Counted++
		e.job.Attempts = append(e.job.Attempts, store.Attempt{Worker: "w1", Started: s.now()})
		s.emit(e, store.EventState, store.StateData{State: store.Running, Attempt: e.job.Counted})
	})
}

// Emit adds an event to a job's stream.
func (s *Store) Emit(id store.ID, typ store.EventType, data any) error {
	return s.change(id, func(e *entry) { s.emit(e, typ, data) })
}

// Finish ends a job with a report.
func (s *Store) Finish(id store.ID, r sandbox.Report) error {
	return s.change(id, func(e *entry) {
		state := store.Completed
		if r.Verdict == sandbox.Cancelled {
			state = store.Cancelled
		}
		s.end(e, state, &r)
	})
}

// Retry puts a running job back, with a reason.
func (s *Store) Retry(id store.ID, reason string) error {
	return s.change(id, func(e *entry) {
		e.job.State, e.job.NotBefore = store.Queued, s.now().Add(time.Minute)
		if n := len(e.job.Attempts); n > 0 {
			e.job.Attempts[n-1].Reason, e.job.Attempts[n-1].Ended = reason, s.now()
		}
		s.emit(e, store.EventState, store.StateData{State: store.Queued, Reason: reason})
	})
}

// Bury ends a job as a dead letter, for a reason.
func (s *Store) Bury(id store.ID, reason string) error {
	return s.change(id, func(e *entry) {
		if n := len(e.job.Attempts); n > 0 {
			e.job.Attempts[n-1].Reason, e.job.Attempts[n-1].Ended = reason, s.now()
		}
		s.end(e, store.Failed, &sandbox.Report{Verdict: sandbox.InternalError, Error: reason})
	})
}

// DropEvents forgets a job's events, as a bounded stream does with old ones.
func (s *Store) DropEvents(id store.ID) error {
	return s.change(id, func(e *entry) { e.events = nil })
}

// Forget takes a job's events back to that number, as a failover does with what no replica had.
func (s *Store) Forget(id store.ID, to int) error {
	return s.change(id, func(e *entry) { e.events = e.events[:to] })
}

func (s *Store) end(e *entry, state store.State, r *sandbox.Report) {
	e.job.State, e.job.Finished, e.job.Report, e.job.Verdict = state, s.now(), r, r.Verdict
	if n := len(e.job.Attempts); n > 0 {
		e.job.Attempts[n-1].Ended = s.now()
	}
	s.emit(e, store.EventState, store.StateData{State: state, Verdict: r.Verdict, Attempt: e.job.Counted})
}

func (s *Store) emit(e *entry, typ store.EventType, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err) // a test's own data
	}
	seq := uint64(1)
	if n := len(e.events); n > 0 {
		seq = e.events[n-1].Seq + 1
	}
	e.events = append(e.events, store.Event{Seq: seq, Time: s.now(), Type: typ, Data: raw})
	for _, w := range e.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (s *Store) change(id store.ID, f func(*entry)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err == nil {
		f(e)
	}
	return err
}

func (s *Store) find(id store.ID) (*entry, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	e, ok := s.jobs[id]
	if !ok {
		return nil, fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return e, nil
}

// LookupKey implements store.Client.
func (s *Store) LookupKey(_ context.Context, tenant, key string, payload [32]byte) (store.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return store.ID{}, s.fail
	}
	r, ok := s.keys[tenant+"\x00"+key]
	switch {
	case !ok:
		return store.ID{}, store.ErrNotFound
	case r.payload != payload:
		return store.ID{}, store.ErrKeyConflict
	}
	return r.id, nil
}

// Submit implements store.Client.
func (s *Store) Submit(_ context.Context, n store.NewJob) (store.Job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return store.Job{}, false, s.fail
	}
	if n.Key != "" {
		if r, ok := s.keys[n.Tenant+"\x00"+n.Key]; ok {
			if r.payload != n.PayloadHash {
				return store.Job{}, false, store.ErrKeyConflict
			}
			return s.jobs[r.id].job, true, nil
		}
	}
	if s.queues[0].State == store.QueueDraining {
		return store.Job{}, false, fmt.Errorf("queue %q: %w", n.Queue, store.ErrQueueDrained)
	}
	if s.depth > 0 && s.unfinished() >= s.depth {
		return store.Job{}, false, &store.QueueFullError{Queue: n.Queue, Depth: s.depth, RetryAfter: 7 * time.Second}
	}
	job := store.Job{
		ID: store.NewID(s.now(), 0, 0), Tenant: n.Tenant, Queue: n.Queue, Lane: n.Lane(), Priority: n.Priority,
		State: store.Queued, MaxAttempts: 3, Created: s.now(), Labels: n.Labels, Trace: n.Trace, Submission: &n.Submission,
	}
	e := &entry{job: job}
	s.jobs[job.ID] = e
	s.order = append(s.order, job.ID)
	if n.Key != "" {
		s.keys[n.Tenant+"\x00"+n.Key] = keyRecord{n.PayloadHash, job.ID}
	}
	s.emit(e, store.EventState, store.StateData{State: store.Queued})
	if s.onSubmit != nil {
		go s.onSubmit(job)
	}
	return job, false, nil
}

func (s *Store) unfinished() (n int) {
	for _, e := range s.jobs {
		if !e.job.State.Terminal() {
			n++
		}
	}
	return n
}

// Get implements store.Client.
func (s *Store) Get(_ context.Context, id store.ID) (store.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err != nil {
		return store.Job{}, err
	}
	job := e.job
	job.Attempts = slices.Clone(job.Attempts)
	return job, nil
}

// List implements store.Client. Its cursor is the place in the list.
func (s *Store) List(_ context.Context, f store.Filter) (store.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return store.Page{}, s.fail
	}
	skip := 0
	if f.Cursor != "" {
		n, err := strconv.Atoi(f.Cursor)
		if err != nil || n < 0 {
			return store.Page{}, store.ErrBadCursor
		}
		skip = n
	}
	limit := f.Limit
	if limit == 0 {
		limit = 100
	}
	var page store.Page
	for _, id := range slices.Backward(s.order) {
		e, ok := s.jobs[id]
		if !ok || !matches(f, e.job) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(page.Jobs) == limit {
			done, _ := strconv.Atoi(f.Cursor)
			page.Next = strconv.Itoa(done + limit)
			break
		}
		job := e.job
		job.Submission, job.Report = nil, nil
		page.Jobs = append(page.Jobs, job)
	}
	return page, nil
}

func matches(f store.Filter, j store.Job) bool {
	return (f.Tenant == nil || *f.Tenant == j.Tenant) &&
		(f.Queue == "" || f.Queue == j.Queue) &&
		(len(f.States) == 0 || slices.Contains(f.States, j.State)) &&
		(f.Since.IsZero() || !j.Created.Before(f.Since)) &&
		(f.Until.IsZero() || j.Created.Before(f.Until))
}

// Cancel implements store.Client.
func (s *Store) Cancel(_ context.Context, id store.ID) (store.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err != nil {
		return store.Job{}, err
	}
	switch {
	case e.job.State.Terminal():
		return e.job, store.ErrTerminal
	case e.job.State == store.Queued:
		s.end(e, store.Cancelled, &sandbox.Report{Verdict: sandbox.Cancelled})
	default:
		e.job.CancelRequested = true
	}
	return e.job, nil
}

// Delete implements store.Client.
func (s *Store) Delete(_ context.Context, id store.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err != nil {
		return err
	}
	if !e.job.State.Terminal() {
		return store.ErrNotTerminal
	}
	delete(s.jobs, id)
	return nil
}

// Events implements store.Client.
func (s *Store) Events(_ context.Context, id store.ID, after uint64) ([]store.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err != nil {
		return nil, err
	}
	for i, event := range e.events {
		if event.Seq > after {
			return slices.Clone(e.events[i:]), nil
		}
	}
	return nil, nil
}

// Watch implements store.Client.
func (s *Store) Watch(ctx context.Context, id store.ID) (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err != nil {
		return nil, err
	}
	ch := make(chan struct{}, 1)
	e.watchers = append(e.watchers, ch)
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.watchers = slices.DeleteFunc(e.watchers, func(w chan struct{}) bool { return w == ch })
		close(ch)
	})
	return ch, nil
}

// Watchers counts those who watch a job.
func (s *Store) Watchers(id store.ID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.jobs[id]; ok {
		return len(e.watchers)
	}
	return 0
}

// Redrive implements store.Operator.
func (s *Store) Redrive(_ context.Context, id store.ID) (store.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(id)
	if err != nil {
		return store.Job{}, err
	}
	next, err := store.Next(e.job.State, store.Redriven)
	if err != nil {
		return store.Job{}, err
	}
	e.job.State, e.job.Counted, e.job.Report, e.job.Verdict = next, 0, nil, ""
	s.emit(e, store.EventState, store.StateData{State: next})
	return e.job, nil
}

// Queues implements store.Operator.
func (s *Store) Queues(context.Context) ([]store.QueueInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	queues := slices.Clone(s.queues)
	queues[0].Ready = s.unfinished()
	queues[0].Unfinished = queues[0].Ready
	queues[0].PerMinute = s.perMinute()
	for _, e := range s.jobs {
		if at := &queues[0].OldestReady; e.job.State == store.Queued && (at.IsZero() || e.job.Created.Before(*at)) {
			*at = e.job.Created
		}
	}
	return queues, nil
}

// SetQueueState implements store.Operator.
func (s *Store) SetQueueState(_ context.Context, queue string, state store.QueueState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queues {
		if s.queues[i].Name == queue {
			s.queues[i].State = state
			return s.fail
		}
	}
	return store.ErrNotFound
}

// Workers implements store.Operator.
func (s *Store) Workers(context.Context) ([]store.Worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.workers), s.fail
}

// Ping implements store.Operator.
func (s *Store) Ping(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail
}
