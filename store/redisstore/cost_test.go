package redisstore

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/redistest"
)

// spent counts the commands that a server runs for what is done, those of scripts too, by name.
func spent(t *testing.T, s *Store, do func()) map[string]int {
	t.Helper()
	must(t, s.client.ConfigResetStat(t.Context()).Err())
	do()
	text, err := s.client.Info(t.Context(), "commandstats").Result()
	must(t, err)
	counts := map[string]int{}
	for _, m := range regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[2])
		must(t, err)
		if m[1] != "info" && !strings.HasPrefix(m[1], "config") {
			counts[m[1]] = n
		}
	}
	return counts
}

// crowdSize is how much a queue holds of each.
type crowdSize struct{ tenants, running, delayed, ended, workers, processes int }

// crowdLanes is how many lanes there are; in the first no job of a crowd waits, but its processes do.
const crowdLanes = 40

// someJobs is how many jobs those steps are of that are of some.
const someJobs = 16

// priorities is how many priorities they have.
const priorities = 3

// ticking is a clock that goes on when it is told to.
type ticking struct{ µs atomic.Int64 }

func (c *ticking) now() time.Time          { return time.UnixMicro(c.µs.Load()).UTC() }
func (c *ticking) forward(d time.Duration) { c.µs.Add(d.Microseconds()) }

func crowdLane(i int) sandbox.Language { return sandbox.Language{Name: fmt.Sprint("language ", i)} }

func allLanes() (lanes []store.Lane) {
	for i := range crowdLanes {
		lanes = append(lanes, store.LaneOf(crowdLane(i)))
	}
	return lanes
}

// crowded is a store with one queue that holds so much.
func crowded(t *testing.T, size crowdSize, limit int) (*Store, *ticking) {
	t.Helper()
	clock := &ticking{}
	clock.µs.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	o := store.Options{Now: clock.now, TenantRunning: limit}
	s := openTest(t, Options{URL: redistest.Start(t).URL, LocalClock: true}, o)
	jobs := func(prefix string, n int, end func(store.Lease) error) {
		each(t, n, func(i int) error {
			_, _, err := s.Submit(t.Context(), store.NewJob{
				Tenant: fmt.Sprint(prefix, i), Queue: "q", Priority: i % priorities, Submission: sandbox.Submission{Language: crowdLane(1 + i%(crowdLanes-1))},
			})
			return err
		})
		for n > 0 && end != nil {
			cs, err := s.Claim(t.Context(), store.ClaimRequest{Worker: "w", Lanes: allLanes(), Max: n, Lease: 10 * time.Second})
			must(t, err)
			each(t, len(cs), func(i int) error { return end(cs[i].Lease) })
			n -= len(cs)
		}
	}
	jobs("ended ", size.ended, func(l store.Lease) error {
		return s.Finish(t.Context(), l, sandbox.Report{Verdict: sandbox.Accepted})
	})
	jobs("delayed ", size.delayed, func(l store.Lease) error {
		return s.GiveBack(t.Context(), l, store.GiveBack{Counted: true})
	})
	jobs("running ", size.running, func(store.Lease) error { return nil })
	jobs("waiting ", size.tenants, nil)
	each(t, size.workers, func(i int) error {
		return s.Heartbeat(t.Context(), store.Worker{Name: fmt.Sprint("worker ", i)}, time.Hour)
	})
	var channels []string
	for i := range size.processes {
		channels = append(channels, s.keys.processChannel(fmt.Sprint("process", i)))
	}
	listening := s.client.Subscribe(t.Context(), channels...)
	t.Cleanup(func() { _ = listening.Close() })
	for range channels {
		_, err := listening.Receive(t.Context())
		must(t, err)
	}
	each(t, size.processes, func(i int) error {
		_, err := s.run(t.Context(), "wait", s.queueCall("wait", 1, -1, fmt.Sprint("process", i), time.Hour.Microseconds(), laneText(store.LaneOf(crowdLane(0)))))
		return err
	})
	return s, clock
}

// each does something for each of n, many at once.
func each(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, 64) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// step is something that a store does, and what the server ran for it.
type step struct {
	name  string
	calls map[string]int
}

// walk has a job of each kind go its way through a crowd, ahead of all others, and counts.
type walk struct {
	t     *testing.T
	s     *Store
	clock *ticking
	steps []step
}

func (w *walk) step(name string, do func(ctx context.Context) error) {
	w.t.Helper()
	w.clock.forward(time.Millisecond)
	calls := spent(w.t, w.s, func() {
		if err := do(w.t.Context()); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		w.s.behinds.Wait()
	})
	w.steps = append(w.steps, step{name, calls})
}

func (w *walk) submit(name, key string, attempts int) (id store.ID) {
	w.t.Helper()
	w.step(name, func(ctx context.Context) error {
		j, _, err := w.s.Submit(ctx, store.NewJob{
			Tenant: "walker", Queue: "q", Key: key, Priority: 9, MaxAttempts: attempts, Submission: sandbox.Submission{Language: crowdLane(0)},
		})
		id = j.ID
		return err
	})
	return id
}

func (w *walk) claim(name string, id store.ID) (l store.Lease) {
	w.t.Helper()
	w.step(name, func(ctx context.Context) error {
		cs, err := w.s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: allLanes(), Max: 1, Lease: time.Hour})
		if err == nil && (len(cs) != 1 || cs[0].Job.ID != id) {
			err = fmt.Errorf("claimed %d, want job %s", len(cs), id)
		}
		if err == nil {
			l = cs[0].Lease
		}
		return err
	})
	return l
}

