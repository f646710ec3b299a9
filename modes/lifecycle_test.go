package modes

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func newLifecycle() *lifecycle { return &lifecycle{log: zerolog.Nop()} }

func TestStopUndoesLastFirst(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	var order []string
	for _, name := range []string{"store", "runner", "http"} {
		l.onStop(name, time.Minute, func(context.Context) error {
			order = append(order, name)
			return nil
		})
	}
	if err := l.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"http", "runner", "store"}; !slices.Equal(order, want) {
		t.Fatalf("undone in the order %v, want %v", order, want)
	}
}

func TestStopReachesEveryStep(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	errHTTP := errors.New("http is stuck")
	var reached atomic.Int32
	l.onStop("store", time.Minute, func(context.Context) error { reached.Add(1); return nil })
	l.onStop("runner", time.Minute, func(context.Context) error { panic("runner broke") })
	l.onStop("http", time.Minute, func(context.Context) error { return errHTTP })
	err := l.stop(t.Context())
	if reached.Load() != 1 {
		t.Fatal("the store was not stopped, since a step above it failed")
	}
	if !errors.Is(err, errHTTP) || !strings.Contains(err.Error(), "stop runner: panic: runner broke") {
		t.Fatalf("stop hides a failure: %v", err)
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	var reached atomic.Bool
	forever := make(chan struct{})
	defer close(forever)
	l.onStop("store", time.Minute, func(context.Context) error { reached.Store(true); return nil })
	l.onStop("stuck", time.Millisecond, func(context.Context) error { <-forever; return nil })
	err := l.stop(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stop stuck") {
		t.Fatalf("the stuck step is not named: %v", err)
	}
	if !reached.Load() {
		t.Fatal("what lies below a stuck step was not stopped")
	}
}

func TestStopCutShort(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	ctx, now := context.WithCancel(t.Context())
	l.onStop("drain", time.Hour, func(ctx context.Context) error {
		now() // the second signal comes while the first is being obeyed
		<-ctx.Done()
		return nil
	})
	if err := l.stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestFailedStartIsRolledBack(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	var held atomic.Int32
	errPort := errors.New("port is taken")
	err := l.start(t.Context(), func(context.Context) error {
		held.Add(1)
		l.onStop("store", time.Minute, func(context.Context) error { held.Add(-1); return nil })
		return errPort
	})
	if !errors.Is(err, errPort) || held.Load() != 0 {
		t.Fatalf("start gives %v and holds %d after it", err, held.Load())
	}
}

func TestRollbackOutlivesTheCause(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	ctx, cancel := context.WithCancel(t.Context())
	var left error
	err := l.start(ctx, func(ctx context.Context) error {
		l.onStop("store", time.Minute, func(ctx context.Context) error { left = ctx.Err(); return nil })
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || left != nil {
		t.Fatalf("start gives %v; the undo was given a context with %v", err, left)
	}
}

func TestStopIsLegalBeforeStartAndTwice(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	if err := l.stop(t.Context()); err != nil {
		t.Fatalf("before start: %v", err)
	}
	var undone int
	begin := func(context.Context) error {
		l.onStop("store", time.Minute, func(context.Context) error { undone++; return nil })
		return nil
	}
	for range 2 {
		if err := l.start(t.Context(), begin); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := l.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if undone != 1 {
		t.Fatalf("undone %d times, want once", undone)
	}
}

func TestConcurrentStartStop(t *testing.T) {
	t.Parallel()
	l := newLifecycle()
	var held, most atomic.Int32
	begin := func(ctx context.Context) error {
		most.Store(max(most.Load(), held.Add(1)))
		l.onStop("resource", time.Minute, func(context.Context) error { held.Add(-1); return nil })
		return ctx.Err()
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 50 {
				if err := l.start(t.Context(), begin); err != nil {
					t.Error(err)
				}
				if err := l.stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := l.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held.Load() != 0 || most.Load() != 1 {
		t.Fatalf("%d held at the end, %d at once; want 0 and 1", held.Load(), most.Load())
	}
}
