//go:build machine

// Tests with the tag "machine" change the whole machine on which they run: `make test-machine` has them
// run in a virtual one.

package modes

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"optimus/store"
)

// TestClock sets the machine's clock an hour forwards and two back while jobs run and wait: no lease
// ends by it, no job is run again, none is forgotten, and no time that is measured shows it.
func TestClock(t *testing.T) {
	const nap = 5 * time.Second
	l := newLab(t)
	t.Cleanup(func() { l.explain(t) })
	s := l.serve(t)
	known := s.submit(t, square(1))
	s.ended(t, known)
	var ids []string
	for _, shift := range []time.Duration{time.Hour, -2 * time.Hour, time.Hour} {
		// Two run, one waits.
		round := []string{s.submit(t, sleeper(nap.Seconds())), s.submit(t, sleeper(nap.Seconds()))}
		s.untilRunning(t, round...)
		round = append(round, s.submit(t, square(2)))
		shiftClock(t, shift)
		round = append(round, s.submit(t, square(3)))
		for _, id := range round {
			job := s.ended(t, id)
			if job.Verdict != "accepted" {
				t.Errorf("with the clock moved by %s, job %s is %s: %+v", shift, id, job.Verdict, job)
			}
		}
		for _, id := range round[:2] {
			if wall := time.Duration(s.job(t, id).Tests[0].Run.Wall) * time.Millisecond; wall < nap || wall > nap+patience {
				t.Errorf("with the clock moved by %s, a program that sleeps %s has a wall time of %s", shift, nap, wall)
			}
		}
		s.job(t, known)
		s.untilReadiness(t, http.StatusOK)
		ids = append(ids, round...)
	}
	s.stop(t)
	kept := l.kept(t)
	if len(kept) != len(ids)+1 {
		t.Errorf("%d jobs are kept, want %d", len(kept), len(ids)+1)
	}
	for id, job := range kept {
		if job.State != store.Completed || len(job.Attempts) != 1 {
			t.Errorf("job %s is %s after %+v", id, job.State, job.Attempts)
		}
	}
}

// shiftClock moves the machine's clock, and back with the end of the test.
func shiftClock(t *testing.T, by time.Duration) {
	t.Helper()
	set := func(by time.Duration) error {
		now := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
			return fmt.Errorf("set the clock: %w", err)
		}
		return nil
	}
	if err := set(by); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set(-by); err != nil {
			t.Error(err)
		}
	})
}
