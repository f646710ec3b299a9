package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/redistest"
)

var anyLane = store.LaneOf(sandbox.Language{})

func claimTest(t *testing.T, s *Store, most int, lease time.Duration) []store.Claim {
	t.Helper()
	cs, err := s.Claim(t.Context(), store.ClaimRequest{Worker: "w", Lanes: []store.Lane{anyLane}, Max: most, Lease: lease})
	must(t, err)
	return cs
}

func submitTest(t *testing.T, s *Store, n store.NewJob) store.Job {
	t.Helper()
	if n.Queue == "" {
		n.Queue = "q"
	}
	j, _, err := s.Submit(t.Context(), n)
	must(t, err)
	return j
}

// stream submits and works until stop is closed, and gives the jobs whose submission was acknowledged,
// with whether their end was. What is refused for now is tried again by nobody here: the store's own
// patience must do.
func stream(ctx context.Context, stop <-chan struct{}, s *Store, failed func(error)) map[store.ID]bool {
	var mu sync.Mutex
	acknowledged := map[store.ID]bool{}
	stopped := func() bool {
		select {
		case <-stop:
			return true
		default:
			return ctx.Err() != nil
		}
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := 0; !stopped(); n++ {
				j, _, err := s.Submit(ctx, store.NewJob{Queue: fmt.Sprint("q", i%2), Tenant: fmt.Sprint(i), Key: strings.Repeat(fmt.Sprint(i, "-", n), n%2)})
				if err != nil {
					failed(err)
					continue
				}
				mu.Lock()
				acknowledged[j.ID] = acknowledged[j.ID] || false
				mu.Unlock()
			}
		})
		wg.Go(func() {
			for n := 0; !stopped(); n++ {
				cs, err := s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: []store.Lane{anyLane}, Max: 3, Lease: time.Hour})
				if err != nil {
					failed(err)
				}
				for _, c := range cs {
					if n%5 == 0 {
						err = s.GiveBack(ctx, c.Lease, store.GiveBack{Reason: "no"})
					} else if err = s.Finish(ctx, c.Lease, sandbox.Report{Verdict: sandbox.Accepted}); err == nil {
						mu.Lock()
						acknowledged[c.Job.ID] = true
						mu.Unlock()
					}
					if err != nil {
						failed(err)
					}
				}
			}
		})
	}
	wg.Wait()
	return acknowledged
}

// checkStream finds every job of a stream, and no other.
func checkStream(t *testing.T, s *Store, acknowledged map[store.ID]bool, ended int64) {
	t.Helper()
	for id, finished := range acknowledged {
		j, err := s.Get(t.Context(), id)
		if err != nil || finished && (j.State != store.Completed || j.Report == nil) {
			t.Fatalf("job %s, finished %v: %+v, %v", id, finished, j, err)
		}
	}
	var submitted, completed uint64
	qs, err := s.Queues(t.Context())
	must(t, err)
	for _, q := range qs {
		submitted += q.Totals.Submitted
		completed += q.Totals.Completed
	}
	if submitted != uint64(len(acknowledged)) {
		t.Errorf("%d submissions were acknowledged, there are %d", len(acknowledged), submitted)
	}
	if ended >= 0 && completed != uint64(ended) {
		t.Errorf("%d ends were told of, there are %d", ended, completed)
	}
	checkIndexes(t, s)
}

