package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func submitChecks() []check {
	return []check{
		{name: "submit/a job comes back as it was sent", run: checkRoundTrip},
		{name: "submit/its life is told", run: checkLife},
		{name: "submit/a full queue refuses", options: depth(3), run: checkFull},
		{name: "submit/a queue full of bytes refuses", options: func(o *store.Options) { o.MaxBytes, o.MaxAttempts = 10_000, 1 }, run: checkFullOfBytes},
		{name: "submit/too large a payload is refused", options: func(o *store.Options) { o.MaxPayload = 2000 }, run: checkLargePayload},
		{name: "submit/too large a report is refused", options: func(o *store.Options) { o.MaxReport = 2000 }, run: checkLargeReport},
		{name: "submit/odd arguments are refused", run: checkInvalid},
		{name: "submit/an unknown job is not found", run: checkUnknown},
		{name: "submit/ids tell age and queue", run: checkIDs},
		{name: "submit/an ended context is heeded", run: checkContext},
	}
}

func depth(n int) func(*store.Options) { return func(o *store.Options) { o.MaxDepth = n } }

func checkRoundTrip(e *env) {
	n := newJob("alice", rust())
	n.Priority, n.MaxAttempts = 7, 2
	n.Labels = map[string]string{"dialect": "original", "": "empty"}
	n.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	n.Submission.Source.Files = append(n.Submission.Source.Files, sandbox.File{Name: "a/b", Content: []byte{0, 0xff, '\n'}})
	n.Submission.Limits = sandbox.Limits{CPU: time.Second, Memory: 1 << 30}
	n.Submission.Args = []string{"é", "<>&"}
	j := e.submit(n)
	want := store.Job{
		ID: j.ID, Tenant: "alice", Queue: queueName, Lane: rust(), Priority: 7, State: store.Queued,
		MaxAttempts: 2, Created: e.clock.Now(), Labels: n.Labels, Trace: n.Trace, Submission: &n.Submission,
	}
	if !reflect.DeepEqual(j, want) {
		e.Errorf("submit gave\n%+v\nwant\n%+v", j, want)
	}
	if got := e.get(j.ID); !reflect.DeepEqual(got, want) {
		e.Errorf("get gave\n%+v\nwant\n%+v", got, want)
	}
	c := e.claim()
	if !reflect.DeepEqual(c.Job.Submission, &n.Submission) || c.Job.Trace != n.Trace || c.Job.ID != j.ID || c.Lease.Job != j.ID {
		e.Errorf("claim gave %+v", c)
	}
	r := accepted()
	r.Compile = &sandbox.Outcome{Stdout: []byte("warn"), CPU: time.Second, Memory: -1}
	r.Tests[0].Outcome = sandbox.Outcome{Stdout: []byte{0xff, 0}, StdoutTruncated: true, Signal: 9}
	e.ok(e.s.Finish(e.ctx(), c.Lease, r), "finish")
	if got := e.is(j.ID, store.Completed); !reflect.DeepEqual(got.Report, &r) {
		e.Errorf("the report came back as %+v", got.Report)
	}
}

func checkLife(e *env) {
	j := e.submitted("")
	if j.MaxAttempts != e.o.MaxAttempts || j.Lane != python() {
		e.Errorf("defaults: %d attempts in lane %s", j.MaxAttempts, j.Lane)
	}
	e.pass(2 * time.Second)
	c := e.claim()
	if c.Waited != 2*time.Second {
		e.Errorf("it waited %s, want 2s", c.Waited)
	}
	started := e.clock.Now()
	if j := e.is(j.ID, store.Running); !j.Started.Equal(started) || j.Counted != 1 || len(j.Attempts) != 1 {
		e.Errorf("running: %+v", j)
	}
	e.pass(time.Second)
	e.finish(c)
	j = e.is(j.ID, store.Completed)
	want := store.Attempt{Worker: workerName, Started: started, Ended: e.clock.Now()}
	if !j.Finished.Equal(e.clock.Now()) || j.Verdict != sandbox.Accepted || !reflect.DeepEqual(j.Attempts, []store.Attempt{want}) {
		e.Errorf("finished: %+v", j)
	}
	q := e.queue()
	if want := (store.Counters{Submitted: 1, Claimed: 1, Completed: 1}); q.Totals != want || q.Completed != 1 || q.Unfinished != 0 {
		e.Errorf("figures: %+v", q)
	}
}

