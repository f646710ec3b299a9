package storetest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"optimus/store"
)

// T is what a check needs of a *testing.T, so that a failure can also be observed.
type T interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Harness opens the stores of one backend.
type Harness struct {
	// Open gives an empty store of its own. What it needs is freed by t.Cleanup, but for the
	// store, which the suite closes.
	Open func(t *testing.T, o store.Options) store.Store
	// Reopen, where not nil, closes s and opens what it kept, with other options.
	Reopen func(t *testing.T, s store.Store, o store.Options) store.Store
	// OneProcess: the store is open in one process at a time, of which all who hold leases are a
	// part; they end with it.
	OneProcess bool
	// Core leaves out the random walks and what is large, for a backend that has them elsewhere too.
	Core bool
}

// Run holds a backend that cannot be opened anew to the suite.
func Run(t *testing.T, open func(t *testing.T, o store.Options) store.Store) {
	t.Helper()
	Harness{Open: open}.Run(t)
}

// Run holds a backend to the suite, each check on a store of its own.
func (h Harness) Run(t *testing.T) {
	t.Helper()
	for _, c := range checks() {
		if c.reopens && h.Reopen == nil || c.large && h.Core {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := h.env(t, t, c.options)
			defer e.close()
			c.run(e)
			e.checkInvariants()
		})
	}
	if h.Core {
		return
	}
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		h.RunModel(t)
	})
}

// check is one promise.
type check struct {
	name    string
	options func(*store.Options)
	run     func(*env)
	reopens bool
	// large: it moves many megabytes.
	large bool
}

// checks lists the suite.
func checks() []check {
	var all []check
	for _, part := range [][]check{
		submitChecks(), keyChecks(), orderChecks(), fairChecks(), leaseChecks(), clockChecks(), retryChecks(),
		cancelChecks(), endedChecks(), eventChecks(), wakeChecks(), listChecks(), operatorChecks(), concurrentChecks(),
		reopenChecks(), moveChecks(), limitChecks(), apiKeyChecks(),
	} {
		all = append(all, part...)
	}
	return all
}

// failure runs the checks of an area until one fails, and gives its name and what it said first.
func (h Harness) failure(t *testing.T, area string) string {
	t.Helper()
	for _, c := range checks() {
		if c.reopens || !strings.HasPrefix(c.name, area) {
			continue
		}
		r := &recorder{ctx: t.Context()}
		r.do(func() {
			e := h.env(t, r, c.options)
			e.patience = time.Second
			defer e.close()
			c.run(e)
			e.checkInvariants()
		})
		if msg := r.first(); msg != "" {
			return c.name + ": " + msg
		}
	}
	return ""
}

// recorder is a T that remembers failures.
type recorder struct {
	ctx context.Context //nolint:containedctx // it stands for a test's

	mu       sync.Mutex
	failures []string
}

func (r *recorder) do(run func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	<-done
}

func (r *recorder) first() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) == 0 {
		return ""
	}
	return r.failures[0]
}

// Helper does nothing.
func (r *recorder) Helper() {}

// Context is the outer test's.
func (r *recorder) Context() context.Context { return r.ctx }

// Errorf remembers a failure.
func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// Fatalf remembers a failure and ends the check.
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// Clock is a wall clock that stands still until it is moved.
type Clock struct {
	mu               sync.Mutex
	now              time.Time
	earliest, latest time.Time
}

// NewClock gives a clock that shows some moment in 2026.
func NewClock() *Clock {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &Clock{now: at, earliest: at, latest: at}
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move turns the clock forwards, or back.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	if c.now.Before(c.earliest) {
		c.earliest = c.now
	}
	if c.now.After(c.latest) {
		c.latest = c.now
	}
}

// withinAnHour tells whether all that the clock has shown is past, and in the last 59 minutes.
func (c *Clock) withinAnHour() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Equal(c.latest) && c.latest.Sub(c.earliest) < 59*time.Minute
}
