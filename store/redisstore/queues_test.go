package redisstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/redistest"
)

func numbered(s *redistest.Server, prefix string, queues map[string]uint16) Options {
	return Options{URL: s.URL, Prefix: prefix, Queues: queues}
}

// A queue has the number that the options state from the first start on, whoever comes first, and the
// others get numbers beside it.
func TestQueuesAreNumbered(t *testing.T) {
	t.Parallel()
	server, prefix := commonServer(t), newPrefix()
	stated := map[string]uint16{"default": 1, "python": 7, "java": 2}
	for range 2 { // again is the same
		s := openTest(t, numbered(server, prefix, stated), store.Options{})
		for name, want := range stated {
			if n, err := s.queueFor(t.Context(), name); err != nil || n != want {
				t.Errorf("queue %s has the number %d, %v; want %d", name, n, err, want)
			}
		}
		must(t, s.Close())
	}
	s := openTest(t, numbered(server, prefix, nil), store.Options{})
	if n, err := s.queueFor(t.Context(), "rust"); err != nil || n < 1 || n == 1 || n == 2 || n == 7 {
		t.Errorf("a queue of no stated number has %d, %v", n, err)
	}
}

// A number that is another queue's, or a queue that has another one, ends the start and changes nothing.
func TestQueuesNumberedOtherwise(t *testing.T) {
	t.Parallel()
	server, prefix := commonServer(t), newPrefix()
	first := openTest(t, numbered(server, prefix, map[string]uint16{"default": 1, "python": 2}), store.Options{})
	for says, stated := range map[string]map[string]uint16{
		`queue "python" has the number 2 in this store, and is stated to have 3`:          {"rust": 9, "python": 3},
		`queue "java" is stated to have the number 2, which queue "python" has in this s`: {"rust": 9, "java": 2},
	} {
		s, err := Open(t.Context(), numbered(server, prefix, stated), store.Options{})
		if !errors.Is(err, ErrNumbered) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", stated, err)
		}
		if s != nil {
			must(t, s.Close())
		}
	}
	must(t, first.readQueues(t.Context()))
	if names := first.queues.byNumber(); len(names) != 2 {
		t.Errorf("the store has the queues %v", names)
	}
}

// Who waits is woken by a job in a queue that was numbered and held none before, in whichever order the
// processes came.
func TestQueuesThatAreNumberedWake(t *testing.T) {
	t.Parallel()
	server, prefix := commonServer(t), newPrefix()
	stated := map[string]uint16{"default": 1, "python": 3}
	lanes := []store.Lane{{Language: "python", Tier: sandbox.Shared}}
	worker := openTest(t, numbered(server, prefix, stated), store.Options{})
	api := openTest(t, numbered(server, prefix, stated), store.Options{})
	woken, err := worker.Wake(t.Context(), lanes)
	must(t, err)
	for len(woken) > 0 { // to look around at the start
		<-woken
	}
	_, _, err = api.Submit(t.Context(), store.NewJob{
		Queue: "python", Submission: sandbox.Submission{Language: sandbox.Language{Name: "python", Tier: sandbox.Shared}},
	})
	must(t, err)
	select {
	case <-woken:
	case <-time.After(30 * time.Second):
		t.Error("nobody is woken")
	}
}