func checkFull(e *env) {
	for range 3 {
		e.submitted("a")
	}
	_, _, err := e.s.Submit(e.ctx(), newJob("b", rust()))
	e.wants(err, store.ErrQueueFull, "a submission to a full queue")
	full := &store.QueueFullError{}
	if errors.As(err, &full) && (full.Queue != queueName || full.Depth != 3 || full.RetryAfter < time.Second) {
		e.Errorf("it says %+v", full)
	}
	other := newJob("b", rust())
	other.Queue = "other"
	e.submit(other)
	c := e.claim(python())
	_, _, err = e.s.Submit(e.ctx(), newJob("b", rust()))
	e.wants(err, store.ErrQueueFull, "a submission while a job runs")
	e.finish(c)
	e.submit(newJob("b", rust()))
	if n := e.queue().Totals.RejectedFull; n != 2 {
		e.Errorf("%d refusals are counted, want 2", n)
	}
}

// checkFullOfBytes: unfinished submissions count until their jobs end, whatever becomes of them in
// between; one that fits into no empty queue is refused for good.
func checkFullOfBytes(e *env) {
	large := func(n int) store.NewJob {
		j := newJob("a", python())
		j.Submission.Source.Files[0].Content = []byte(strings.Repeat("x", n))
		return j
	}
	refused := func(doing string) {
		e.Helper()
		_, _, err := e.s.Submit(e.ctx(), large(3000))
		e.wants(err, store.ErrQueueFull, doing)
		full := &store.QueueFullError{}
		if errors.As(err, &full) && (full.Queue != queueName || full.Depth != 0 || full.Bytes != 10_000 || full.RetryAfter < time.Second) {
			e.Errorf("%s: it says %+v", doing, full)
		}
	}
	_, _, err := e.s.Submit(e.ctx(), large(11_000))
	e.wants(err, store.ErrTooLarge, "a submission that no queue has room for")
	first := e.submit(large(6000))
	if n := e.queue().Bytes; n < 6000 || n > 10_000 {
		e.Errorf("a submission of some 6 to 9 kB counts as %d bytes", n)
	}
	refused("a submission to a queue full of bytes")
	e.submitted("a") // a small one fits
	other := large(6000)
	other.Queue = "other"
	e.submit(other)

	c := e.claim(python())
	for c.Job.ID != first.ID {
		e.finish(c)
		c = e.claim(python())
	}
	refused("a submission while the large job runs")
	e.fail(c)
	e.submit(large(3000))
	if n := e.queue().Totals.RejectedFull; n != 2 {
		e.Errorf("%d refusals are counted, want 2", n)
	}
	e.redrive(first.ID)
	refused("a submission beside the re-driven job")
	e.cancel(first.ID)
	e.submit(large(3000))
}

func checkLargePayload(e *env) {
	n := newJob("a", python())
	n.Submission.Source.Files[0].Content = []byte(strings.Repeat("x", 2000))
	_, _, err := e.s.Submit(e.ctx(), n)
	e.wants(err, store.ErrTooLarge, "a large submission")
	if js := e.list(store.Filter{}); len(js) != 0 {
		e.Errorf("it left %d jobs", len(js))
	}
}

func checkLargeReport(e *env) {
	j := e.submitted("a")
	c := e.claim()
	r := accepted()
	r.Tests[0].Outcome.Stdout = []byte(strings.Repeat("x", 2000))
	e.wants(e.s.Finish(e.ctx(), c.Lease, r), store.ErrTooLarge, "a large report")
	e.is(j.ID, store.Running)
	e.finish(c)
}

func checkInvalid(e *env) {
	long := strings.Repeat("x", store.MaxName+1)
	for what, change := range map[string]func(*store.NewJob){
		"no queue":                 func(n *store.NewJob) { n.Queue = "" },
		"a long queue's name":      func(n *store.NewJob) { n.Queue = long },
		"a long tenant's name":     func(n *store.NewJob) { n.Tenant = long },
		"a long language":          func(n *store.NewJob) { n.Submission.Language.Name = long },
		"a long key":               func(n *store.NewJob) { n.Key = strings.Repeat("x", store.MaxKey+1) },
		"a long trace":             func(n *store.NewJob) { n.Trace = long },
		"a tenant that is no text": func(n *store.NewJob) { n.Tenant = "\xff" },
		"a key that is no text":    func(n *store.NewJob) { n.Key = "\xff" },
		"priority 101":             func(n *store.NewJob) { n.Priority = 101 },
		"priority -101":            func(n *store.NewJob) { n.Priority = -101 },
		"-1 attempts":              func(n *store.NewJob) { n.MaxAttempts = -1 },
	} {
		n := newJob("a", python())
		change(&n)
		_, _, err := e.s.Submit(e.ctx(), n)
		e.wants(err, store.ErrInvalid, "submit with "+what)
	}
	_, err := e.s.Claim(e.ctx(), store.ClaimRequest{Worker: workerName, Lanes: []store.Lane{python()}, Lease: lease})
	e.wants(err, store.ErrInvalid, "claim of no job")
	_, err = e.s.Claim(e.ctx(), store.ClaimRequest{Worker: workerName, Lanes: []store.Lane{python()}, Max: 1})
	e.wants(err, store.ErrInvalid, "claim without a lease")
	e.wants(e.s.Heartbeat(e.ctx(), store.Worker{}, lease), store.ErrInvalid, "heartbeat without a name")
	if qs, err := e.s.Queues(e.ctx()); err != nil || len(qs) != 0 {
		e.Errorf("that left queues %+v, %v", qs, err)
	}
}

