package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func moveChecks() []check {
	return []check{
		{name: "move/all comes over", run: checkMoved},
		{name: "move/an import that broke off is resumed", run: checkMoveResumed},
		{name: "move/a running job is queued", run: checkMoveRunning},
		{name: "move/a retry stays delayed", run: checkMoveDelayed},
		{name: "move/into a store that is not empty", run: checkMoveInto},
		{name: "move/a queue that is another one", run: checkMoveConflict},
		{name: "move/an export is of one moment", run: checkMoveSnapshot},
		{name: "move/each job of an export is of one moment", run: checkMoveChanging},
		{name: "move/a huge payload", run: checkMoveHuge, large: true},
		{name: "move/unknown fields survive", run: checkMoveUnknown},
		{name: "move/what no store has written is refused", run: checkMoveInvalid},
		{name: "move/an import wakes who waits for a job", run: checkMoveWakes},
		{name: "move/errors and ends of contexts", run: checkMoveErrors},
	}
}

// sibling opens an empty store of the same kind, clock and options. What it tells of ended jobs is
// told with those of e.
func (e *env) sibling() *env {
	e.Helper()
	other := e.h.env(e.test, e.T, func(o *store.Options) { *o = e.o })
	other.clock, other.ended, other.redriven, other.moved = e.clock, e.ended, e.redriven, true
	return other
}

// export gives the text of an export.
func (e *env) export() []byte {
	e.Helper()
	var text bytes.Buffer
	_, err := store.Export(e.ctx(), e.s, &text, e.clock.Now(), "test")
	e.ok(err, "export")
	return text.Bytes()
}

// load imports a text.
func (e *env) load(text []byte) (store.Imported, error) {
	e.Helper()
	r, err := store.NewRecordReader(bytes.NewReader(text), store.MaxRecordLine)
	if err != nil {
		return store.Imported{}, fmt.Errorf("read: %w", err)
	}
	return store.Import(e.ctx(), e.s, r, func(store.Imported) {})
}

// records gives what an export has.
func (e *env) records() (all []store.Record) {
	e.Helper()
	e.ok(e.s.Export(e.ctx(), func(r store.Record) error {
		all = append(all, r)
		return nil
	}), "export")
	return all
}

// shown is what a store shows, but for what an export does not carry.
func (e *env) shown() snapshot {
	e.Helper()
	s := e.snapshot()
	for i := range s.queues {
		s.queues[i].PerMinute = nil
	}
	return s
}

func checkMoved(e *env) {
	e.populate()
	id := e.submit(keyed("k", "key", 1)).ID
	e.pass(lease) // after which none runs
	e.ok(e.s.SetQueueState(e.ctx(), "other", store.QueuePaused), "pause")
	e.ok(e.s.SetQueueState(e.ctx(), "third", store.QueueDraining), "drain")
	told := len(e.ended.all())
	other := e.sibling()
	defer other.close()
	sum, err := other.load(e.export())
	if want := (store.Imported{Queues: 3, Jobs: 61}); err != nil || sum != want {
		e.Errorf("imported %+v, %v; want %+v", sum, err, want)
	}
	if before, after := e.shown(), other.shown(); !reflect.DeepEqual(before, after) {
		e.Errorf("moved it shows\n%+v\nit showed\n%+v", after, before)
	}
	if n := len(e.ended.all()); n != told {
		e.Errorf("the import told of %d ends", n-told)
	}
	if got, err := other.s.LookupKey(e.ctx(), "k", "key", [32]byte{1}); err != nil || got != id {
		e.Errorf("the key: %s, %v", got, err)
	}
	_, replayed, err := other.s.Submit(e.ctx(), keyed("k", "key", 1))
	if err != nil || !replayed {
		e.Errorf("a submission with the key: %v, %v", replayed, err)
	}
	last := e.list(store.Filter{})[0].ID
	if j := other.submitted("a"); bytes.Compare(last[:], j.ID[:]) >= 0 {
		e.Errorf("job %s, made after the move, is older than %s", j.ID, last)
	}
	n := newJob("a", python())
	n.Queue = "new"
	other.submit(n)
	other.checkInvariants()
}

func checkMoveResumed(e *env) {
	for i := range 300 {
		n := newJob("a", python())
		n.Queue = []string{queueName, "other"}[i%2]
		e.submit(n)
	}
	text := e.export()
	other := e.sibling()
	defer other.close()
	lines := bytes.SplitAfter(text, []byte("\n"))
	for _, cut := range []struct{ lines, jobs int }{{1, 0}, {2, 0}, {3, 1}, {270, 267}} {
		_, err := other.load(bytes.Join(lines[:cut.lines], nil))
		e.wants(err, store.ErrInvalid, "an export that is cut")
		if got := len(other.list(store.Filter{})); got != cut.jobs {
			e.Errorf("after %d lines there are %d jobs, want %d", cut.lines, got, cut.jobs)
		}
	}
	for i, want := range []store.Imported{{Jobs: 33, Skipped: 269}, {Skipped: 302}} {
		if sum, err := other.load(text); err != nil || sum != want {
			e.Errorf("import %d: %+v, %v; want %+v", i, sum, err, want)
		}
	}
	if before, after := e.shown(), other.shown(); !reflect.DeepEqual(before, after) {
		e.Errorf("moved it shows\n%+v\nit showed\n%+v", after, before)
	}
	other.checkInvariants()
}

