package redisstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/store/storetest"
	"optimus/store/storetest/redistest"
)

// TestThereAndBack moves random stores from a file to a server and back to a file. What comes back is, line
// by line, what the file would have been moved to directly, but for the times below a µs.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			luck := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a walk guards no secret
			w := &wanderer{t: t, rand: luck, clock: storetest.NewClock()}
			w.s = w.file()
			w.wander(120)
			start := w.exported(w.s, w.newer)

			direct, server, back := w.file(), w.server(), w.file()
			w.load(direct, start)
			want := w.exported(direct, inMicros)
			w.load(server, start)
			there := w.exported(server, nil)
			w.same("on the server", there, want)
			w.load(server, start) // once more changes nothing
			w.same("on the server, moved twice", w.exported(server, nil), want)
			w.load(back, there)
			w.same("back in a file", w.exported(back, nil), want)
		})
	}
}

// wanderer does at random to a store what clients and workers do.
type wanderer struct {
	t      *testing.T
	rand   *rand.Rand
	clock  *storetest.Clock
	s      store.Store
	ids    []store.ID
	claims []store.Claim
}

func (w *wanderer) options() store.Options {
	return store.Options{Now: w.clock.Now, MaxAttempts: 3, TenantRunning: 3}
}

func (w *wanderer) file() store.Store {
	w.t.Helper()
	s, err := boltstore.Open(filepath.Join(w.t.TempDir(), "jobs.db"), w.options())
	must(w.t, err)
	w.t.Cleanup(func() { _ = s.Close() })
	return s
}

func (w *wanderer) server() store.Store {
	w.t.Helper()
	s := openTest(w.t, Options{URL: commonServer(w.t).URL, Prefix: newPrefix(), LocalClock: true}, w.options())
	w.t.Cleanup(func() { checkIndexes(w.t, s) })
	return s
}

// may fails the test for an error that none of those is that a wandering step may meet.
func (w *wanderer) may(err error, known ...error) {
	w.t.Helper()
	for _, k := range known {
		if errors.Is(err, k) {
			return
		}
	}
	must(w.t, err)
}

func (w *wanderer) wander(steps int) {
	ctx := w.t.Context()
	for range steps {
		w.clock.Move(time.Duration(w.rand.IntN(2_000_000_000)))
		switch w.rand.IntN(10) {
		case 0, 1, 2, 3:
			w.submit()
		case 4, 5:
			cs, err := w.s.Claim(ctx, store.ClaimRequest{
				Worker: "wörker <1>", Lanes: []store.Lane{w.lane("a"), w.lane("b/c")}, Max: 1 + w.rand.IntN(3), Lease: time.Minute,
			})
			must(w.t, err)
			w.claims = append(w.claims, cs...)
		case 6, 7:
			w.attend()
		case 8:
			_, err := w.s.Sweep(ctx)
			must(w.t, err)
		default:
			w.operate()
		}
	}
	for i, st := range []store.QueueState{store.QueuePaused, store.QueueDraining} {
		w.may(w.s.SetQueueState(ctx, fmt.Sprint("queue ", i), st), store.ErrNotFound)
	}
}

func (w *wanderer) lane(language string) store.Lane {
	return store.Lane{Language: language, Tier: sandbox.Shared}
}

func (w *wanderer) submit() {
	n := store.NewJob{
		Tenant: []string{"", "x", "größer: {\x00}"}[w.rand.IntN(3)], Queue: fmt.Sprint("queue ", w.rand.IntN(3)),
		Priority: w.rand.IntN(3) - 1, MaxAttempts: w.rand.IntN(3), Labels: map[string]string{"</l>": "\u2028"},
		Submission: sandbox.Submission{Language: sandbox.Language{Name: []string{"a", "b/c"}[w.rand.IntN(2)]}},
		Key:        []string{"", "k", "l}"}[w.rand.IntN(3)], PayloadHash: [][32]byte{{1}, {2}}[w.rand.IntN(2)],
	}
	j, _, err := w.s.Submit(w.t.Context(), n)
	w.may(err, store.ErrKeyConflict)
	if err == nil {
		w.ids = append(w.ids, j.ID)
	}
}

