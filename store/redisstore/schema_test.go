package redisstore

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// beyond are the schemas of a binary that knows one more, which older ones cannot read.
func beyond(run func(context.Context, *Store) error) []migration {
	return append(migrations(), migration{minReader: len(migrations()) + 1, run: run})
}

// openBeyond opens a store by such a binary.
func openBeyond(t *testing.T, ro Options, run func(context.Context, *Store) error) *Store {
	t.Helper()
	s, err := open(t.Context(), ro, store.Options{}, beyond(run))
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// kept gives every value that the server holds of the queues.
func kept(t *testing.T, s *Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range keysOf(t, s) {
		if strings.HasPrefix(key, "{"+s.keys.prefix+":") {
			value, err := s.client.Dump(t.Context(), key).Result()
			must(t, err)
			all[key] = value
		}
	}
	return all
}

// uses are what clients, workers and operators do to jobs, of which one has ended, one runs, and one waits.
func uses(ended store.ID, held store.Claim, queued store.ID) map[string]func(context.Context, *Store) error {
	type call = func(context.Context, *Store) error
	id := func(f func(*Store) func(context.Context, store.ID) (store.Job, error), id store.ID) call {
		return func(ctx context.Context, s *Store) error { _, err := f(s)(ctx, id); return err }
	}
	submit := func(key string) call {
		return func(ctx context.Context, s *Store) error {
			_, _, err := s.Submit(ctx, store.NewJob{Queue: "q", Key: key})
			return err
		}
	}
	cancel := func(s *Store) func(context.Context, store.ID) (store.Job, error) { return s.Cancel }
	redrive := func(s *Store) func(context.Context, store.ID) (store.Job, error) { return s.Redrive }
	return map[string]call{
		"submit": submit(""), "submit with a key": submit("k"),
		"cancel what waits": id(cancel, queued), "cancel what runs": id(cancel, held.Job.ID), "redrive": id(redrive, ended),
		"claim": func(ctx context.Context, s *Store) error {
			_, err := s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: []store.Lane{anyLane}, Max: 1, Lease: time.Minute})
			return err
		},
		"renew": func(ctx context.Context, s *Store) error {
			_, err := s.Renew(ctx, []store.Lease{held.Lease}, time.Minute)
			return err
		},
		"progress": func(ctx context.Context, s *Store) error {
			return s.Progress(ctx, held.Lease, store.Event{Type: store.EventTest, Data: []byte(`{}`)})
		},
		"give back": func(ctx context.Context, s *Store) error {
			return s.GiveBack(ctx, held.Lease, store.GiveBack{Reason: "x"})
		},
		"finish": func(ctx context.Context, s *Store) error {
			return s.Finish(ctx, held.Lease, sandbox.Report{Verdict: sandbox.Accepted})
		},
		"delete": func(ctx context.Context, s *Store) error { return s.Delete(ctx, ended) },
		"watch": func(ctx context.Context, s *Store) error {
			_, err := s.Watch(ctx, queued)
			return err
		},
		"sweep": func(ctx context.Context, s *Store) error {
			_, err := s.Sweep(ctx)
			return err
		},
		"pause": func(ctx context.Context, s *Store) error { return s.SetQueueState(ctx, "q", store.QueuePaused) },
		"import": func(ctx context.Context, s *Store) error {
			_, err := s.Import(ctx, []store.Record{aQueue("q", queued.Queue()), {Job: aJob(store.NewID(s.now(), queued.Queue(), 0))}})
			return err
		},
	}
}

// TestAnOlderProcessIsKeptOut has processes run on while a newer one brings the store into a form that
// they cannot read: whether they have heard of that or not they change no job any more, and say why.
func TestAnOlderProcessIsKeptOut(t *testing.T) {
	t.Parallel()
	for name, upgrade := range map[string]func(context.Context, *Store) error{
		"they hear of it": func(ctx context.Context, newer *Store) error {
			_, err := newer.Upgrade(ctx)
			return err
		},
		"they hear nothing": func(ctx context.Context, newer *Store) error {
			_, err := newer.runQueue(ctx, "fence", 1, newer.queueCall("fence", 1, -1, len(beyond(nil)), 0), false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
			s := openTest(t, ro, store.Options{})
			ended := submitTest(t, s, store.NewJob{Queue: "q"}).ID
			must(t, s.Finish(t.Context(), claimTest(t, s, 1, time.Hour)[0].Lease, sandbox.Report{Verdict: sandbox.Accepted}))
			submitTest(t, s, store.NewJob{Queue: "q"})
			held := claimTest(t, s, 1, time.Hour)[0]
			queued := submitTest(t, s, store.NewJob{Queue: "q"}).ID
			older := map[string]*Store{}
			all := uses(ended, held, queued)
			for what := range all {
				older[what] = openTest(t, ro, store.Options{})
			}
			newer := openBeyond(t, ro, nil)
			must(t, upgrade(t.Context(), newer))

			before := kept(t, newer)
			for what, use := range all {
				if err := use(t.Context(), older[what]); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "start that version or a later one") {
					t.Errorf("%s gives %v", what, err)
				}
				if err := older[what].refused(); !errors.Is(err, store.ErrSchema) || !errors.Is(err, store.ErrClosed) {
					t.Errorf("after %s all is refused with %v", what, err)
				}
				must(t, older[what].Close())
			}
			if after := kept(t, newer); !maps.Equal(before, after) {
				t.Errorf("older processes have changed what the server holds from\n%q\nto\n%q", before, after)
			}

			must(t, newer.Finish(t.Context(), held.Lease, sandbox.Report{Verdict: sandbox.Accepted}))
			if c := claimTest(t, newer, 1, time.Hour); c[0].Job.ID != queued {
				t.Errorf("claimed %+v", c)
			}
			checkIndexes(t, newer)
		})
	}
}