// TestScriptsAreForgotten empties the server's script cache over and over.
func TestScriptsAreForgotten(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	var ended atomic.Int64
	s := openTest(t, Options{URL: srv.URL}, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	stop := make(chan struct{})
	done := make(chan map[store.ID]bool)
	go func() {
		done <- stream(t.Context(), stop, s, func(err error) { t.Error(err) })
	}()
	for range 300 {
		time.Sleep(time.Millisecond)
		must(t, s.client.ScriptFlush(t.Context()).Err())
	}
	close(stop)
	checkStream(t, s, <-done, ended.Load())
}

// TestCutConnections cuts every connection over and over, some of which have sent a call that was done.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	p := startProxy(t, srv)
	var ended atomic.Int64
	s := openTest(t, Options{URL: p.url, RetryFor: time.Minute}, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	stop := make(chan struct{})
	done := make(chan map[store.ID]bool)
	go func() { done <- stream(t.Context(), stop, s, func(err error) { t.Error(err) }) }()
	for i := range 60 {
		time.Sleep(10 * time.Millisecond)
		p.cut(i%2 == 0)
	}
	close(stop)
	all := <-done
	t.Log(len(all), "jobs")
	checkStream(t, s, all, ended.Load())
	checkNothingIsStuck(t, s)
}

// checkNothingIsStuck works all off: no job is leased to a claim that nobody has heard of.
func checkNothingIsStuck(t *testing.T, s *Store) {
	t.Helper()
	qs, err := s.Queues(t.Context())
	must(t, err)
	for _, q := range qs {
		if q.Running != 0 {
			t.Errorf("queue %s: %d jobs are leased, and nobody knows", q.Name, q.Running)
		}
	}
}

// TestLostAnswers loses the answer to one call of each kind.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	p := startProxy(t, srv)
	var ended atomic.Int64
	s := openTest(t, Options{URL: p.url}, store.Options{MaxAttempts: 1, Ended: func(store.Job) { ended.Add(1) }})
	submitTest(t, s, store.NewJob{}) // makes the queue
	report := sandbox.Report{Verdict: sandbox.Accepted}
	lose := func(what string, do func() error) {
		t.Helper()
		p.loseAnswer()
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if !p.lost() {
			t.Errorf("%s: no answer was lost", what)
		}
	}
	lose("submit", func() error { _, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q"}); return err })
	lose("submit with a key", func() error {
		_, replayed, err := s.Submit(t.Context(), store.NewJob{Queue: "q", Key: "k"})
		if replayed {
			t.Error("it is taken for a replay")
		}
		return err
	})
	var cs []store.Claim
	lose("claim", func() error { cs = claimTest(t, s, 3, time.Hour); return nil })
	if len(cs) != 3 || cs[0].Job.Submission == nil {
		t.Fatalf("claimed %+v", cs)
	}
	lose("renew", func() error { _, err := s.Renew(t.Context(), []store.Lease{cs[0].Lease}, time.Hour); return err })
	lose("progress", func() error {
		return s.Progress(t.Context(), cs[0].Lease, store.Event{Type: store.EventTest, Data: []byte(`{}`)})
	})
	if evs, err := s.Events(t.Context(), cs[0].Job.ID, 0); err != nil || len(evs) != 3 {
		t.Errorf("events %+v, %v", evs, err)
	}
	lose("finish", func() error { return s.Finish(t.Context(), cs[0].Lease, report) })
	lose("give back", func() error { return s.GiveBack(t.Context(), cs[1].Lease, store.GiveBack{Counted: true, Reason: "r"}) })
	lose("give back, not counted", func() error { return s.GiveBack(t.Context(), cs[2].Lease, store.GiveBack{}) })
	lose("redrive", func() error { _, err := s.Redrive(t.Context(), cs[1].Job.ID); return err })
	lose("cancel", func() error { _, err := s.Cancel(t.Context(), cs[2].Job.ID); return err })
	if n := ended.Load(); n != 3 {
		t.Errorf("%d ends were told of, want 3", n)
	}
	if err := s.Finish(t.Context(), cs[0].Lease, report); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("another finish gave %v", err)
	}
	q, err := s.Queues(t.Context())
	if err != nil || q[0].Totals != (store.Counters{Submitted: 3, Claimed: 3, Completed: 1, Failed: 1, Cancelled: 1}) {
		t.Errorf("figures: %+v, %v", q[0].Totals, err)
	}
	checkIndexes(t, s)
}

// TestUnknownOutcome: where a call that ends a lease has failed without an answer, its caller may make
// it again, and another may not.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	p := startProxy(t, srv)
	var ended atomic.Int64
	s := openTest(t, Options{URL: p.url, RetryFor: time.Millisecond}, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	submitTest(t, s, store.NewJob{})
	c := claimTest(t, s, 1, time.Hour)[0]
	p.loseAnswer()
	p.refuse(true)
	report := sandbox.Report{Verdict: sandbox.Accepted}
	if err := s.Finish(t.Context(), c.Lease, report); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("it gave %v", err)
	}
	p.refuse(false)
	// A connection that was taken while they were refused may yet end, and the next call with it.
	eventually(t, "the server answers", func() bool { return s.Ping(t.Context()) == nil })
	if err := s.Finish(t.Context(), c.Lease, sandbox.Report{Verdict: sandbox.WrongAnswer}); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("another report gave %v", err)
	}
	must(t, s.Finish(t.Context(), c.Lease, report))
	if err := s.Finish(t.Context(), c.Lease, report); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("the same once more gave %v", err)
	}
	if n := ended.Load(); n != 1 {
		t.Errorf("%d ends were told of", n)
	}
}

