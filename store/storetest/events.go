package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func eventChecks() []check {
	return []check{
		{name: "events/they tell a job's life", run: checkEventLife},
		{name: "events/a cancellation that waits is none", run: checkEventCancel},
		{name: "events/what the worker tells", run: checkProgress},
		{name: "events/the last ones come with the report", run: checkFinishEvents},
		{name: "events/bounded in number", options: func(o *store.Options) { o.MaxEvents = 20 }, run: checkEventCount},
		{name: "events/bounded in bytes", options: func(o *store.Options) { o.MaxEventBytes = 4000 }, run: checkEventBytes},
		{name: "events/output goes before tests", options: func(o *store.Options) { o.MaxEvents = 20 }, run: checkOutputFirst},
		{name: "events/they go with the job", run: checkEventsGone},
		{name: "watch/a value after each event", run: checkWatch},
		{name: "watch/one value waits", run: checkWatchOne},
		{name: "watch/it ends with its context", run: checkWatchEnds},
	}
}

func (e *env) events(id store.ID, after uint64) []store.Event {
	e.Helper()
	evs, err := e.s.Events(e.ctx(), id, after)
	e.ok(err, "events")
	return evs
}

// states gives what a job's state events say, in words.
func (e *env) states(id store.ID) (all []string) {
	e.Helper()
	for _, ev := range e.events(id, 0) {
		if ev.Type == store.EventState {
			var d store.StateData
			e.ok(json.Unmarshal(ev.Data, &d), "state event")
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s", d.State, d.Attempt, d.Reason)))
		}
	}
	return all
}

func checkEventLife(e *env) {
	id := e.submitted("a").ID
	e.giveBack(e.claim(), true)
	e.pass(e.get(id).NotBefore.Sub(e.clock.Now()))
	e.finish(e.claim())
	want := []string{"queued 0", "running 1", "queued 1 no luck", "running 2", "completed 2"}
	if got := e.states(id); !slices.Equal(got, want) {
		e.Errorf("events say %q, want %q", got, want)
	}
	evs := e.events(id, 0)
	if evs[0].Seq != 1 || !evs[len(evs)-1].Time.Equal(e.clock.Now()) {
		e.Errorf("first %+v, last %+v", evs[0], evs[len(evs)-1])
	}
}

// checkEventCancel: that a cancellation was asked for is no state, and no attempt begins by it.
func checkEventCancel(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	e.cancel(id)
	e.cancel(id)
	if want := []string{"queued 0", "running 1"}; !slices.Equal(e.states(id), want) {
		e.Errorf("events say %q, want %q", e.states(id), want)
	}
	e.giveBack(c, false)
	if got := e.states(id); len(got) != 3 || !strings.HasPrefix(got[2], string(store.Cancelled)) {
		e.Errorf("in the end events say %q", got)
	}
}

func output(text string) store.Event {
	data, _ := json.Marshal(store.OutputData{Test: "1", Stream: sandbox.Stdout, Data: []byte(text)}) //nolint:errchkjson // plain fields
	return store.Event{Type: store.EventOutput, Data: data}
}

func (e *env) progress(c store.Claim, evs ...store.Event) {
	e.Helper()
	e.ok(e.s.Progress(e.ctx(), c.Lease, evs...), "progress")
}

func checkProgress(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	before := e.events(id, 0)
	last := before[len(before)-1].Seq
	e.clock.Move(time.Second)
	sent := []store.Event{
		{Type: store.EventCompiled, Data: []byte(`{"exit_code":0}`), Seq: 77, Time: time.Unix(0, 0)},
		output("hello"),
		{Type: store.EventTest, Data: []byte(`{"id":"1"}`)},
		{Type: store.EventRestart, Data: []byte(`{"test":"1"}`)},
	}
	e.progress(c, sent[:1]...)
	e.progress(c, sent[1:]...)
	e.progress(c)
	got := e.events(id, last)
	if len(got) != len(sent) {
		e.Fatalf("%d events after %d, want %d", len(got), last, len(sent))
	}
	for i, ev := range got {
		if ev.Type != sent[i].Type || string(ev.Data) != string(sent[i].Data) || ev.Seq <= last || !ev.Time.Equal(e.clock.Now()) {
			e.Errorf("event %d: %+v", i, ev)
		}
	}
	if rest := e.events(id, got[2].Seq); len(rest) != 1 || rest[0].Seq != got[3].Seq {
		e.Errorf("after %d: %+v", got[2].Seq, rest)
	}
	if rest := e.events(id, got[3].Seq+5); len(rest) != 0 {
		e.Errorf("after the last: %+v", rest)
	}
	e.wants(e.s.Progress(e.ctx(), c.Lease, store.Event{Type: "gossip"}), store.ErrInvalid, "an unknown type")
}

