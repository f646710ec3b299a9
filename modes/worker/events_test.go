package worker_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"optimus/modes/worker"
	"optimus/sandbox"
	"optimus/store"
)

func TestEventsComeBeforeTheReport(t *testing.T) {
	t.Parallel()
	b := running(t, func(o *worker.Options) { o.FlushEvery = time.Hour }) // no live output
	id := b.q.submit("print ok")
	b.q.untilState(t, id, store.Completed)
	events := b.q.entry(id).events
	if len(events) != 1 || events[0].Type != store.EventTest {
		t.Fatalf("events %+v", events)
	}
	var test sandbox.TestReport
	if err := json.Unmarshal(events[0].Data, &test); err != nil || test.Verdict != sandbox.Accepted || string(test.Outcome.Stdout) != "ok\n" {
		t.Errorf("event %s, error %v", events[0].Data, err)
	}
}

func TestLiveOutputOfALongRun(t *testing.T) {
	t.Parallel()
	b := running(t, nil)
	id := b.q.submit("print one", "print two", "wait gate", "print ok")
	b.q.until(t, "output is told", func() bool { return len(b.q.jobs[id].events) > 0 })
	event := b.q.entry(id).events[0]
	var data store.OutputData
	if err := json.Unmarshal(event.Data, &data); err != nil || event.Type != store.EventOutput || data.Stream != sandbox.Stdout {
		t.Fatalf("event %s %s, error %v", event.Type, event.Data, err)
	}
	if got := string(data.Data); !strings.HasPrefix("one\ntwo\n", got) {
		t.Errorf("output %q", got)
	}
	b.fake.Gate("gate").Open()
	b.q.untilState(t, id, store.Completed)
}

// TestWatchersForgetALostRun: output that was told before the container was lost is void.
func TestWatchersForgetALostRun(t *testing.T) {
	t.Parallel()
	b := running(t, nil)
	id := b.q.submit("print one", "wait first", "lose", "print two", "wait second", "print ok")
	b.q.until(t, "output is told", func() bool { return len(b.q.jobs[id].events) > 0 })
	b.fake.Gate("first").Open()
	receive(t, "the repeated run", b.fake.Gate("second").Reached())
	shown := func() (text string, restarts int) {
		for _, e := range b.q.jobs[id].events {
			var output store.OutputData
			switch e.Type {
			case store.EventRestart:
				text, restarts = "", restarts+1
			case store.EventOutput:
				if err := json.Unmarshal(e.Data, &output); err != nil {
					t.Error(err)
				}
				text += string(output.Data)
			case store.EventState, store.EventCompiled, store.EventTest:
			}
		}
		return text, restarts
	}
	b.q.until(t, "the repeated run's output is told once", func() bool {
		text, restarts := shown()
		return text == "one\ntwo\n" && restarts == 1
	})
	b.fake.Gate("second").Open()
	b.q.untilState(t, id, store.Completed)
}

func TestSlowEventsHoldNothingUp(t *testing.T) {
	t.Parallel()
	b := setup(nil)
	b.q.before = func(ctx context.Context, call string) error {
		if call == "progress" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	b.start(t)
	script := strings.Repeat("print "+strings.Repeat("x", 10_000)+"\n", 100)
	id := b.q.submit(script, "wait gate")
	receive(t, "the run's end", b.fake.Gate("gate").Reached())
	b.fake.Gate("gate").Open()
	b.q.untilState(t, id, store.Completed)
	if got := b.Stats(); got.EventsDropped == 0 {
		t.Errorf("stats %+v: a megabyte of output fits no bounded queue", got)
	}
}