// TestAllOfARunAreKeptOut: of several calls that share a run of a script none is let in behind the first.
func TestAllOfARunAreKeptOut(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	s := openTest(t, ro, store.Options{})
	queue := submitTest(t, s, store.NewJob{Queue: "q"}).ID.Queue()
	newer := openBeyond(t, ro, nil)
	_, err := newer.runQueue(t.Context(), "fence", queue, newer.queueCall("fence", queue, -1, len(beyond(nil)), 0), false)
	must(t, err)
	before := kept(t, newer)
	var tries []*sent
	for range 3 {
		c := s.queueCall("progress", queue, 3, store.NewID(s.now(), queue, 0).String(), "1", s.newMark(), "")
		tries = append(tries, &sent{call: c, args: c.args})
	}
	node, err := s.node(t.Context(), s.keys.meta)
	must(t, err)
	if runs := runsOf(tries); len(runs) != 1 {
		t.Fatalf("the calls make %d runs", len(runs))
	}
	if missing := s.pipeline(t.Context(), node, tries); len(missing) > 0 {
		t.Fatal("the script is not there")
	}
	for i, try := range tries {
		if try.err == nil || !strings.HasPrefix(try.err.Error(), outdatedReply+" 2") {
			t.Errorf("call %d gives %v, %v", i, try.value, try.err)
		}
	}
	if after := kept(t, newer); !maps.Equal(before, after) {
		t.Errorf("it has changed what the server holds from\n%q\nto\n%q", before, after)
	}
}

// TestTheNewFormComesLast: when an upgrade begins to write the new form, older processes are kept out
// already, also of queues that hold nothing and of those that come meanwhile; and where it breaks off there, it
// can be repeated.
func TestTheNewFormComesLast(t *testing.T) {
	t.Parallel()
	ro := Options{URL: commonServer(t).URL, Prefix: newPrefix()}
	older, idle := openTest(t, ro, store.Options{}), openTest(t, ro, store.Options{})
	for _, name := range []string{"empty", "other"} {
		_, err := older.queueFor(t.Context(), name)
		must(t, err)
	}
	failing := errors.New("no")
	var late uint16
	newer := openBeyond(t, ro, func(ctx context.Context, s *Store) error {
		n, err := s.queueFor(ctx, "late")
		late = n
		return errors.Join(failing, err)
	})
	if _, err := newer.Upgrade(t.Context()); !errors.Is(err, failing) {
		t.Errorf("an upgrade that fails gives %v", err)
	}
	want := store.Schema{Written: 1, MinReader: 2, Known: 2}
	if sc, err := newer.Schema(t.Context()); err != nil || sc != want {
		t.Errorf("half way the schema is %+v, %v; want %+v", sc, err, want)
	}
	for _, name := range []string{"empty", "late", "new"} {
		if _, _, err := older.Submit(t.Context(), store.NewJob{Queue: name}); !errors.Is(err, store.ErrSchema) {
			t.Errorf("an older process submits to queue %s: %v", name, err)
		}
	}
	if _, err := idle.queueOf(t.Context(), store.NewID(idle.now(), late, 0)); !errors.Is(err, store.ErrSchema) {
		t.Errorf("an older process that has heard nothing learns of a new queue: %v", err)
	}
	failing = nil
	want.Written = 2
	if sc, err := newer.Upgrade(t.Context()); err != nil || sc != want {
		t.Errorf("repeated it gives %+v, %v; want %+v", sc, err, want)
	}
	for _, name := range []string{"empty", "late", "new"} {
		submitTest(t, newer, store.NewJob{Queue: name})
	}
	if _, err := Open(t.Context(), ro, store.Options{}); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "it needs schema 2, this binary knows 1") {
		t.Errorf("an older process that starts says %v", err)
	}
	checkIndexes(t, newer)
}
