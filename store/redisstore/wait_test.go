package redisstore

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestAWaitCanBeGivenUp: while the server is frozen, and another wait is being registered, one that is given up
// returns, and so does Close.
func TestAWaitCanBeGivenUp(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL, Timeout: time.Hour, RetryFor: time.Hour}, store.Options{})
	submitTest(t, s, store.NewJob{})
	srv.Signal(t, syscall.SIGSTOP)
	first, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.Wake(first, []store.Lane{anyLane})
		ended <- err
	}()
	eventually(t, "the first wait is being registered", func() bool { return len(s.registered.turn) == 1 })
	second, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Wake(second, []store.Lane{{Language: "other"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait behind it gives %v", err)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the first gives %v", err)
	}
	srv.Signal(t, syscall.SIGCONT)
}

// TestACallInACrowdCanBeGivenUp: while the server is frozen, calls for which there is no room any more among those that
// wait to be sent return once they are given up, too.
func TestACallInACrowdCanBeGivenUp(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL, Timeout: time.Hour, RetryFor: time.Hour}, store.Options{})
	submitTest(t, s, store.NewJob{})
	srv.Signal(t, syscall.SIGSTOP)
	ctx, cancel := context.WithCancel(t.Context())
	const crowd = (pipes + 2) * maxBatch
	ended := make(chan error, crowd)
	for range crowd {
		go func() {
			_, _, err := s.Submit(ctx, store.NewJob{Queue: "q"})
			ended <- err
		}()
	}
	eventually(t, "no room is left", func() bool { return len(s.calls[""]) == maxBatch })
	cancel()
	for range crowd {
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("one gives %v", err)
			}
		case <-time.After(time.Minute):
			srv.Signal(t, syscall.SIGCONT)
			t.Fatal("some never return")
		}
	}
	srv.Signal(t, syscall.SIGCONT)
}

// TestAProcessThatWasKilledIsNotTold: it is registered still, but what it does not hear another one is told.
func TestAProcessThatWasKilledIsNotTold(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{URL: commonServer(t).URL, Prefix: newPrefix()}, store.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	q, err := s.queueFor(ctx, "q")
	must(t, err)
	for _, name := range []string{"killed", "killed too", "a third"} {
		c := s.queueCall("wait", q, -1, name, registeredFor.Microseconds(), laneText(anyLane))
		_, err := s.run(ctx, "wait", c)
		must(t, err)
	}
	woken, err := s.Wake(ctx, []store.Lane{anyLane})
	must(t, err)
	for range 3 {
		submitTest(t, s, store.NewJob{})
		select {
		case <-woken:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody is told of a job")
		}
	}
	if n := s.client.ZCard(ctx, s.keys.queue(q)+"processes").Val(); n != 1 {
		t.Errorf("%d processes are registered, one is there", n)
	}
}
