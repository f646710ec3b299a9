package storetest

import (
	"fmt"
	"slices"
	"time"

	"optimus/store"
)

func orderChecks() []check {
	return []check{
		{name: "order/first in first out", run: checkFIFO},
		{name: "order/priority goes first", run: checkPriority},
		{name: "order/only the lanes named", run: checkLanes},
		{name: "order/only the queues named", run: checkQueues},
		{name: "order/priority goes first between queues", run: checkQueuePriority},
		{name: "order/no queue starves another", run: checkQueueTurns},
		{name: "order/a job given back keeps its place", run: checkOldPlace},
		{name: "order/a paused queue gives nothing", run: checkPaused},
	}
}

func checkFIFO(e *env) {
	var want []store.ID
	for range 30 {
		want = append(want, e.submitted("a").ID)
	}
	var got []store.ID
	for len(got) < len(want) {
		cs := e.claims(4)
		if len(cs) == 0 {
			e.Fatalf("no job is left after %d of %d", len(got), len(want))
		}
		got = append(got, claimed(cs)...)
	}
	if !slices.Equal(got, want) {
		e.Errorf("claimed\n%v\nwant\n%v", got, want)
	}
	if cs := e.claims(1); len(cs) != 0 {
		e.Errorf("one more was claimed: %v", claimed(cs))
	}
}

func checkPriority(e *env) {
	var want []store.ID
	of := map[int]store.ID{}
	priorities := []int{0, -100, 100, 5, -1, 1, 99}
	for i, p := range priorities {
		n := newJob(fmt.Sprint("tenant ", i%3), []store.Lane{python(), rust()}[i%2])
		n.Priority = p
		of[p] = e.submit(n).ID
	}
	slices.Sort(priorities)
	for _, p := range slices.Backward(priorities) {
		want = append(want, of[p])
	}
	if got := claimed(e.claims(10)); !slices.Equal(got, want) {
		e.Errorf("claimed\n%v\nwant\n%v", got, want)
	}
}

func checkLanes(e *env) {
	p, r := e.submitted("a"), e.submit(newJob("a", rust()))
	mixed := store.Lane{Language: rust().Language, Tier: python().Tier}
	for _, lanes := range [][]store.Lane{{mixed}, {{Language: "rus"}}, {{Language: "python/shared"}}} {
		if cs := e.claims(5, lanes...); len(cs) != 0 {
			e.Errorf("lanes %v gave %v", lanes, claimed(cs))
		}
	}
	if cs, err := e.s.Claim(e.ctx(), store.ClaimRequest{Worker: workerName, Max: 5, Lease: lease}); err != nil || len(cs) != 0 {
		e.Errorf("no lane gave %v, %v", claimed(cs), err)
	}
	if got := claimed(e.claims(5, rust())); !slices.Equal(got, []store.ID{r.ID}) {
		e.Errorf("lane %s gave %v", rust(), got)
	}
	if got := claimed(e.claims(5, rust(), python(), python())); !slices.Equal(got, []store.ID{p.ID}) {
		e.Errorf("both lanes gave %v", got)
	}
}

// in is a job of another queue.
func in(queue string) store.NewJob {
	n := newJob("a", python())
	n.Queue = queue
	return n
}

func (e *env) claimIn(n int, queues ...string) []store.ID {
	e.Helper()
	cs, err := e.s.Claim(e.ctx(), store.ClaimRequest{
		Worker: workerName, Lanes: []store.Lane{python()}, Queues: queues, Max: n, Lease: lease,
	})
	e.ok(err, "claim")
	return claimed(cs)
}

func checkQueues(e *env) {
	a, b := e.submit(in("a")).ID, e.submit(in("b")).ID
	if got := e.claimIn(5, "c"); len(got) != 0 {
		e.Errorf("an unknown queue gave %v", got)
	}
	if got := e.claimIn(5, "b", "b", "c"); !slices.Equal(got, []store.ID{b}) {
		e.Errorf("queue b gave %v", got)
	}
	if got := e.claimIn(5); !slices.Equal(got, []store.ID{a}) {
		e.Errorf("all queues gave %v", got)
	}
}