func checkFinishEvents(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	err := e.s.Finish(e.ctx(), c.Lease, accepted(), store.Event{Type: "gossip"})
	e.wants(err, store.ErrInvalid, "an unknown type")
	e.is(id, store.Running)
	e.ok(e.s.Finish(e.ctx(), c.Lease, accepted(), output("hello"), store.Event{Type: store.EventTest, Data: []byte(`{"id":"1"}`)}), "finish")
	evs := e.events(id, 0)
	if len(evs) != 5 || evs[2].Type != store.EventOutput || evs[3].Type != store.EventTest || evs[4].Type != store.EventState {
		e.Errorf("events %+v", evs)
	}
	err = e.s.Finish(e.ctx(), c.Lease, accepted(), output("late"))
	e.wants(err, store.ErrLeaseLost, "a second report")
	if again := e.events(id, 0); len(again) != len(evs) {
		e.Errorf("a report that was refused left events: %+v", again[len(evs):])
	}
}

func checkEventCount(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	for i := range 50 {
		e.progress(c, output(fmt.Sprint(i)))
	}
	evs := e.events(id, 0)
	if len(evs) > 20 || len(evs) < 15 {
		e.Errorf("%d events are kept, 20 are allowed", len(evs))
	}
	if last := evs[len(evs)-1]; string(last.Data) != string(output("49").Data) {
		e.Errorf("the last event is %s", last.Data)
	}
	if got := e.states(id); len(got) != 2 {
		e.Errorf("the states that are left: %q", got)
	}
}

func checkEventBytes(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	for i := range 30 {
		e.progress(c, output(strings.Repeat("x", 500)+fmt.Sprint(i)))
	}
	size := 0
	for _, ev := range e.events(id, 0) {
		size += len(ev.Data)
	}
	if size > 4000 || size < 2000 {
		e.Errorf("events of %d bytes are kept, 4000 are allowed", size)
	}
	e.progress(c, output(strings.Repeat("x", 10_000))) // more than all that is allowed
	if got := e.states(id); len(got) != 2 {
		e.Errorf("the states that are left: %q", got)
	}
	e.finish(c)
}

func checkOutputFirst(e *env) {
	id := e.submitted("a").ID
	c := e.claim()
	for i := range 15 {
		e.progress(c, store.Event{Type: store.EventTest, Data: fmt.Appendf(nil, `{"id":"%d"}`, i)}, output("x"))
	}
	tests := 0
	for _, ev := range e.events(id, 0) {
		if ev.Type == store.EventTest {
			tests++
		}
	}
	if tests != 15 {
		e.Errorf("%d of 15 test events are left", tests)
	}
}

func checkEventsGone(e *env) {
	id := e.submitted("a").ID
	e.cancel(id)
	e.ok(e.s.Delete(e.ctx(), id), "delete")
	_, err := e.s.Events(e.ctx(), id, 0)
	e.wants(err, store.ErrNotFound, "events")
}

// hears waits for a value.
func (e *env) hears(ch <-chan struct{}, what string) {
	e.Helper()
	select {
	case _, ok := <-ch:
		if !ok {
			e.Fatalf("%s: the channel is closed", what)
		}
	case <-time.After(e.patience):
		e.Fatalf("%s: nothing came", what)
	}
}

// silent checks that no value waits. A value comes before the call that causes it returns or
// shortly after it, so that a wrong one may be missed here; it is never a false alarm.
func (e *env) silent(ch <-chan struct{}, what string) {
	e.Helper()
	select {
	case <-ch:
		e.Errorf("%s: a value came", what)
	default:
	}
}

func (e *env) watch(ctx context.Context, id store.ID) <-chan struct{} {
	e.Helper()
	ch, err := e.s.Watch(ctx, id)
	e.ok(err, "watch")
	return ch
}

func checkWatch(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	id, other := e.submitted("a").ID, e.submit(newJob("b", rust())).ID
	a, b, elsewhere := e.watch(ctx, id), e.watch(ctx, id), e.watch(ctx, other)
	var c store.Claim
	steps := []struct {
		what string
		act  func()
	}{
		{"claim", func() { c = e.claim(python()) }},
		{"progress", func() { e.progress(c, output("x")) }},
		{"give back", func() { e.giveBack(c, false) }},
		{"claim again", func() { c = e.claim(python()) }},
		{"finish", func() { e.finish(c) }},
	}
	for _, s := range steps {
		s.act()
		e.hears(a, s.what)
		e.hears(b, s.what)
	}
	e.silent(elsewhere, "another job")
}

func checkWatchOne(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	defer stop()
	id := e.submitted("a").ID
	ch := e.watch(ctx, id)
	c := e.claim()
	for range 5 {
		e.progress(c, output("x"))
	}
	e.hears(ch, "the first")
	if cap(ch) > 1 {
		e.Errorf("%d values may wait", cap(ch))
	}
	e.finish(c)
	e.hears(ch, "finish")
}

// closes waits for a channel's end.
func (e *env) closes(ch <-chan struct{}, what string) {
	e.Helper()
	end := time.After(e.patience)
	for {
		select {
		case _, ok := <-ch:
			if !ok {
				return
			}
		case <-end:
			e.Fatalf("%s: the channel is not closed", what)
		}
	}
}

func checkWatchEnds(e *env) {
	ctx, stop := context.WithCancel(e.ctx())
	id := e.submitted("a").ID
	ch, woken := e.watch(ctx, id), e.wake(ctx, python())
	stop()
	e.closes(ch, "watch")
	e.closes(woken, "wake")
	e.cancel(id)
}
