package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"optimus/store"
)

func operatorChecks() []check {
	keep := func(o *store.Options) { o.Retention, o.FailedRetention = time.Hour, 2*time.Hour }
	return []check{
		{name: "schema/an upgrade keeps all", run: checkUpgrade},
		{name: "operator/ended jobs are kept for a time", options: keep, run: checkRetention},
		{name: "operator/re-driven jobs are not swept", options: keep, run: checkRetentionRedriven},
		{name: "operator/kept for ever", options: func(o *store.Options) { o.Retention, o.FailedRetention = 0, 0 }, run: checkForEver},
		{name: "operator/only ended jobs are deleted", run: checkDelete},
		{name: "operator/figures", run: checkFigures},
		{name: "operator/counters by the minute", run: checkPerMinute},
		{name: "operator/it says how it fares", run: checkDescription},
		{name: "operator/queues have numbers", run: checkNumbers},
		{name: "operator/workers", run: checkWorkers},
		{name: "operator/a large sweep", options: keep, run: checkLargeSweep},
		{name: "operator/ping", run: func(e *env) { e.ok(e.s.Ping(e.ctx()), "ping") }},
		{name: "operator/closed", run: checkClosed},
	}
}

func checkRetention(e *env) {
	var gone []store.ID
	for _, tenant := range []string{"finished", "cancelled", "failed", "queued"} {
		n := newJob(tenant, python())
		n.MaxAttempts = 1
		gone = append(gone, e.submit(n).ID)
	}
	cs := e.claims(3)
	e.finish(cs[0])
	e.cancel(cs[1].Job.ID)
	e.giveBack(cs[1], false)
	e.giveBack(cs[2], true)
	e.clock.Move(time.Hour - time.Second)
	if sw := e.sweep(); sw.Deleted != 0 {
		e.Errorf("swept too early: %+v", sw)
	}
	e.clock.Move(time.Second)
	if sw := e.sweep(); sw.Deleted != 2 {
		e.Errorf("after an hour: %+v", sw)
	}
	for i, want := range []error{store.ErrNotFound, store.ErrNotFound, nil, nil} {
		_, err := e.s.Get(e.ctx(), gone[i])
		e.wants(err, want, fmt.Sprint("get of job ", i))
	}
	e.clock.Move(time.Hour)
	if sw := e.sweep(); sw.Deleted != 1 {
		e.Errorf("after two hours: %+v", sw)
	}
	if q := e.queue(); q.Completed+q.Failed+q.Cancelled != 0 || q.Ready != 1 || q.Totals.Completed != 1 {
		e.Errorf("figures: %+v", q)
	}
}

func checkRetentionRedriven(e *env) {
	id := e.submitted("a").ID
	e.fail(e.claim())
	e.redrive(id)
	e.clock.Move(100 * time.Hour)
	if sw := e.sweep(); sw.Deleted != 0 {
		e.Errorf("swept: %+v", sw)
	}
	e.is(id, store.Queued)
}

func checkForEver(e *env) {
	id := e.submitted("a").ID
	e.cancel(id)
	e.clock.Move(10 * 365 * 24 * time.Hour)
	if sw := e.sweep(); sw.Deleted != 0 {
		e.Errorf("swept: %+v", sw)
	}
	e.is(id, store.Cancelled)
}

func checkDelete(e *env) {
	id := e.submitted("a").ID
	e.wants(e.s.Delete(e.ctx(), id), store.ErrNotTerminal, "delete of a queued job")
	c := e.claim()
	e.wants(e.s.Delete(e.ctx(), id), store.ErrNotTerminal, "delete of a running job")
	e.finish(c)
	e.ok(e.s.Delete(e.ctx(), id), "delete")
	_, err := e.s.Get(e.ctx(), id)
	e.wants(err, store.ErrNotFound, "get")
	e.wants(e.s.Delete(e.ctx(), id), store.ErrNotFound, "delete again")
	if q := e.queue(); q.Completed != 0 || q.Totals.Completed != 1 {
		e.Errorf("figures: %+v", q)
	}
}

func checkFigures(e *env) {
	first := e.submitted("a")
	e.clock.Move(time.Second)
	e.submitted("a")
	if q := e.queue(); q.Ready != 2 || !q.OldestReady.Equal(first.Created) {
		e.Errorf("figures: %+v", q)
	}
	e.giveBack(e.claim(), true)
	q := e.queue()
	if q.Ready != 1 || q.Delayed != 1 || q.Running != 0 || q.Unfinished != 2 || q.OldestReady.Equal(first.Created) {
		e.Errorf("figures: %+v", q)
	}
	e.claim()
	if q := e.queue(); q.Running != 1 || q.Ready != 0 || !q.OldestReady.IsZero() {
		e.Errorf("figures: %+v", q)
	}
}

func checkPerMinute(e *env) {
	counts := func(back int) uint64 { return e.queue().PerMinute[59-back].Submitted }
	e.submitted("a")
	e.clock.Move(time.Minute)
	e.submitted("a")
	e.submitted("a")
	if counts(0) != 2 || counts(1) != 1 || counts(2) != 0 {
		e.Errorf("minutes: %+v", e.queue().PerMinute[57:])
	}
	e.clock.Move(58 * time.Minute)
	if counts(58) != 2 || counts(59) != 1 || counts(0) != 0 {
		e.Errorf("an hour later: %+v", e.queue().PerMinute[:3])
	}
	e.clock.Move(time.Minute)
	e.submitted("a")
	if counts(59) != 2 || counts(0) != 1 || e.queue().Totals.Submitted != 4 {
		e.Errorf("after it: %+v", e.queue())
	}
}