func checkQueuePriority(e *env) {
	var want []store.ID
	for _, p := range []int{3, 2, 1} {
		n := in(fmt.Sprint("q", 3-p))
		n.Priority = p
		want = append(want, e.submit(n).ID)
	}
	if got := e.claimIn(3); !slices.Equal(got, want) {
		e.Errorf("claimed\n%v\nwant\n%v", got, want)
	}
}

func checkQueueTurns(e *env) {
	for range 20 {
		e.submit(in("crowded"))
	}
	e.claimIn(5)
	id := e.submit(in("quiet")).ID
	if got := e.claimIn(2); !slices.Contains(got, id) {
		e.Errorf("a queue's only job waits behind another queue's many")
	}
}

func checkOldPlace(e *env) {
	a, b := e.submitted("t"), e.submitted("t")
	c := e.claim()
	e.giveBack(c, false)
	j := e.is(a.ID, store.Queued)
	if j.Counted != 0 || len(j.Attempts) != 1 || !j.Attempts[0].Uncounted || j.Attempts[0].Reason != "no luck" || !j.NotBefore.IsZero() {
		e.Errorf("given back: %+v", j)
	}
	if got := claimed(e.claims(2)); !slices.Equal(got, []store.ID{a.ID, b.ID}) {
		e.Errorf("claimed %v, want %v", got, []store.ID{a.ID, b.ID})
	}
}

func checkPaused(e *env) {
	e.submitted("a")
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueuePaused), "pause")
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueuePaused), "pause again")
	e.submitted("a")
	other := e.submit(in("other")).ID
	if got := e.claimIn(5); !slices.Equal(got, []store.ID{other}) {
		e.Errorf("while a queue is paused %v were claimed, want %v", got, other)
	}
	if q := e.queue(); q.State != store.QueuePaused || q.Ready != 2 {
		e.Errorf("figures: %+v", q)
	}
	e.ok(e.s.SetQueueState(e.ctx(), queueName, store.QueueRunning), "resume")
	if cs := e.claims(5); len(cs) != 2 {
		e.Errorf("after it %d were claimed", len(cs))
	}
}

func fairChecks() []check {
	limit := func(o *store.Options) { o.TenantRunning = 2 }
	return []check{
		{name: "fair/a crowd does not starve one", run: checkCrowd},
		{name: "fair/tenants share alike", run: checkShares},
		{name: "fair/idling earns no credit", run: checkIdle},
		{name: "fair/across lanes", run: checkFairLanes},
		{name: "fair/waiting in many lanes earns no credit", run: checkManyLanes},
		{name: "fair/a tenant has a running limit", options: limit, run: checkTenantLimit},
		{name: "fair/the limit holds in each queue", options: limit, run: checkTenantLimitQueues},
		{name: "fair/a tenant at its limit keeps its order", options: limit, run: checkTenantOrder},
	}
}

func checkCrowd(e *env) {
	for range 50 {
		e.submitted("crowd")
	}
	e.claims(10)
	id := e.submitted("one").ID
	if got := claimed(e.claims(2)); !slices.Contains(got, id) {
		e.Errorf("the only job of a tenant is not among the next two claims")
	}
}

// shares claims n jobs one by one, and gives how many each tenant got; at every moment two
// tenants that have jobs waiting differ by at most 2.
func (e *env) shares(n int, lanes ...store.Lane) map[string]int {
	e.Helper()
	got := map[string]int{}
	for range n {
		c := e.claim(lanes...)
		got[c.Job.Tenant]++
		least, most := n, 0
		for _, k := range got {
			least, most = min(least, k), max(most, k)
		}
		if most-least > 2 {
			e.Fatalf("claims by tenant: %v", got)
		}
		e.finish(c)
	}
	return got
}