func checkUnknown(e *env) {
	known := e.submitted("a").ID
	lower := known
	lower[15] ^= 1
	for _, id := range []store.ID{lower, store.NewID(e.clock.Now(), store.MaxQueueNumber, 7), {}} {
		_, err := e.s.Get(e.ctx(), id)
		e.wants(err, store.ErrNotFound, "get")
		_, err = e.s.Cancel(e.ctx(), id)
		e.wants(err, store.ErrNotFound, "cancel")
		_, err = e.s.Redrive(e.ctx(), id)
		e.wants(err, store.ErrNotFound, "redrive")
		_, err = e.s.Events(e.ctx(), id, 0)
		e.wants(err, store.ErrNotFound, "events")
		_, err = e.s.Watch(e.ctx(), id)
		e.wants(err, store.ErrNotFound, "watch")
		e.wants(e.s.Delete(e.ctx(), id), store.ErrNotFound, "delete")
		l := store.Lease{Job: id, Token: 1}
		e.wants(e.s.Finish(e.ctx(), l, accepted()), store.ErrLeaseLost, "finish")
		if !e.renew(l).Lost {
			e.Errorf("the lease of an unknown job was renewed")
		}
	}
	e.wants(e.s.SetQueueState(e.ctx(), "nowhere", store.QueuePaused), store.ErrNotFound, "pause")
}

func checkIDs(e *env) {
	var all []store.ID
	for i := range 20 {
		if i == 10 {
			e.clock.Move(-time.Hour) // must not reorder them
		}
		all = append(all, e.submitted("a").ID)
	}
	for _, id := range all {
		if id.Queue() != e.queue().Number {
			e.Errorf("job %s carries queue %d, not %d", id, id.Queue(), e.queue().Number)
		}
	}
	listed := ids(e.list(store.Filter{}))
	slices.Reverse(listed)
	if !slices.Equal(listed, all) {
		e.Errorf("the list is not by age")
	}
	if got := claimed(e.claims(20)); !slices.Equal(got, all) {
		e.Errorf("claims are not by age:\n%v\nwant\n%v", got, all)
	}
}

func checkContext(e *env) {
	ctx, cancel := context.WithCancel(e.ctx())
	cancel()
	_, _, err := e.s.Submit(ctx, newJob("a", python()))
	e.wants(err, context.Canceled, "submit")
	_, err = e.s.Claim(ctx, store.ClaimRequest{Worker: workerName, Lanes: []store.Lane{python()}, Max: 1, Lease: lease})
	e.wants(err, context.Canceled, "claim")
	_, err = e.s.List(ctx, store.Filter{})
	e.wants(err, context.Canceled, "list")
	if js := e.list(store.Filter{}); len(js) != 0 {
		e.Errorf("%d jobs came of it", len(js))
	}
}

func keyChecks() []check {
	ttl := func(o *store.Options) { o.KeyTTL = time.Hour }
	return []check{
		{name: "key/a repeated submission is one job", run: checkReplay},
		{name: "key/another payload is a conflict", run: checkConflict},
		{name: "key/a tenant's keys are its own", run: checkTenantKeys},
		{name: "key/it is forgotten in time", options: ttl, run: checkKeyTTL},
		{name: "key/it goes with its job", run: checkKeyDeleted},
		{name: "key/a replay needs no room", options: depth(1), run: checkReplayFull},
		{name: "key/a hundred at once are one job", run: checkReplayRace},
	}
}

func keyed(tenant, key string, hash byte) store.NewJob {
	n := newJob(tenant, python())
	n.Key, n.PayloadHash = key, [32]byte{hash}
	return n
}