// attend goes on with a claim.
func (w *wanderer) attend() {
	if len(w.claims) == 0 {
		return
	}
	ctx := w.t.Context()
	l := w.claims[w.rand.IntN(len(w.claims))].Lease
	event := store.Event{Type: store.EventOutput, Data: []byte(`{"data":"PGI+"}`)}
	var err error
	switch w.rand.IntN(5) {
	case 0:
		err = w.s.Progress(ctx, l, event, store.Event{Type: store.EventCompiled, Data: []byte(`{"a":"<b>\u0000"}`)})
	case 1, 2:
		err = w.s.Finish(ctx, l, sandbox.Report{Verdict: sandbox.Accepted, Worker: "w", Tests: []sandbox.TestReport{}}, event)
	default:
		err = w.s.GiveBack(ctx, l, store.GiveBack{Reason: "no \"luck\" </>", Counted: w.rand.IntN(3) > 0})
	}
	w.may(err, store.ErrLeaseLost)
}

// operate does what an operator may to a job.
func (w *wanderer) operate() {
	if len(w.ids) == 0 {
		return
	}
	ctx := w.t.Context()
	id := w.ids[w.rand.IntN(len(w.ids))]
	var err error
	switch w.rand.IntN(4) {
	case 0, 1:
		_, err = w.s.Cancel(ctx, id)
	case 2:
		_, err = w.s.Redrive(ctx, id)
	default:
		err = w.s.Delete(ctx, id)
	}
	w.may(err, store.ErrTerminal, store.ErrTransition, store.ErrNotTerminal, store.ErrNotFound)
}

// exported gives the text of an export, whose jobs were changed on the way.
func (w *wanderer) exported(s store.Store, change func(*store.JobRecord)) []byte {
	w.t.Helper()
	var text bytes.Buffer
	out, err := store.NewRecordWriter(&text, time.Unix(0, 0), "test")
	must(w.t, err)
	must(w.t, s.Export(w.t.Context(), func(r store.Record) error {
		if r.Job != nil && change != nil {
			change(r.Job)
		}
		must(w.t, r.Validate())
		return out.Write(r)
	}))
	_, err = out.Close()
	must(w.t, err)
	return text.Bytes()
}

// newer gives some jobs fields of a version to come.
func (w *wanderer) newer(j *store.JobRecord) {
	if w.rand.IntN(4) == 0 {
		j.Unknown = map[string]json.RawMessage{"later": json.RawMessage(`{"deep":["<",1.5]}`)}
	}
}

// inMicros is what a server keeps of a job's times.
func inMicros(j *store.JobRecord) {
	times := []*time.Time{&j.Started, &j.Finished, &j.NotBefore}
	for i := range j.Attempts {
		times = append(times, &j.Attempts[i].Started, &j.Attempts[i].Ended)
	}
	for i := range j.Events {
		times = append(times, &j.Events[i].Time)
	}
	if j.Key != nil {
		times = append(times, &j.Key.Ends)
	}
	for _, t := range times {
		*t = t.Truncate(time.Microsecond)
	}
}

func (w *wanderer) load(s store.Store, text []byte) {
	w.t.Helper()
	r, err := store.NewRecordReader(bytes.NewReader(text), store.MaxRecordLine)
	must(w.t, err)
	_, err = store.Import(w.t.Context(), s, r, func(store.Imported) {})
	must(w.t, err)
}

func (w *wanderer) same(where string, got, want []byte) {
	w.t.Helper()
	if bytes.Count(want, []byte("\n")) < 20 {
		w.t.Fatalf("there is too little to compare:\n%s", want)
	}
	lines, wanted := bytes.SplitAfter(got, []byte("\n")), bytes.SplitAfter(want, []byte("\n"))
	for i := range max(len(lines), len(wanted)) {
		if i >= len(lines) || i >= len(wanted) || !bytes.Equal(lines[i], wanted[i]) {
			w.t.Fatalf("%s line %d of %d, want %d lines, is\n%s\nwant\n%s", where, i+1, len(lines), len(wanted),
				at(lines, i), at(wanted, i))
		}
	}
}

func at(lines [][]byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return nil
}

// aJob is what an export has of a job that is queued.
func aJob(id store.ID) *store.JobRecord {
	return &store.JobRecord{
		Job: store.Job{
			ID: id, Queue: "q", Lane: store.LaneOf(sandbox.Language{}), State: store.Queued, MaxAttempts: 3, Created: id.Time(),
		},
		Submission: []byte(`{}`),
	}
}

func aQueue(name string, number uint16) store.Record {
	return store.Record{Queue: &store.QueueRecord{Name: name, Number: number, State: store.QueueRunning}}
}