func (w *walk) giveBack(name string, l store.Lease, counted bool) {
	w.t.Helper()
	w.step(name, func(ctx context.Context) error { return w.s.GiveBack(ctx, l, store.GiveBack{Counted: counted}) })
}

func (w *walk) all() []step {
	w.t.Helper()
	id := w.submit("submit", "", 3)
	l := w.claim("claim", id)
	w.step("progress", func(ctx context.Context) error {
		return w.s.Progress(ctx, l, store.Event{Type: store.EventTest, Data: []byte(`{}`)})
	})
	w.step("renew", func(ctx context.Context) error {
		_, err := w.s.Renew(ctx, []store.Lease{l}, time.Hour)
		return err
	})
	w.giveBack("give back uncounted", l, false)
	l = w.claim("claim again", id)
	w.step("finish", func(ctx context.Context) error { return w.s.Finish(ctx, l, sandbox.Report{Verdict: sandbox.Accepted}) })
	w.step("get", func(ctx context.Context) error {
		_, err := w.s.Get(ctx, id)
		return err
	})
	w.step("events", func(ctx context.Context) error {
		_, err := w.s.Events(ctx, id, 0)
		return err
	})
	w.step("list", func(ctx context.Context) error {
		_, err := w.s.List(ctx, store.Filter{States: []store.State{store.Queued}, Limit: 10})
		return err
	})
	w.step("delete", func(ctx context.Context) error { return w.s.Delete(ctx, id) })

	id = w.submit("submit with a key", "key", 1)
	l = w.claim("claim a keyed one", id)
	w.giveBack("dead letter", l, true)
	w.step("redrive", func(ctx context.Context) error {
		_, err := w.s.Redrive(ctx, id)
		return err
	})
	l = w.claim("claim a redriven one", id)
	cancel := func(ctx context.Context) error {
		_, err := w.s.Cancel(ctx, id)
		return err
	}
	w.step("cancel running", cancel)
	w.giveBack("give back a cancelled one", l, true)
	id = w.submit("submit the next", "", 3)
	w.step("cancel queued", cancel)
	id = w.submit("submit the last", "", 3)
	l = w.claim("claim the last", id)
	w.giveBack("retry", l, true)
	w.step("cancel delayed", cancel)

	w.step("heartbeat", func(ctx context.Context) error { return w.s.Heartbeat(ctx, store.Worker{Name: "w"}, time.Hour) })
	w.step("sweep, of some shares", func(ctx context.Context) error {
		_, err := w.s.Sweep(ctx)
		return err
	})
	w.step("wait", func(ctx context.Context) error {
		return w.s.register(ctx, []string{"0:/shared"})
	})
	w.step("claim some", func(ctx context.Context) error {
		_, err := w.s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: allLanes(), Max: someJobs, Lease: time.Hour})
		return err
	})
	for range 4 { // until leases and delays are over
		w.clock.forward(store.MaxClockStep - time.Second) // more would be an outage
		w.step("sweep of some", func(ctx context.Context) error {
			_, err := w.s.run(ctx, "sweep", w.s.queueCall("sweep", 1, -1, someJobs, time.Minute.Microseconds(), 0, 0))
			return err
		})
	}
	w.step("expiry of some", func(ctx context.Context) error {
		list, err := w.s.runQueue(ctx, "expire", 1, w.s.queueCall("expire", 1, -1, someJobs, 1e6, 60e6, "0.5", 0), false)
		if err == nil && numberAt(list, 1) != someJobs {
			err = fmt.Errorf("%d leases have expired, want %d", numberAt(list, 1), someJobs)
		}
		return err
	})
	return w.steps
}

// alike tells whether the server has run the same for both. Steps of some jobs take what is first, or what chance
// decides, in whose tenants, lanes and priorities they may differ.
func alike(a, b step) bool {
	if !strings.Contains(a.name, "some") {
		return maps.Equal(a.calls, b.calls)
	}
	const differ = someJobs + 8
	for _, name := range slices.Concat(slices.Collect(maps.Keys(a.calls)), slices.Collect(maps.Keys(b.calls))) {
		if d := a.calls[name] - b.calls[name]; d < -differ || d > differ {
			return false
		}
	}
	return true
}

// TestNoScriptsWorkGrowsWithTheCrowd counts what the server runs for each step of a job's way, in a queue that
// holds little and in one that holds much: it is the same.
func TestNoScriptsWorkGrowsWithTheCrowd(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 2} {
		t.Run(fmt.Sprintf("limit %d", limit), func(t *testing.T) {
			t.Parallel()
			steps := map[string][]step{}
			for name, size := range map[string]crowdSize{
				"little": {tenants: 120, running: 40, delayed: 80, ended: 40, workers: 2, processes: 2},
				"much":   {tenants: 10_000, running: 500, delayed: 300, ended: 500, workers: 500, processes: 500},
			} {
				s, clock := crowded(t, size, limit)
				w := &walk{t: t, s: s, clock: clock}
				steps[name] = w.all()
			}
			for i, little := range steps["little"] {
				much := steps["much"][i]
				if !alike(little, much) {
					t.Errorf("%s: of little %v\nof much %v", little.name, little.calls, much.calls)
				}
			}
		})
	}
}