func checkShares(e *env) {
	for i, t := range []string{"a", "b", "c"} {
		for range 20 + 10*i {
			e.submitted(t)
		}
	}
	if got := e.shares(45); got["a"]+got["b"]+got["c"] != 45 || min(got["a"], got["b"], got["c"]) < 14 {
		e.Errorf("claims by tenant: %v", got)
	}
}

func checkIdle(e *env) {
	for range 20 {
		e.submitted("busy")
	}
	for range 10 {
		e.finish(e.claim())
	}
	for range 10 {
		e.submitted("back")
	}
	if got := e.shares(10); got["busy"] < 4 {
		e.Errorf("claims by tenant: %v", got)
	}
}

func checkFairLanes(e *env) {
	for range 30 {
		e.submit(newJob("crowd", python()))
		e.submit(newJob("crowd", rust()))
	}
	e.claims(6)
	for range 4 {
		e.submit(newJob("few", rust()))
	}
	got := map[string]int{}
	for _, c := range e.claims(10) {
		got[c.Job.Tenant]++
	}
	if got["few"] != 4 {
		e.Errorf("claims by tenant: %v", got)
	}
}

// checkManyLanes: the jobs that a tenant has in lanes which nobody serves do not all go first
// when somebody does, since it was served elsewhere meanwhile.
func checkManyLanes(e *env) {
	var lanes []store.Lane
	for i := range 6 {
		lanes = append(lanes, store.Lane{Language: fmt.Sprint("rare ", i), Tier: python().Tier})
		e.submit(newJob("crowd", lanes[i]))
	}
	for range 20 {
		e.submitted("crowd")
		e.claim(python())
	}
	for range 4 {
		e.submit(newJob("few", lanes[0]))
	}
	got := map[string]int{}
	for _, c := range e.claims(6, lanes...) {
		got[c.Job.Tenant]++
	}
	if got["few"] < 3 {
		e.Errorf("claims by tenant: %v", got)
	}
}

func checkTenantLimit(e *env) {
	for range 5 {
		e.submitted("a")
	}
	b := e.submitted("b").ID
	cs := e.claims(10)
	if len(cs) != 3 || !slices.Contains(claimed(cs), b) {
		e.Fatalf("%d jobs were claimed, want two of one tenant and one of the other", len(cs))
	}
	if more := e.claims(10); len(more) != 0 {
		e.Errorf("over the limit %v were claimed", claimed(more))
	}
	if q := e.queue(); q.Ready != 3 || q.Running != 3 {
		e.Errorf("figures: %+v", q)
	}
	// One ends: one comes back.
	for _, c := range cs {
		if c.Job.Tenant == "a" {
			e.finish(c)
			if more := e.claims(10); len(more) != 1 {
				e.Errorf("after one has ended %d were claimed", len(more))
			}
		}
	}
}

func checkTenantLimitQueues(e *env) {
	for range 3 {
		e.submit(in("one"))
		e.submit(in("two"))
	}
	if got := e.claimIn(10); len(got) != 4 {
		e.Errorf("%d jobs of a tenant were claimed from two queues, want 4", len(got))
	}
}

func checkTenantOrder(e *env) {
	var all []store.ID
	for range 6 {
		all = append(all, e.submitted("a").ID)
	}
	first := e.claims(10)
	high := newJob("a", rust())
	high.Priority = 9
	want := []store.ID{e.submit(high).ID}
	want = append(want, all[2:]...)
	e.giveBack(first[0], true) // waits for its retry; the place is free
	e.finish(first[1])
	var got []store.ID
	for {
		cs := e.claims(10)
		if len(cs) == 0 {
			break
		}
		for _, c := range cs {
			got = append(got, c.Job.ID)
			e.finish(c)
		}
	}
	if !slices.Equal(got, want) {
		e.Errorf("claimed\n%v\nwant\n%v", got, want)
	}
	e.pass(2 * time.Second)
	if c := e.claim(); c.Job.ID != all[0] {
		e.Errorf("the retry gave %s", c.Job.ID)
	}
}
