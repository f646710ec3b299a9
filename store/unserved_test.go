package store_test

import (
	"strings"
	"testing"
	"time"

	"optimus/store"
)

func TestUnserved(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 15, 4, 30, 0, time.UTC)
	queue := store.QueueInfo{Name: "java", State: store.QueueRunning, Ready: 3, OldestReady: now.Add(-61 * time.Second)}
	lanes := []store.Lane{{Language: "java", Tier: "shared"}}
	worker := store.Worker{Name: "w", Lanes: lanes, Slots: 2}
	busy := worker
	busy.Busy = 2
	of := func(w store.Worker, queues ...string) store.Worker { w.Queues = queues; return w }
	bare := worker
	bare.Lanes = nil
	for name, test := range map[string]struct {
		change  func(*store.QueueInfo)
		workers []store.Worker
		want    string
	}{
		"no worker":                    {nil, nil, "3 jobs wait, the oldest for 1m1s, and no worker takes from this queue"},
		"workers of other queues":      {nil, []store.Worker{of(worker, "python"), of(worker, "default", "go")}, "no worker takes from this queue (those that there are take from default, go, python)"},
		"a worker without images":      {nil, []store.Worker{of(bare, "java")}, "has a language's image"},
		"a worker of other languages":  {nil, []store.Worker{worker}, "free slots take none"},
		"a busy worker":                {nil, []store.Worker{of(busy, "java")}, ""},
		"a worker of another, one not": {nil, []store.Worker{of(worker, "python"), of(busy, "java", "go")}, ""},
		"something runs":               {func(q *store.QueueInfo) { q.Running = 1 }, []store.Worker{worker}, ""},
		"one was claimed a minute ago": {func(q *store.QueueInfo) {
			q.PerMinute = []store.MinuteCounters{{Minute: now.Truncate(time.Minute).Add(-time.Minute), Counters: store.Counters{Claimed: 1}}}
		}, []store.Worker{worker}, ""},
		"one was claimed long ago": {func(q *store.QueueInfo) {
			q.PerMinute = []store.MinuteCounters{{Minute: now.Truncate(time.Minute).Add(-2 * time.Minute), Counters: store.Counters{Claimed: 1}}}
		}, []store.Worker{worker}, "free slots take none"},
		"nothing waits":     {func(q *store.QueueInfo) { q.Ready, q.OldestReady = 0, time.Time{} }, nil, ""},
		"not for long":      {func(q *store.QueueInfo) { q.OldestReady = now.Add(-59 * time.Second) }, nil, ""},
		"paused by someone": {func(q *store.QueueInfo) { q.State = store.QueuePaused }, nil, ""},
		"draining":          {func(q *store.QueueInfo) { q.State = store.QueueDraining }, nil, "no worker takes"},
	} {
		q := queue
		if test.change != nil {
			test.change(&q)
		}
		if got := q.Unserved(test.workers, now); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