// TestFullMemory has the server refuse what it has no room for; what it holds is worked off.
func TestFullMemory(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL}, store.Options{})
	large := store.NewJob{Submission: sandbox.Submission{Source: sandbox.Source{Files: []sandbox.File{{Name: "m", Content: make([]byte, 1<<20)}}}}}
	for range 5 {
		submitTest(t, s, large)
	}
	must(t, s.client.ConfigSet(t.Context(), "maxmemory", "1mb").Err())
	large.Queue = "q"
	for _, key := range []string{"", "k"} {
		large.Key = key
		_, _, err := s.Submit(t.Context(), large)
		if !errors.Is(err, store.ErrNoRoom) || !strings.Contains(err.Error(), "maxmemory") {
			t.Errorf("a submission to a full server gave %v", err)
		}
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ping gave %v", err)
	}
	cs := claimTest(t, s, 5, time.Hour)
	if _, err := s.Renew(t.Context(), []store.Lease{cs[0].Lease}, time.Hour); err != nil {
		t.Error(err)
	}
	must(t, s.Finish(t.Context(), cs[0].Lease, sandbox.Report{Verdict: sandbox.Accepted}, store.Event{Type: store.EventTest, Data: []byte(`{}`)}))
	must(t, s.GiveBack(t.Context(), cs[1].Lease, store.GiveBack{Counted: true}))
	_, err := s.Cancel(t.Context(), cs[1].Job.ID)
	must(t, err)
	_, err = s.Cancel(t.Context(), cs[2].Job.ID)
	must(t, err)
	must(t, s.Delete(t.Context(), cs[0].Job.ID))
	_, err = s.Sweep(t.Context())
	must(t, err)
	checkIndexes(t, s)
	must(t, s.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	submitTest(t, s, large)
	if q, err := s.Queues(t.Context()); err != nil || q[0].Totals.Submitted != 6 {
		t.Errorf("figures: %+v, %v", q, err)
	}
}

// TestFrozenServer: a server that stands still ends no lease, and no attempt is counted.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL}, store.Options{})
	submitTest(t, s, store.NewJob{})
	const lease = 3 * time.Second
	c := claimTest(t, s, 1, lease)[0]
	srv.Signal(t, syscall.SIGSTOP)
	time.Sleep(store.MaxClockStep + 500*time.Millisecond)
	srv.Signal(t, syscall.SIGCONT)
	if sw, err := s.Sweep(t.Context()); err != nil || sw.Expired != 0 {
		t.Errorf("swept %+v, %v", sw, err)
	}
	if rs, err := s.Renew(t.Context(), []store.Lease{c.Lease}, lease); err != nil || rs[0].Lost {
		t.Errorf("renewed %+v, %v", rs, err)
	}
	// An expiry since then counts.
	for range 20 {
		time.Sleep(lease / 10)
		_, err := s.Sweep(t.Context())
		must(t, err)
	}
	if j, err := s.Get(t.Context(), c.Job.ID); err != nil || j.Counted != 1 || j.Attempts[0].Uncounted {
		t.Errorf("in the end %+v, %v", j, err)
	}
}

// TestACrashIsNoOutage: the time during which no process is there is no outage, by which an expiry
// would be pardoned.
func TestACrashIsNoOutage(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix(), LocalClock: true}
	now := atomic.Int64{}
	now.Store(time.Now().Unix())
	o := store.Options{Now: func() time.Time { return time.Unix(now.Load(), 0).UTC() }, MaxAttempts: 1}
	s := openTest(t, ro, o)
	id := submitTest(t, s, store.NewJob{}).ID
	claimTest(t, s, 1, 30*time.Second)
	must(t, s.Close())
	now.Add(3600)
	s = openTest(t, ro, o)
	for range 10 {
		_, err := s.Sweep(t.Context())
		must(t, err)
		now.Add(5)
	}
	if j, err := s.Get(t.Context(), id); err != nil || j.State != store.Failed || j.Attempts[0].Uncounted {
		t.Errorf("after a crash: %+v, %v", j, err)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	_, err := Open(t.Context(), Options{URL: "redis://:secret@127.0.0.1:1", RetryFor: time.Millisecond}, store.Options{})
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "secret") {
		t.Errorf("after %s it gave %v", time.Since(began), err)
	}
}

func TestOddOptions(t *testing.T) {
	t.Parallel()
	empty := t.TempDir() + "/empty"
	must(t, os.WriteFile(empty, nil, 0o600))
	for name, ro := range map[string]Options{
		"no address":      {},
		"another scheme":  {URL: "http://:secret@example.invalid"},
		"no URL":          {URL: "redis://user:secret@127.0.0.1:port"},
		"a durability":    {URL: "redis://127.0.0.1:1", Durability: "some"},
		"a prefix":        {URL: "redis://127.0.0.1:1", Prefix: "{x"},
		"two topologies":  {Addrs: []string{"127.0.0.1:1"}, Master: "m", Cluster: true},
		"no sentinels":    {URL: "redis://127.0.0.1:1", Master: "m"},
		"no password":     {URL: "redis://127.0.0.1:1", PasswordFile: "/nowhere"},
		"no authority":    {URL: "redis://127.0.0.1:1", CAFile: empty},
		"no authority 2":  {URL: "redis://127.0.0.1:1", CAFile: "/nowhere"},
		"no certificate":  {URL: "redis://127.0.0.1:1", CertFile: empty, KeyFile: empty},
		"half a key pair": {URL: "redis://127.0.0.1:1", KeyFile: empty},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), ro, store.Options{})
			if !errors.Is(err, store.ErrInvalid) || strings.Contains(err.Error(), "secret") {
				t.Errorf("it gave %v", err)
			}
		})
	}
}
