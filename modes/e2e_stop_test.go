package modes

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
)

// load gives a server's two slots a job each, and lets more wait.
func load(t *testing.T, s *serving, running web.JobRequest) (runs, waits []string) {
	t.Helper()
	for range 2 {
		runs = append(runs, s.submit(t, running))
	}
	s.untilRunning(t, runs...)
	for n := range 10 {
		waits = append(waits, s.submit(t, square(n)))
	}
	return runs, waits
}

// checkQueued checks that jobs wait, and have lost no attempt.
func checkQueued(t *testing.T, kept map[string]store.Job, ids []string) {
	t.Helper()
	for _, id := range ids {
		if j := kept[id]; j.State != store.Queued || j.Counted != 0 {
			t.Errorf("after the stop job %s is %s with %d attempts counted: %+v", id, j.State, j.Counted, j.Attempts)
		}
	}
}

// checkFinishes checks that what a stopped server has left is what the next one ends.
func (l *lab) checkFinishes(t *testing.T, ids []string) {
	t.Helper()
	s := l.serve(t)
	for _, id := range ids {
		if j := s.ended(t, id); j.Verdict != "accepted" || j.Attempts != 1 {
			t.Errorf("the next server ends job %s as %+v", id, j)
		}
	}
	s.stop(t)
	l.kept(t)
}

func testStopUnderLoad(t *testing.T, l *lab) {
	s := l.serve(t)
	runs, waits := load(t, s, sleeper(2))
	s.stop(t)
	kept := l.kept(t)
	for _, id := range runs {
		if j := kept[id]; j.State != store.Completed || j.Verdict != "accepted" || j.Counted != 1 {
			t.Errorf("what ran when the server was stopped is %s, %s: %+v", j.State, j.Verdict, j.Attempts)
		}
	}
	var left []string
	for _, id := range waits {
		// One that was claimed just before the stop is finished too.
		if j := kept[id]; j.State != store.Completed || j.Verdict != "accepted" || j.Counted != 1 {
			left = append(left, id)
		}
	}
	checkQueued(t, kept, left)
	l.assertNothingLeft(t)
	l.checkFinishes(t, left)
}

// testFrozenServer stops the server's process for longer than a lease, in the midst of its jobs.
func testFrozenServer(t *testing.T, l *lab) {
	s := l.serve(t, "OPTIMUS_WORKER_LEASE=1s")
	st := newStream(t)
	st.server.Store(s.api)
	ids := []string{s.submit(t, sleeper(1)), s.submit(t, sleeper(1))}
	s.untilRunning(t, ids...)
	s.send(t, syscall.SIGSTOP)
	time.Sleep(3 * time.Second)
	s.send(t, syscall.SIGCONT)
	for _, id := range ids {
		s.ended(t, id)
	}
	st.end(t, s)
	s.stop(t)
	checkSquares(t, l.kept(t))
}

func testStopWhileItStarts(t *testing.T, l *lab) {
	s := l.start(t)
	eventually(t, "its containerd runs", func() bool { return len(l.pidsOf(t, "containerd")) > 0 })
	s.stop(t)
}

func testStopAtOnce(t *testing.T, l *lab) {
	s := l.serve(t)
	runs, waits := load(t, s, sleeper(forever))
	s.send(t, syscall.SIGTERM)
	eventually(t, "the server knows that it is to stop", func() bool { return strings.Contains(s.readLog(t), "ask again to stop at once") })
	s.send(t, syscall.SIGTERM)
	s.ends(t)
	checkQueued(t, l.kept(t), append(runs, waits...))
}

func testStopGraceOver(t *testing.T, l *lab) {
	s := l.serve(t, "OPTIMUS_WORKER_GRACE=100ms")
	runs, waits := load(t, s, sleeper(forever))
	s.stop(t)
	checkQueued(t, l.kept(t), append(runs, waits...))
}
