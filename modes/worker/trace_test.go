package worker_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"optimus/modes/worker"
	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/store"
)

// follower writes down what it is told of a job.
type follower struct {
	mu   sync.Mutex
	told []string
	end  chan struct{}
}

func (f *follower) note(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		what += " failed"
	}
	f.told = append(f.told, what)
}

func (f *follower) Began(test *sandbox.TestCase) func(judge.Event, error) {
	name := "compile"
	if test != nil {
		name = "test"
	}
	return func(_ judge.Event, err error) { f.note(name, err) }
}

func (f *follower) Reporting(call string) func(error) {
	return func(err error) { f.note(call, err) }
}

func (f *follower) Ended(end string, v sandbox.Verdict) {
	f.note("ended "+end+" "+string(v), nil)
	close(f.end)
}

// Who follows a job is told once of each thing, and last of what became of it, whatever that is.
func TestTraceOfAJob(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, c := range []struct {
		name, script string
		change       func(*worker.Options)
		fails        error // of each Finish
		elsewhere    bool  // the job ends elsewhere while it runs here
		want         []string
	}{
		{name: "judged", script: "print ok", want: []string{"test", "finish", "ended finished accepted"}},
		{name: "given back", script: "error no box", want: []string{"test failed", "give back", "ended given_back "}},
		{name: "lost", script: "wait gate", elsewhere: true, want: []string{"test failed", "ended lease_lost "}},
		{
			name: "abandoned", script: "print ok", fails: broken,
			change: func(o *worker.Options) { o.ReportFor = time.Millisecond },
			want:   []string{"test", "finish failed", "ended abandoned "},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &follower{end: make(chan struct{})}
			var once sync.Once
			b := setup(func(o *worker.Options) {
				o.Lease = 30 * time.Millisecond
				o.Trace = func(claim store.Claim, at time.Time) worker.Trace {
					if claim.Job.ID == (store.ID{}) || at.IsZero() {
						t.Errorf("asked for who follows %v from %v", claim.Job.ID, at)
					}
					var first *follower
					once.Do(func() { first = f })
					if first == nil {
						return &follower{end: make(chan struct{})} // a later attempt
					}
					return first
				}
				if c.change != nil {
					c.change(o)
				}
			})
			b.q.before = func(_ context.Context, call string) error {
				if call == "finish" {
					return c.fails
				}
				return nil
			}
			b.start(t)
			id := b.q.submit(c.script)
			if c.elsewhere {
				receive(t, "the run", b.fake.Gate("gate").Reached())
				b.q.endElsewhere(id)
			}
			receive(t, "the job's end", f.end)
			if !slices.Equal(f.told, c.want) {
				t.Errorf("told %q, want %q", f.told, c.want)
			}
		})
	}
}