func checkDescription(e *env) {
	kinds := []string{store.KindFile, store.KindRedis, store.KindSentinel, store.KindCluster}
	e.submitted("a")
	d, err := e.s.Describe(e.ctx())
	e.ok(err, "describe")
	if !slices.Contains(kinds, d.Kind) || !slices.Contains([]string{"local", "fsync", "replicated"}, d.Durability) ||
		(d.Version == "") != (d.Kind == store.KindFile) || d.Bytes <= 0 || d.Free < -1 {
		e.Errorf("it is %+v", d)
	}
	gone, cancel := context.WithCancel(e.ctx())
	cancel()
	unasked, err := e.s.Describe(gone)
	if err == nil || unasked.Kind != d.Kind || unasked.Durability != d.Durability {
		e.Errorf("to who has no time it says %+v, %v", unasked, err)
	}
}

func checkNumbers(e *env) {
	for _, name := range []string{"b", "a", "c"} {
		e.submit(in(name))
	}
	qs, err := e.s.Queues(e.ctx())
	e.ok(err, "queues")
	seen := map[uint16]bool{}
	var names []string
	for _, q := range qs {
		seen[q.Number] = true
		names = append(names, q.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) || len(seen) != 3 {
		e.Errorf("queues: %+v", qs)
	}
}

func checkWorkers(e *env) {
	w := store.Worker{Name: "w2", Version: "1", Lanes: []store.Lane{python(), rust()}, Slots: 4, Started: e.clock.Now()}
	e.ok(e.s.Heartbeat(e.ctx(), w, time.Minute), "heartbeat")
	e.clock.Move(30 * time.Second)
	e.ok(e.s.Heartbeat(e.ctx(), store.Worker{Name: "w1"}, time.Minute), "heartbeat")
	w.Busy = 3
	e.ok(e.s.Heartbeat(e.ctx(), w, time.Minute), "heartbeat")
	w.Seen = e.clock.Now()
	ws, err := e.s.Workers(e.ctx())
	e.ok(err, "workers")
	if len(ws) != 2 || ws[0].Name != "w1" || !reflect.DeepEqual(ws[1], w) {
		e.Errorf("workers: %+v", ws)
	}
	e.ok(e.s.Heartbeat(e.ctx(), w, 2*time.Minute), "heartbeat")
	e.clock.Move(time.Minute)
	e.sweep()
	ws, err = e.s.Workers(e.ctx())
	if err != nil || len(ws) != 1 || ws[0].Name != "w2" {
		e.Errorf("after a minute: %+v, %v", ws, err)
	}
}

func checkLargeSweep(e *env) {
	const jobs = 700
	var wg sync.WaitGroup
	for range 7 {
		wg.Go(func() {
			for range jobs / 7 {
				if _, _, err := e.s.Submit(e.ctx(), newJob("a", python())); err != nil {
					e.Errorf("submit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if cs := e.claims(jobs); len(cs) != jobs {
		e.Errorf("%d jobs were claimed", len(cs))
	}
	if sw := e.pass(lease); sw.Expired != jobs {
		e.Errorf("swept: %+v", sw)
	}
	if sw := e.pass(time.Minute); sw.Promoted != jobs {
		e.Errorf("swept: %+v", sw)
	}
	for _, c := range e.claims(jobs) {
		e.finish(c)
	}
	e.clock.Move(time.Hour)
	if sw := e.sweep(); sw.Deleted != jobs {
		e.Errorf("swept: %+v", sw)
	}
}

func checkClosed(e *env) {
	id := e.submitted("a").ID
	ch := e.wake(e.ctx(), python())
	watched := e.watch(e.ctx(), id)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := e.s.Close(); err != nil {
				e.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	e.closes(ch, "wake")
	e.closes(watched, "watch")
	_, _, err := e.s.Submit(e.ctx(), newJob("a", python()))
	e.wants(err, store.ErrClosed, "submit")
	_, err = e.s.Get(e.ctx(), id)
	e.wants(err, store.ErrClosed, "get")
	_, err = e.s.Wake(e.ctx(), nil)
	e.wants(err, store.ErrClosed, "wake")
	_, err = e.s.Cancellations(e.ctx())
	e.wants(err, store.ErrClosed, "cancellations")
	_, err = e.s.Watch(e.ctx(), id)
	e.wants(err, store.ErrClosed, "watch")
	e.wants(e.s.Ping(e.ctx()), store.ErrClosed, "ping")
	e.closed = true
}

// checkUpgrade: a new store is in the newest form; to upgrade it again changes nothing.
func checkUpgrade(e *env) {
	e.populate()
	c := e.claims(1)
	before := e.snapshot()
	for range 2 {
		schema, err := e.s.Upgrade(e.ctx())
		e.ok(err, "upgrade")
		again, err := e.s.Schema(e.ctx())
		e.ok(err, "schema")
		if schema != again || schema.Written != schema.Known || schema.MinReader < 1 || schema.MinReader > schema.Written {
			e.Errorf("upgraded to %+v, then it is %+v", schema, again)
		}
	}
	if after := e.snapshot(); !reflect.DeepEqual(before, after) {
		e.Errorf("before the upgrade\n%+v\nafter it\n%+v", before, after)
	}
	for _, claim := range c {
		e.finish(claim)
	}
}
