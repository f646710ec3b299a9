package redisstore

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestNoClaimMovesAllHeads has more tenants at their limit than one script may put aside: a claim still finds
// the job behind them.
func TestNoClaimMovesAllHeads(t *testing.T) {
	t.Parallel()
	const tenants = 5 * maxMoved
	s := openTest(t, Options{URL: redistest.Start(t).URL}, store.Options{TenantRunning: 1})
	submit := func(tenant string, lane int) error {
		_, _, err := s.Submit(t.Context(), store.NewJob{Tenant: tenant, Queue: "q", Submission: sandbox.Submission{Language: crowdLane(lane)}})
		return err
	}
	claim := func(lane, most int) []store.Claim {
		lanes := []store.Lane{store.LaneOf(crowdLane(lane))}
		cs, err := s.Claim(t.Context(), store.ClaimRequest{Worker: "w", Lanes: lanes, Max: most, Lease: time.Hour})
		must(t, err)
		return cs
	}
	each(t, tenants, func(i int) error { return submit(fmt.Sprint(i), 0) })
	each(t, tenants, func(i int) error { return submit(fmt.Sprint(i), 1) })
	if n := len(claim(0, tenants)); n != tenants {
		t.Fatalf("claimed %d, want %d", n, tenants)
	}
	must(t, submit("last", 1))
	var cs []store.Claim
	calls := spent(t, s, func() { cs = claim(1, 1) })
	if len(cs) != 1 || cs[0].Job.Tenant != "last" {
		t.Fatalf("claimed %v, want the last tenant's job", cs)
	}
	// The last of the runs claims; each before it has moved as many heads as it may.
	if runs := calls["evalsha"]; runs != tenants/maxMoved+1 {
		t.Errorf("%d runs, want %d: %v", runs, tenants/maxMoved+1, calls)
	}
}

// unbounded are the commands that look at everything that a key holds.
var unbounded = regexp.MustCompile(`'(HGETALL|HKEYS|HVALS|SMEMBERS|KEYS|SCAN|SORT|FLUSHALL|[HSZ]SCAN)'|'Z?[LZ]?(REV)?RANGE', [^\n]*, 0, -1\)`)

// TestScriptsReadNoWholeKey looks for such commands in the scripts; each that is there has its reason.
func TestScriptsReadNoWholeKey(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"lib/job.lua LRANGE key":        "a job's events are bounded",
		"events.lua LRANGE events":      "likewise",
		"export.lua LRANGE events":      "likewise",
		"lib/queue.lua HKEYS minutes":   "60 of them",
		"limit.lua ZRANGE leases":       "an operator has changed a setting",
		"limit.lua HKEYS shares":        "likewise",
		"limit.lua ZRANGE parked":       "likewise",
		"setstate.lua ZRANGE processes": "an operator pauses, drains or resumes a queue: all are told",
	}
	found := map[string]bool{}
	for _, dir := range []string{"lua", "lua/lib"} {
		files, err := luaFiles.ReadDir(dir)
		must(t, err)
		for _, f := range files {
			if f.IsDir() {
				continue
			}
			text, err := luaFiles.ReadFile(dir + "/" + f.Name())
			must(t, err)
			for line := range strings.Lines(string(text)) {
				if !unbounded.MatchString(line) {
					continue
				}
				use := ""
				for name := range allowed {
					words := strings.Fields(name)
					if words[0] == strings.TrimPrefix(dir+"/"+f.Name(), "lua/") && strings.Contains(line, "'"+words[1]+"'") && strings.Contains(line, words[2]) {
						use = name
					}
				}
				if use == "" {
					t.Errorf("%s/%s reads a whole key: %s", dir, f.Name(), strings.TrimSpace(line))
				}
				found[use] = true
			}
		}
	}
	for name := range allowed {
		if !found[name] {
			t.Errorf("%s is allowed, but is not there", name)
		}
	}
}

// fleet is a number of processes on one server, with workers in each.
func fleet(t *testing.T, url string, processes, workers int) (stores []*Store, woken []<-chan struct{}) {
	t.Helper()
	for range processes {
		s := openTest(t, Options{URL: url}, store.Options{})
		stores = append(stores, s)
		for range workers {
			ch, err := s.Wake(t.Context(), allLanes())
			must(t, err)
			woken = append(woken, ch)
		}
	}
	return stores, woken
}

