package modes

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/store"
)

// scripted answers each sweep with the next error.
type scripted struct {
	answers []error
	calls   int
}

func (s *scripted) Sweep(context.Context) (store.Swept, error) {
	err := s.answers[s.calls%len(s.answers)]
	s.calls++
	if err != nil {
		return store.Swept{}, err
	}
	return store.Swept{Expired: 1}, nil
}

func TestSweepGoesOnAndTellsEachFailureOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("disk is full")
		s := &scripted{answers: []error{nil, down, down, down, nil, nil}}
		var log bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			sweep(ctx, s, ticker.C, zerolog.New(&log))
		}()
		time.Sleep(6500 * time.Millisecond) // the bubble's own time
		stop()
		<-ended
		if s.calls != 6 {
			t.Errorf("%d sweeps in 6.5 s, want 6", s.calls)
		}
		for text, want := range map[string]int{"disk is full": 1, "works again": 2, `"message":"swept"`: 3} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("the log says %q %d times, want %d:\n%s", text, n, want, &log)
			}
		}
	})
}

// TestSweepsAreNoOutages: a queue that only sweeps touch takes what lies between two for an outage, by which no lease
// ends, where that is longer than its clock's step: a dead worker's job would run for ever.
func TestSweepsAreNoOutages(t *testing.T) {
	t.Parallel()
	interval := store.MaxClockStep / 2
	_, err := config.Load(config.LoadOptions{Flags: map[string]string{"store.sweep_interval": interval.String()}})
	if err == nil || !strings.Contains(err.Error(), "store.sweep_interval") {
		t.Errorf("sweeps every %s: %v, want a fault", interval, err)
	}
}
