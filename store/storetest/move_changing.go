package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"optimus/store"
)

// checkMoveSnapshot changes the store while it is exported; where several processes share it, nothing
// is promised of all jobs together but while nobody changes them.
func checkMoveSnapshot(e *env) {
	for range 20 {
		e.submitted("a")
	}
	e.finish(e.claim())
	want := e.export()
	var text bytes.Buffer
	w, err := store.NewRecordWriter(&text, e.clock.Now(), "test")
	e.ok(err, "export")
	n := 0
	e.ok(e.s.Export(e.ctx(), func(r store.Record) error {
		if n++; n%5 == 0 && e.h.OneProcess {
			e.submitted("b")
			e.finish(e.claim())
			e.sweep()
		}
		return w.Write(r)
	}), "export")
	_, err = w.Close()
	e.ok(err, "export")
	if n != 21 || !bytes.Equal(text.Bytes(), want) {
		e.Errorf("%d records under change:\n%s\nwant\n%s", n, &text, want)
	}
}

// checkMoveChanging changes jobs, those that were exported and those that will be, while a store is
// exported: each that was there before comes once, and whole.
func checkMoveChanging(e *env) {
	const jobs = 400
	for i := range jobs {
		e.submit(keyed("a", fmt.Sprint(i), 1))
	}
	before := ids(e.list(store.Filter{}))
	slices.Reverse(before)
	running, n := e.claims(jobs/8), 0
	var all []store.Record
	e.ok(e.s.Export(e.ctx(), func(r store.Record) error {
		if n++; n%8 == 0 && len(running) > 0 {
			e.finish(running[0])
			e.cancel(before[jobs-n/2])
			running = append(running[1:], e.claim())
			e.submitted("b")
		}
		all = append(all, r)
		return r.Validate()
	}), "export")
	var got []store.ID
	for _, r := range all[1:] {
		if r.Job.Tenant != "a" {
			continue
		}
		got = append(got, r.Job.ID)
		if r.Job.Key == nil {
			e.Errorf("job %s comes without its key", r.Job.ID)
		}
	}
	if !slices.Equal(got, before) {
		e.Errorf("%d of %d jobs came, or in another order", len(got), len(before))
	}
	other := e.sibling()
	defer other.close()
	_, err := other.s.Import(e.ctx(), all)
	e.ok(err, "import")
	for _, j := range other.list(store.Filter{}) {
		other.checkJob(other.get(j.ID))
	}
}
