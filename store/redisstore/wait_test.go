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