func checkMoveRunning(e *env) {
	first, second := e.submitted("a").ID, e.submitted("a").ID
	c := e.claim()
	e.giveBack(c, false)
	c = e.claim()
	asked := e.claim()
	e.cancel(asked.Job.ID)
	before := e.get(first)
	other := e.sibling()
	defer other.close()
	e.clock.Move(time.Minute)
	_, err := other.load(e.export())
	e.ok(err, "import")

	j := other.is(first, store.Queued)
	if a := j.Attempts[1]; j.Counted != 0 || len(j.Attempts) != 2 || !a.Uncounted || !a.Ended.Equal(e.clock.Now()) || a.Reason == "" ||
		!a.Started.Equal(before.Started) || !reflect.DeepEqual(j.Attempts[0], before.Attempts[0]) {
		e.Errorf("it ran; moved it is %+v", j)
	}
	if j := other.is(second, store.Cancelled); j.Counted != 1 || j.Report == nil {
		e.Errorf("its cancellation was asked for; moved it is %+v", j)
	}
	other.told(second, store.Cancelled)
	old, now := e.events(first, 0), other.events(first, 0)
	if len(now) != len(old)+1 || !reflect.DeepEqual(now[:len(old)], old) {
		e.Errorf("its events are\n%+v\nthey were\n%+v", now, old)
	}
	e.wants(other.s.Finish(e.ctx(), c.Lease, accepted()), store.ErrLeaseLost, "a finish from the other store")
	if !other.renew(c.Lease).Lost {
		e.Errorf("the lease holds in another store")
	}
	other.finish(other.claim())
	other.is(first, store.Completed)
	e.is(first, store.Running) // here nothing has changed
	if q := other.queue(); q.Totals.Claimed != 4 || q.Totals.Completed != 1 || q.Totals.Cancelled != 1 {
		e.Errorf("figures: %+v", q)
	}
	e.finish(c)
	e.ok(e.s.Finish(e.ctx(), asked.Lease, sandbox.Report{Verdict: sandbox.Cancelled}), "finish")
	e.ended.forget(store.Completed, 1) // of the two stores, each has ended both
	e.ended.forget(store.Cancelled, 1)
}

func checkMoveDelayed(e *env) {
	id := e.submitted("a").ID
	e.giveBack(e.claim(), true)
	due := e.get(id).NotBefore
	other := e.sibling()
	defer other.close()
	_, err := other.load(e.export())
	e.ok(err, "import")
	if j := other.is(id, store.Queued); !j.NotBefore.Equal(due) || other.queue().Delayed != 1 || len(other.claims(1)) != 0 {
		e.Errorf("it was delayed to %s; moved it is %+v", due, j)
	}
	other.pass(due.Sub(e.clock.Now()))
	if c := other.claim(); c.Job.ID != id || c.Job.Counted != 2 {
		e.Errorf("claimed %+v", c.Job)
	}
	other.checkInvariants()
}

// checkMoveInto: what is there stays, jobs of the same queue join it, and a key in use keeps its job.
func checkMoveInto(e *env) {
	other := e.sibling()
	defer other.close()
	mine := other.submit(keyed("k", "key", 2))
	paused := newJob("a", python())
	paused.Queue = "paused"
	other.submit(paused)
	other.ok(other.s.SetQueueState(e.ctx(), "paused", store.QueuePaused), "pause")

	e.clock.Move(-time.Hour)
	older := e.submit(keyed("k", "key", 1))
	e.submit(paused)
	e.clock.Move(time.Hour)
	sum, err := other.load(e.export())
	if want := (store.Imported{Jobs: 2, Skipped: 2}); err != nil || sum != want {
		e.Errorf("imported %+v, %v; want %+v", sum, err, want)
	}
	if q := other.queue(); q.Ready != 2 || q.Totals.Submitted != 1 || !q.OldestReady.Equal(older.Created) {
		e.Errorf("figures: %+v", q)
	}
	if id, err := other.s.LookupKey(e.ctx(), "k", "key", [32]byte{2}); err != nil || id != mine.ID {
		e.Errorf("the key is of %s, %v; want %s", id, err, mine.ID)
	}
	if got := claimed(other.claims(3)); !slices.Equal(got, []store.ID{older.ID, mine.ID}) {
		e.Errorf("claimed %v, want the older %s, then %s, and none of a queue that is paused", got, older.ID, mine.ID)
	}
}

