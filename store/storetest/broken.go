package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// RunBroken breaks the backend in several ways, each a lie that could pass unseen, and fails
// for each that the checks of that promise do not see.
func RunBroken(t *testing.T, open func(t *testing.T, o store.Options) store.Store) {
	t.Helper()
	for _, b := range broken() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			h := Harness{Open: func(t *testing.T, o store.Options) store.Store {
				t.Helper()
				return b.wrap(open(t, o))
			}}
			failure := ""
			for range tries { // what concurrent clients meet is chance
				if failure = h.failure(t, b.area); failure != "" {
					break
				}
			}
			if failure == "" {
				t.Fatalf("no check of %q sees it", b.area)
			}
			t.Log(failure)
		})
	}
}

// tries is how often a breakage may pass unseen: the one that shows least is seen in more than nine of ten.
const tries = 5

// breakage is a way to break a store, with the beginning of the checks that must see it.
type breakage struct {
	name, area string
	wrap       func(store.Store) store.Store
}

func broken() []breakage {
	return []breakage{
		{"loses a submission", "order/", func(s store.Store) store.Store { return &losesSubmission{Store: s} }},
		{"claims a job twice", "concurrent/", func(s store.Store) store.Store { return &claimsTwice{Store: s} }},
		{"accepts a late finish", "lease/", func(s store.Store) store.Store { return lateFinish{s} }},
		{"forgets idempotency", "key/a repeated", func(s store.Store) store.Store { return forgetsKeys{s} }},
		{"keeps a cancellation from its worker", "cancel/", func(s store.Store) store.Store { return deafRenewal{s} }},
		{"ignores priority", "order/", func(s store.Store) store.Store { return ignoresPriority{s} }},
		{"counts what is not to be counted", "retry/", func(s store.Store) store.Store { return countsAll{s} }},
		{"exports without events", "move/", func(s store.Store) store.Store { return noEvents{s} }},
		{"imports without keys", "move/", func(s store.Store) store.Store { return noKeys{s} }},
		{"hides whose limit was reached", "limit/", func(s store.Store) store.Store { return nameless{s} }},
		{"reads what was true before", "concurrent/one order", func(s store.Store) store.Store { return &staleReads{Store: s, first: map[store.ID]store.Job{}} }},
		{"loses an API key", "apikey/", func(s store.Store) store.Store { return &losesAPIKey{Store: s} }},
		{"changes API keys by what was true before", "apikey/nobody", func(s store.Store) store.Store { return staleAPIKeys{s} }},
		{"wakes nobody", "wake/", func(s store.Store) store.Store { return wakesNobody{s} }},
	}
}

// losesSubmission acknowledges a third submission that it does not keep.
type losesSubmission struct {
	store.Store
	mu sync.Mutex
	n  int
}

func (s *losesSubmission) Submit(ctx context.Context, n store.NewJob) (store.Job, bool, error) {
	s.mu.Lock()
	s.n++
	lost := s.n == 3
	s.mu.Unlock()
	if !lost {
		return s.Store.Submit(ctx, n)
	}
	return store.Job{
		ID: store.NewID(NewClock().Now(), 1, 0), Tenant: n.Tenant, Queue: n.Queue, Lane: n.Lane(),
		State: store.Queued, Submission: &n.Submission,
	}, false, nil
}

// claimsTwice gives the last job claimed to the next who finds none.
type claimsTwice struct {
	store.Store
	mu   sync.Mutex
	last []store.Claim
}