// TestOneSubmissionWakesOneOf500 has 500 workers wait for the same lanes, in several processes.
func TestOneSubmissionWakesOneOf500(t *testing.T) {
	t.Parallel()
	const processes, workers = 20, 25
	srv := redistest.Start(t)
	stores, woken := fleet(t, srv.URL, processes, workers)
	s := stores[0]
	submit := func(lane int) {
		_, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q", Submission: sandbox.Submission{Language: crowdLane(lane)}})
		must(t, err)
	}
	// The queue is new: all hear of it, and look, before there is anything for them.
	submit(crowdLanes)
	for _, l := range allLanes() {
		eventually(t, "all processes in lane "+l.Language, func() bool {
			n, err := s.client.ZCard(t.Context(), s.keys.queue(1)+"waiting:"+laneText(l)).Result()
			return err == nil && n == processes
		})
	}
	total := 0
	count := func() int {
		for _, ch := range woken {
			select {
			case <-ch:
				total++
			default:
			}
		}
		return total
	}
	for i := range 10 {
		calls := spent(t, s, func() { submit(i) })
		if calls["publish"] != 1 {
			t.Errorf("a submission had %d processes told, want one: %v", calls["publish"], calls)
		}
		eventually(t, "a wake-up", func() bool { return count() >= 1+i })
	}
	if total != 10 {
		t.Errorf("10 submissions have woken %d workers", total)
	}

	list, err := s.client.ClientList(t.Context()).Result()
	must(t, err)
	if n := len(regexp.MustCompile(`(?m) sub=[1-9]`).FindAllString(list, -1)); n != processes {
		t.Errorf("%d processes of %d workers each have %d connections that subscribe", processes, workers, n)
	}
}

// TestAtRestWorkersAskForLittle has 500 processes wait as workers do, which claim and tell of themselves every 5 s,
// and counts for somewhat longer what they send.
func TestAtRestWorkersAskForLittle(t *testing.T) {
	t.Parallel()
	const workers, every, looks = 500, 5 * time.Second, 2
	srv := redistest.Start(t)
	stores, _ := fleet(t, srv.URL, workers, 1)
	s := stores[0]
	_, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q", Submission: sandbox.Submission{Language: sandbox.Language{Name: "nobody's"}}})
	must(t, err)
	eventually(t, "the queue, everywhere", func() bool {
		return !slices.ContainsFunc(stores, func(s *Store) bool { return len(s.queues.all()) == 0 })
	})
	began := time.Now()
	calls := spent(t, s, func() {
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				time.Sleep(every * time.Duration(i) / workers) // they do not all look at once
				for range looks {
					if err := atRest(t.Context(), s, fmt.Sprint("worker ", i)); err != nil {
						t.Error(err)
					}
					time.Sleep(every)
				}
			})
		}
		wg.Wait()
	})
	took := time.Since(began)
	// Each script but those of waiting asks for the time itself.
	sent := calls["evalsha"] + calls["ping"] + max(0, calls["time"]-calls["evalsha"])
	if sent < 2*looks*workers {
		t.Fatalf("%d workers sent %d commands: they did not look: %v", workers, sent, calls)
	}
	if rate := float64(sent) / took.Seconds() / workers; rate >= 1 {
		t.Errorf("%d workers sent %d commands in %s, %.1f a second each: %v", workers, sent, took, rate, calls)
	}
}

// atRest is what a worker asks for in 5 s without a job.
func atRest(ctx context.Context, s *Store, name string) error {
	cs, err := s.Claim(ctx, store.ClaimRequest{Worker: name, Lanes: allLanes(), Max: 1, Lease: time.Minute})
	if err == nil && len(cs) > 0 {
		err = fmt.Errorf("claimed %d jobs that nobody has submitted", len(cs))
	}
	if err != nil {
		return err
	}
	return s.Heartbeat(ctx, store.Worker{Name: name, Slots: 1}, 15*time.Second)
}