func checkReplay(e *env) {
	_, err := e.s.LookupKey(e.ctx(), "a", "k", [32]byte{1})
	e.wants(err, store.ErrNotFound, "look-up before")
	first := e.submit(keyed("a", "k", 1))
	for _, st := range []store.State{store.Queued, store.Running, store.Completed} {
		j, replayed, err := e.s.Submit(e.ctx(), keyed("a", "k", 1))
		e.ok(err, "submit again")
		if !replayed || j.ID != first.ID || j.State != st || j.Submission == nil {
			e.Errorf("the same key gave replayed %v, job %s, which is %s; want %s, %s", replayed, j.ID, j.State, first.ID, st)
		}
		id, err := e.s.LookupKey(e.ctx(), "a", "k", [32]byte{1})
		e.ok(err, "look-up")
		if id != first.ID {
			e.Errorf("look-up gave job %s, want %s", id, first.ID)
		}
		switch st {
		case store.Queued:
			e.claim()
		case store.Running:
			e.pass(lease)
			e.pass(e.get(first.ID).NotBefore.Sub(e.clock.Now()))
			e.finish(e.claim())
		case store.Completed, store.Failed, store.Cancelled:
		}
	}
	if js := e.list(store.Filter{}); len(js) != 1 {
		e.Errorf("there are %d jobs", len(js))
	}
}

func checkConflict(e *env) {
	e.submit(keyed("a", "k", 1))
	_, _, err := e.s.Submit(e.ctx(), keyed("a", "k", 2))
	e.wants(err, store.ErrKeyConflict, "submit of another payload")
	_, err = e.s.LookupKey(e.ctx(), "a", "k", [32]byte{2})
	e.wants(err, store.ErrKeyConflict, "look-up of another payload")
	if js := e.list(store.Filter{}); len(js) != 1 {
		e.Errorf("there are %d jobs", len(js))
	}
}

func checkTenantKeys(e *env) {
	// Together tenant and key spell the same.
	a, b := e.submit(keyed("ab", "c", 1)), e.submit(keyed("a", "bc", 2))
	for _, want := range []store.Job{a, b} {
		n := keyed("ab", "c", 1)
		if want.ID == b.ID {
			n = keyed("a", "bc", 2)
		}
		j, replayed, err := e.s.Submit(e.ctx(), n)
		if err != nil || !replayed || j.ID != want.ID {
			e.Errorf("tenant %q: %v, %v, %v", n.Tenant, j.ID, replayed, err)
		}
	}
}

func checkKeyTTL(e *env) {
	first := e.submit(keyed("a", "k", 1))
	e.pass(59 * time.Minute)
	if _, replayed, err := e.s.Submit(e.ctx(), keyed("a", "k", 1)); err != nil || !replayed {
		e.Errorf("after 59 minutes: replayed %v, %v", replayed, err)
	}
	e.clock.Move(time.Minute)
	_, err := e.s.LookupKey(e.ctx(), "a", "k", [32]byte{1})
	e.wants(err, store.ErrNotFound, "look-up after an hour")
	second := e.submit(keyed("a", "k", 2))
	e.sweep()
	if id, err := e.s.LookupKey(e.ctx(), "a", "k", [32]byte{2}); err != nil || id != second.ID || id == first.ID {
		e.Errorf("the key's second use: %s, %v", id, err)
	}
}

func checkKeyDeleted(e *env) {
	j := e.submit(keyed("a", "k", 1))
	e.cancel(j.ID)
	e.ok(e.s.Delete(e.ctx(), j.ID), "delete")
	if again := e.submit(keyed("a", "k", 2)); again.ID == j.ID {
		e.Errorf("a deleted job's key leads to it")
	}
}

func checkReplayFull(e *env) {
	j := e.submit(keyed("a", "k", 1))
	again, replayed, err := e.s.Submit(e.ctx(), keyed("a", "k", 1))
	if err != nil || !replayed || again.ID != j.ID {
		e.Errorf("a replay to a full queue: %v, %v, %v", again.ID, replayed, err)
	}
}

func checkReplayRace(e *env) {
	const clients = 100
	type answer struct {
		id       store.ID
		replayed bool
		err      error
	}
	answers := make(chan answer, clients)
	for range clients {
		go func() {
			j, replayed, err := e.s.Submit(e.ctx(), keyed("a", "k", 1))
			answers <- answer{j.ID, replayed, err}
		}()
	}
	firsts, seen := 0, map[store.ID]bool{}
	for range clients {
		a := <-answers
		e.ok(a.err, "submit")
		seen[a.id] = true
		if !a.replayed {
			firsts++
		}
	}
	if firsts != 1 || len(seen) != 1 {
		e.Errorf("%d clients with one key made %s", clients, fmt.Sprintf("%d jobs, %d not replayed", len(seen), firsts))
	}
}
