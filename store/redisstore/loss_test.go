package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestKill kills the server in the middle of a stream, several times over, and starts it anew on its
// append-only file: nobody sees an error, and nothing is lost or doubled.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, ...string) *redistest.Server{"Redis": redistest.Start, "Valkey": redistest.Valkey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Under `everysec` a server whose disk is slow holds its writes back for up to two seconds.
			killOver(t, start(t, "--appendfsync", "always"))
		})
	}
}

func killOver(t *testing.T, srv *redistest.Server) {
	t.Helper()
	var ended atomic.Int64
	s := openTest(t, Options{URL: srv.URL, RetryFor: time.Minute, Durability: Fsync}, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	stop := make(chan struct{})
	done := make(chan map[store.ID]bool)
	go func() { done <- stream(t.Context(), stop, s, func(err error) { t.Error(err) }) }()
	for range 4 {
		time.Sleep(300 * time.Millisecond)
		srv.Kill()
		must(t, srv.Start())
	}
	close(stop)
	all := <-done
	t.Log(len(all), "jobs")
	// The client goes on saying for a while that nobody is there.
	eventually(t, "a connection", func() bool { return s.client.Ping(t.Context()).Err() == nil })
	checkStream(t, s, all, ended.Load())
}

// losses counts, over some faults, what was acknowledged and what of it is gone.
type losses struct {
	faults, lossy, acknowledged, gone int
	// longest is how long before the fault the first was acknowledged that is gone.
	longest time.Duration
}

// faultsEach is how often a test of losses has each fault: OPTIMUS_TEST_FAILOVERS, else once.
func faultsEach(t *testing.T) int {
	t.Helper()
	given := os.Getenv("OPTIMUS_TEST_FAILOVERS")
	if given == "" {
		return 1
	}
	n, err := strconv.Atoi(given)
	must(t, err)
	return n
}

// during submits from several clients at once until what is done has ended, which submits too and gives
// when the fault was, and counts.
func (l *losses) during(t *testing.T, s *Store, do func(submit func()) time.Time) {
	t.Helper()
	const clients = 8
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	acknowledged := map[store.ID]time.Time{}
	acknowledge := func(id store.ID) {
		mu.Lock()
		defer mu.Unlock()
		acknowledged[id] = time.Now()
	}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				j, _, err := s.Submit(ctx, store.NewJob{Queue: "q"})
				if err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					continue
				}
				acknowledge(j.ID)
			}
		})
	}
	fault := do(func() { acknowledge(submitTest(t, s, store.NewJob{}).ID) })
	stop()
	all.Wait()
	gone := 0
	for id, at := range acknowledged {
		_, err := s.Get(t.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			gone++
			l.longest = max(l.longest, fault.Sub(at))
		} else {
			must(t, err)
		}
	}
	l.faults++
	l.acknowledged += len(acknowledged)
	l.gone += gone
	if gone > 0 {
		l.lossy++
	}
}

func (l *losses) tell(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s: %d of %d acknowledged submissions are gone, in %d of %d faults, the first acknowledged %s before it",
		what, l.gone, l.acknowledged, l.lossy, l.faults, l.longest.Round(100*time.Microsecond))
}

// appendfsync is what a durability needs.
func appendfsync(d Durability) string {
	if d == Fsync {
		return "always"
	}
	return "everysec"
}

// masterOf waits until one of two servers is the master, and the other its replica. A busy machine's
// Sentinels may have replaced one that is well.
func masterOf(t *testing.T, servers [2]*redistest.Server) (master int) {
	t.Helper()
	eventually(t, "a master and a replica", func() bool {
		for i, s := range servers {
			if s.Says(t, "role:master") && s.Says(t, "state=online") && servers[1-i].Says(t, "master_link_status:up") {
				master = i
				return true
			}
		}
		return false
	})
	return master
}

// TestWhatAFailoverLoses kills masters while jobs are submitted, and counts which acknowledged ones their
// heirs do not have: under `replicated` none. What the others lose is for the replica's distance to say,
// and is told.
func TestWhatAFailoverLoses(t *testing.T) {
	t.Parallel()
	const late = 200 * time.Millisecond
	for _, d := range []Durability{Local, Fsync, Replicated} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			servers, lines, sentinels := redistest.SentinelsApart(t, "--appendfsync", appendfsync(d))
			s := openTest(t, Options{Addrs: sentinels, Master: redistest.MasterName, Durability: d, RetryFor: time.Minute}, store.Options{})
			for _, c := range []struct {
				what string
				late time.Duration // is what the replica hears, and lost with the machine
			}{{"the process is killed", 0}, {fmt.Sprintf("the machine is lost, and the replica hears %s late", late), late}} {
				var l losses
				for range faultsEach(t) {
					master := masterOf(t, servers)
					lines[master].Late.Store(int64(c.late))
					old, heir := servers[master], servers[1-master]
					l.during(t, s, func(submit func()) (fault time.Time) {
						submit() // the master is found
						time.Sleep(3 * late)
						submit()
						fault = time.Now()
						old.Kill()
						if c.late > 0 {
							lines[master].Lose()
						}
						eventually(t, "another master", func() bool { return heir.Says(t, "role:master") })
						return fault
					})
					lines[master].Late.Store(0)
					must(t, old.Start())
				}
				l.tell(t, fmt.Sprintf("%s, %s", d, c.what))
				if d == Replicated && l.gone > 0 {
					t.Error("what a replica had confirmed is lost")
				}
				if d != Replicated && c.late > 0 && l.gone == 0 {
					t.Error("what the replica cannot have heard is there: the test measures nothing")
				}
			}
			masterOf(t, servers)
			checkIndexes(t, openTest(t, s.ro, store.Options{}))
		})
	}
}

// TestWhatARestartLoses kills the only server while jobs are submitted, and starts it anew on its
// append-only file: under `fsync` nothing is lost.
func TestWhatARestartLoses(t *testing.T) {
	t.Parallel()
	for _, d := range []Durability{Local, Fsync} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			srv := redistest.Start(t, "--appendfsync", appendfsync(d))
			s := openTest(t, Options{URL: srv.URL, Durability: d, RetryFor: time.Minute}, store.Options{})
			var l losses
			for range 4 * faultsEach(t) {
				l.during(t, s, func(submit func()) (fault time.Time) {
					submit()
					time.Sleep(300 * time.Millisecond)
					fault = time.Now()
					srv.Kill()
					must(t, srv.Start())
					return fault
				})
			}
			l.tell(t, string(d)+", killed and restarted")
			if d == Fsync && l.gone > 0 {
				t.Error("what was on the disk is lost")
			}
			checkIndexes(t, openTest(t, s.ro, store.Options{}))
		})
	}
}