func (s *claimsTwice) Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claim, error) {
	cs, err := s.Store.Claim(ctx, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && len(cs) == 0 {
		cs, s.last = s.last, nil
		return cs, nil
	}
	s.last = cs
	return cs, err
}

// lateFinish says yes to whoever has lost the lease.
type lateFinish struct{ store.Store }

func (s lateFinish) Finish(ctx context.Context, l store.Lease, r sandbox.Report, events ...store.Event) error {
	err := s.Store.Finish(ctx, l, r, events...)
	if errors.Is(err, store.ErrLeaseLost) {
		return nil
	}
	return err
}

// forgetsKeys makes a job for every submission.
type forgetsKeys struct{ store.Store }

func (s forgetsKeys) Submit(ctx context.Context, n store.NewJob) (store.Job, bool, error) {
	n.Key = ""
	return s.Store.Submit(ctx, n)
}

// deafRenewal does not say that a cancellation was asked for.
type deafRenewal struct{ store.Store }

func (s deafRenewal) Renew(ctx context.Context, ls []store.Lease, d time.Duration) ([]store.Renewal, error) {
	rs, err := s.Store.Renew(ctx, ls, d)
	for i := range rs {
		rs[i].CancelRequested = false
	}
	return rs, err
}

// ignoresPriority takes every job for an ordinary one.
type ignoresPriority struct{ store.Store }

func (s ignoresPriority) Submit(ctx context.Context, n store.NewJob) (store.Job, bool, error) {
	n.Priority = 0
	return s.Store.Submit(ctx, n)
}

// countsAll counts an attempt that a worker gave back since it merely stops.
type countsAll struct{ store.Store }

func (s countsAll) GiveBack(ctx context.Context, l store.Lease, g store.GiveBack) error {
	g.Counted = true
	return s.Store.GiveBack(ctx, l, g)
}

// staleReads shows every job as it was when somebody looked first.
type staleReads struct {
	store.Store
	mu    sync.Mutex
	first map[store.ID]store.Job
}

func (s *staleReads) Get(ctx context.Context, id store.ID) (store.Job, error) {
	j, err := s.Store.Get(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, known := s.first[id]; known {
		return old, err
	}
	if err == nil {
		s.first[id] = j
	}
	return j, err
}

// losesAPIKey acknowledges a third API key that it does not keep.
type losesAPIKey struct {
	store.Store
	n atomic.Int64
}

func (s *losesAPIKey) ChangeAPIKeys(ctx context.Context, change func([]store.APIKey) (store.APIKeyChange, error)) error {
	return s.Store.ChangeAPIKeys(ctx, func(all []store.APIKey) (store.APIKeyChange, error) {
		c, err := change(all)
		if len(c.Put) > 0 && s.n.Add(1) == 3 {
			c.Put = nil
		}
		return c, err
	})
}

// staleAPIKeys lets others change API keys between what a change is told and what it does.
type staleAPIKeys struct{ store.Store }

func (s staleAPIKeys) ChangeAPIKeys(ctx context.Context, change func([]store.APIKey) (store.APIKeyChange, error)) error {
	all, err := s.APIKeys(ctx)
	if err != nil {
		return err
	}
	c, err := change(all)
	if err != nil {
		return err
	}
	time.Sleep(10 * time.Millisecond) // so that the others have been told too
	return s.Store.ChangeAPIKeys(ctx, func([]store.APIKey) (store.APIKeyChange, error) { return c, nil })
}

// wakesNobody lets waiting workers sleep.
type wakesNobody struct{ store.Store }

func (s wakesNobody) Wake(ctx context.Context, _ []store.Lane) (<-chan struct{}, error) {
	return s.Store.Wake(ctx, nil)
}

// noEvents leaves the jobs' events behind.
type noEvents struct{ store.Store }

func (s noEvents) Export(ctx context.Context, do func(store.Record) error) error {
	return s.Store.Export(ctx, func(r store.Record) error {
		if r.Job != nil {
			r.Job.Events = nil
		}
		return do(r)
	})
}

// noKeys forgets the idempotency keys of what it imports.
type noKeys struct{ store.Store }

func (s noKeys) Import(ctx context.Context, records []store.Record) (store.Imported, error) {
	for _, r := range records {
		if r.Job != nil {
			r.Job.Key = nil
		}
	}
	return s.Store.Import(ctx, records)
}

// nameless refuses as if the queue were full for all.
type nameless struct{ store.Store }

func (s nameless) Submit(ctx context.Context, n store.NewJob) (store.Job, bool, error) {
	j, replayed, err := s.Store.Submit(ctx, n)
	var full *store.QueueFullError
	if errors.As(err, &full) && full.TenantQueued > 0 {
		full.TenantQueued = 0
	}
	return j, replayed, err
}