// TestLaterIDsFollowAnImport: another process, which knows nothing of it, too, and by way of a key.
func TestLaterIDsFollowAnImport(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{KeyTTL: time.Hour})
	early := submitTest(t, b, store.NewJob{Queue: "q"})
	q := aQueue("q", early.ID.Queue())
	q.Queue.LastID = store.NewID(time.Now().Add(time.Hour), early.ID.Queue(), 0)
	_, err := a.Import(t.Context(), []store.Record{q})
	must(t, err)
	last := q.Queue.LastID
	for i, key := range []string{"k", "", "k"} {
		j, replayed, err := b.Submit(t.Context(), store.NewJob{Queue: "q", Key: key})
		must(t, err)
		if again := i == 2; replayed != again || !again && bytes.Compare(j.ID[:], last[:]) <= 0 {
			t.Errorf("job %s, replayed %v, follows %s", j.ID, replayed, last)
		}
		last = j.ID
	}
	var latest store.ID
	must(t, a.Export(t.Context(), func(r store.Record) error {
		if r.Queue != nil {
			latest = r.Queue.LastID
		}
		return nil
	}))
	if bytes.Compare(latest[:], q.Queue.LastID[:]) <= 0 {
		t.Errorf("the queue's latest id is %s, %s was imported", latest, q.Queue.LastID)
	}
}

// TestNumbersAfterAnImport: a new queue takes none of those that imported ones have.
func TestNumbersAfterAnImport(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	_, err := a.Import(t.Context(), []store.Record{aQueue("x", 3), aQueue("y", store.MaxQueueNumber), aQueue("z", 4)})
	must(t, err)
	numbers := map[uint16]bool{3: true, 4: true, store.MaxQueueNumber: true}
	for _, name := range []string{"m", "n", "o"} {
		n := submitTest(t, b, store.NewJob{Queue: name}).ID.Queue()
		if numbers[n] {
			t.Errorf("queue %s has number %d, which is another's", name, n)
		}
		numbers[n] = true
	}
	if qs, err := b.Queues(t.Context()); err != nil || len(qs) != 6 {
		t.Errorf("queues %+v, %v", qs, err)
	}
}

// TestAnImportSentTwice answers as it did, though all is there already.
func TestAnImportSentTwice(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{URL: commonServer(t).URL, Prefix: newPrefix()}, store.Options{})
	now := s.now()
	ran := aJob(store.NewID(now, 1, 0))
	ran.State, ran.Counted, ran.CancelRequested = store.Running, 1, true
	ran.Attempts = []store.Attempt{{Worker: "w", Started: now}}
	records := []store.Record{aQueue("q", 1), {Job: aJob(store.NewID(now, 1, 0))}, {Job: ran}}
	must(t, s.adoptQueues(t.Context(), records))
	c, err := s.importCall(partsOf(records)[0])
	must(t, err)
	first, err := s.runQueue(t.Context(), "import", 1, c, false)
	must(t, err)
	again, err := s.runQueue(t.Context(), "import", 1, c, true)
	must(t, err)
	if len(first) != 4 || numberAt(first, 1) != 2 || fmt.Sprint(first[1:]) != fmt.Sprint(again[1:]) {
		t.Errorf("it answered %q, then %q", first, again)
	}
	checkIndexes(t, s)
	if done, err := s.Import(t.Context(), records); err != nil || done != (store.Imported{Skipped: 3}) {
		t.Errorf("a second import did %+v, %v", done, err)
	}
}

// TestAnImportIntoAFullServer adds nothing.
func TestAnImportIntoAFullServer(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	s := openTest(t, Options{URL: srv.URL}, store.Options{})
	submitTest(t, s, store.NewJob{Queue: "q"})
	must(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	records := []store.Record{aQueue("q", 1)}
	for range 3 {
		records = append(records, store.Record{Job: aJob(store.NewID(s.now(), 1, 0))})
	}
	if _, err := s.Import(t.Context(), records); !errors.Is(err, store.ErrNoRoom) {
		t.Errorf("it gave %v", err)
	}
	must(t, s.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	checkIndexes(t, s)
	if done, err := s.Import(t.Context(), records); err != nil || done != (store.Imported{Jobs: 3, Skipped: 1}) {
		t.Errorf("with room it did %+v, %v", done, err)
	}
	checkIndexes(t, s)
}
