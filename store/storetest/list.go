package storetest

import (
	"fmt"
	"slices"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func listChecks() []check {
	return []check{
		{name: "list/every filter", run: checkFilters},
		{name: "list/pages join", run: checkPages},
		{name: "list/a page under change", run: checkPageUnderChange},
		{name: "list/odd cursors and limits", run: checkBadCursor},
		{name: "list/it shows what a row needs", run: checkRow},
	}
}

// populate makes 60 jobs of two tenants in two queues, a minute apart, in all states.
func (e *env) populate() []store.Job {
	e.Helper()
	for i := range 60 {
		n := newJob([]string{"a", ""}[i%2], python())
		n.Queue = []string{queueName, "other", "third"}[i%3]
		n.MaxAttempts = 1
		e.submit(n)
		e.clock.Move(time.Minute)
	}
	for i, c := range e.claims(40) {
		switch i % 4 {
		case 0:
			e.finish(c)
		case 1:
			e.giveBack(c, true)
		case 2:
			e.cancel(c.Job.ID)
			e.giveBack(c, false)
		}
	}
	var all []store.Job
	for _, j := range e.list(store.Filter{Limit: 1000}) {
		all = append(all, e.get(j.ID))
	}
	if len(all) != 60 {
		e.Fatalf("%d of 60 jobs are listed", len(all))
	}
	return all
}

func checkFilters(e *env) {
	all := e.populate()
	a, nobody, anonymous := "a", "nobody", ""
	half := e.began.Add(30 * time.Minute)
	for i, f := range []store.Filter{
		{},
		{Tenant: &a},
		{Tenant: &anonymous},
		{Tenant: &nobody},
		{Queue: "other"},
		{Queue: "nowhere"},
		{States: []store.State{store.Failed}},
		{States: []store.State{store.Queued, store.Running, store.Queued}},
		{States: []store.State{"odd"}},
		{Since: half},
		{Until: half},
		{Since: half, Until: half},
		{Since: half.Add(1)},
		{Until: half.Add(1)},
		{Since: half, Until: half.Add(time.Minute)},
		{Until: e.began},
		{Since: e.began},
		{Tenant: &a, States: []store.State{store.Completed, store.Cancelled}, Queue: queueName, Since: e.began.Add(time.Minute), Until: half},
	} {
		var want []store.ID
		for _, j := range all {
			if matches(f, j) {
				want = append(want, j.ID)
			}
		}
		for _, limit := range []int{0, 1, 7} {
			f.Limit = limit
			if got := ids(e.list(f)); !slices.Equal(got, want) {
				e.Errorf("filter %d %+v: %d jobs, want %d", i, f, len(got), len(want))
			}
		}
	}
}

// matches is what a filter means.
func matches(f store.Filter, j store.Job) bool {
	return (f.Tenant == nil || *f.Tenant == j.Tenant) &&
		(f.Queue == "" || f.Queue == j.Queue) &&
		(len(f.States) == 0 || slices.Contains(f.States, j.State)) &&
		(f.Since.IsZero() || !j.Created.Before(f.Since)) &&
		(f.Until.IsZero() || j.Created.Before(f.Until))
}

func checkPages(e *env) {
	all := ids(e.populate())
	var got []store.ID
	f := store.Filter{Limit: 20}
	for range 3 {
		p, err := e.s.List(e.ctx(), f)
		e.ok(err, "list")
		if len(p.Jobs) != 20 {
			e.Errorf("a page of %d", len(p.Jobs))
		}
		got = append(got, ids(p.Jobs)...)
		f.Cursor = p.Next
	}
	if f.Cursor != "" {
		e.Errorf("the last page has a next one")
	}
	if !slices.Equal(got, all) {
		e.Errorf("the pages are not the list")
	}
}

func checkPageUnderChange(e *env) {
	all := ids(e.populate())
	p, err := e.s.List(e.ctx(), store.Filter{Limit: 30})
	e.ok(err, "list")
	e.submitted("late")
	for _, j := range e.list(store.Filter{States: []store.State{store.Completed}}) {
		e.ok(e.s.Delete(e.ctx(), j.ID), "delete")
	}
	for _, j := range e.list(store.Filter{Limit: 30, Cursor: p.Next}) {
		if !slices.Contains(all[30:], j.ID) {
			e.Errorf("job %s is on the second page", j.ID)
		}
	}
}

func checkBadCursor(e *env) {
	e.populate()
	p, err := e.s.List(e.ctx(), store.Filter{Limit: 1})
	e.ok(err, "list")
	for _, c := range []string{"x", "AAAA", p.Next + "A", p.Next[:len(p.Next)-1], "ä", p.Jobs[0].ID.String()} {
		_, err := e.s.List(e.ctx(), store.Filter{Cursor: c})
		e.wants(err, store.ErrBadCursor, fmt.Sprintf("cursor %q", c))
	}
	for _, limit := range []int{-1, 1001} {
		_, err := e.s.List(e.ctx(), store.Filter{Limit: limit})
		e.wants(err, store.ErrInvalid, fmt.Sprintf("limit %d", limit))
	}
}

func checkRow(e *env) {
	n := newJob("a", python())
	n.Labels = map[string]string{"k": "v"}
	e.submit(n)
	e.finish(e.claim())
	j := e.list(store.Filter{})[0]
	if j.Tenant != "a" || j.Queue != queueName || j.Lane != python() || j.Labels["k"] != "v" || j.Verdict != sandbox.Accepted ||
		j.State != store.Completed || len(j.Attempts) != 1 || j.Finished.IsZero() {
		e.Errorf("listed: %+v", j)
	}
}