func checkMoveConflict(e *env) {
	e.submitted("a")
	other := e.sibling()
	defer other.close()
	n := newJob("a", python())
	n.Queue = "mine"
	other.submit(n)
	before := other.snapshot()
	_, err := other.load(e.export())
	e.wants(err, store.ErrConflict, "an import of a number that is another queue's")
	var at *store.LineError
	if !errors.As(err, &at) || at.Line != 2 || !strings.Contains(err.Error(), `"mine"`) || !strings.Contains(err.Error(), queueName) {
		e.Errorf("it says %v", err)
	}
	_, err = other.s.Import(e.ctx(), []store.Record{{Queue: &store.QueueRecord{Name: "mine", Number: 99, State: store.QueueRunning}}})
	e.wants(err, store.ErrConflict, "an import of a name that has another number")
	if after := other.snapshot(); !reflect.DeepEqual(before, after) {
		e.Errorf("refused imports have changed\n%+v\ninto\n%+v", before, after)
	}
}

func checkMoveHuge(e *env) {
	n := newJob("a", python())
	n.Submission.Source.Files[0].Content = bytes.Repeat([]byte("<&>\x00"), 5<<20)
	id := e.submit(n).ID
	c := e.claim()
	r := accepted()
	r.Tests[0].Outcome.Stdout = bytes.Repeat([]byte("\xff"), 10<<20)
	e.ok(e.s.Finish(e.ctx(), c.Lease, r), "finish")
	other := e.sibling()
	defer other.close()
	_, err := other.load(e.export())
	e.ok(err, "import")
	if j := other.is(id, store.Completed); !reflect.DeepEqual(j, e.get(id)) {
		e.Errorf("the job is not what it was")
	}
}

func checkMoveUnknown(e *env) {
	e.submitted("a")
	records := e.records()
	later := json.RawMessage(`{"a":[1,"x"]}`)
	records[1].Job.Unknown = map[string]json.RawMessage{"later": later, "STATE": json.RawMessage(`"failed"`)}
	other := e.sibling()
	defer other.close()
	_, err := other.s.Import(e.ctx(), records)
	e.ok(err, "import")
	other.finish(other.claim())
	e.ended.forget(store.Completed, 1) // it has not ended here
	j := other.records()[1].Job
	if want := map[string]json.RawMessage{"later": later}; j.State != store.Completed || !reflect.DeepEqual(j.Unknown, want) {
		e.Errorf("the job is %s, its unknown fields are %s", j.State, j.Unknown)
	}
}

// checkMoveInvalid: a batch with a bad record is refused as a whole.
func checkMoveInvalid(e *env) {
	e.submitted("a")
	e.finish(e.claim())
	e.submitted("a")
	for name, spoil := range map[string]func(rs []store.Record) []store.Record{
		"a job of no queue":   func(rs []store.Record) []store.Record { return rs[1:] },
		"a job behind itself": func(rs []store.Record) []store.Record { return []store.Record{rs[1], rs[0]} },
		"an empty record":     func(rs []store.Record) []store.Record { return append(rs, store.Record{}) },
		"a report of none":    func(rs []store.Record) []store.Record { rs[2].Job.Report = []byte(`{}`); return rs },
		"two queues of a number": func(rs []store.Record) []store.Record {
			return append(rs, store.Record{Queue: &store.QueueRecord{Name: "x", Number: rs[0].Queue.Number, State: store.QueueRunning}})
		},
	} {
		other := e.sibling()
		done, err := other.s.Import(e.ctx(), spoil(e.records()))
		if !errors.Is(err, store.ErrInvalid) && !errors.Is(err, store.ErrConflict) || done != (store.Imported{}) {
			e.Errorf("%s gave %+v, %v", name, done, err)
		}
		if s := other.snapshot(); len(s.jobs)+len(s.queues) != 0 {
			e.Errorf("%s left %+v", name, s)
		}
		other.close()
	}
}

func checkMoveWakes(e *env) {
	id := e.submitted("a").ID
	records := e.records()
	other := e.sibling()
	defer other.close()
	waits := []<-chan struct{}{other.wake(e.ctx(), python())}
	_, err := other.s.Import(e.ctx(), records)
	e.ok(err, "import")
	if n := other.woken(waits); n != 1 {
		e.Errorf("%d workers were woken, want 1", n)
	}
	if c := other.claim(); c.Job.ID != id {
		e.Errorf("claimed %s, want %s", c.Job.ID, id)
	}
}

func checkMoveErrors(e *env) {
	e.submitted("a")
	failing := errors.New("no")
	e.wants(e.s.Export(e.ctx(), func(store.Record) error { return failing }), failing, "an export whose reader fails")
	ended, cancel := context.WithCancel(e.ctx())
	cancel()
	e.wants(e.s.Export(ended, func(store.Record) error { return nil }), context.Canceled, "an export whose context has ended")
	_, err := e.s.Import(ended, e.records())
	e.wants(err, context.Canceled, "an import whose context has ended")
}
