package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// moved is a Mover that holds records.
type moved struct {
	records []store.Record
	batches int
	fail    error
}

func (m *moved) Export(_ context.Context, do func(store.Record) error) error {
	for _, r := range m.records {
		if err := do(r); err != nil {
			return err
		}
	}
	return m.fail
}

func (m *moved) Import(_ context.Context, records []store.Record) (store.Imported, error) {
	for _, r := range records {
		if err := r.Validate(); err != nil {
			return store.Imported{}, err
		}
	}
	m.records = append(m.records, records...)
	m.batches++
	return store.Imported{Jobs: len(records)}, m.fail
}

func exampleRecords(tb testing.TB) []store.Record {
	tb.Helper()
	at := time.UnixMilli(1_790_000_000_000).UTC()
	id := store.NewID(at, 1, 0)
	raw := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	job := &store.JobRecord{
		Job: store.Job{
			ID: id, Tenant: "a", Queue: "q", Lane: store.Lane{Language: "c", Tier: sandbox.Shared}, Priority: -3,
			State: store.Completed, Counted: 1, MaxAttempts: 3, Created: at, Started: at, Finished: at.Add(time.Second),
			Verdict:  sandbox.Accepted,
			Attempts: []store.Attempt{{Worker: "w", Started: at, Ended: at}},
		},
		Submission: raw(sandbox.Submission{Args: []string{"<&>\u2028"}}), Report: raw(sandbox.Report{Verdict: sandbox.Accepted}),
		Seq: 9, Events: []store.Event{{Seq: 7, Time: at, Type: store.EventState, Data: json.RawMessage(`{"state":"completed"}`)}},
		Key:     &store.KeyRecord{Key: "k", PayloadHash: [32]byte{1, 31: 2}, Ends: at.Add(time.Hour)},
		Unknown: map[string]json.RawMessage{"later": json.RawMessage(`{"a":[1]}`)},
	}
	return []store.Record{
		{Queue: &store.QueueRecord{Name: "q", Number: 1, State: store.QueuePaused, LastID: id, Totals: store.Counters{Completed: 5}}},
		{Job: job},
		{Queue: &store.QueueRecord{Name: "r", Number: 7, State: store.QueueRunning}},
	}
}

func exported(tb testing.TB, records []store.Record) []byte {
	tb.Helper()
	var b bytes.Buffer
	total, err := store.Export(tb.Context(), &moved{records: records}, &b, time.Unix(1, 0), "v1")
	if err != nil || total.Queues+total.Jobs != len(records) {
		tb.Fatalf("exported %+v, %v", total, err)
	}
	return b.Bytes()
}

// readAll imports a text, and gives what it held.
func readAll(tb testing.TB, text []byte, most int) ([]store.Record, error) {
	tb.Helper()
	r, err := store.NewRecordReader(bytes.NewReader(text), most)
	if err != nil {
		return nil, err
	}
	m := &moved{}
	_, err = store.Import(tb.Context(), m, r, func(store.Imported) {})
	return m.records, err
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	want := exampleRecords(t)
	text := exported(t, want)
	for i, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		if !json.Valid(line) {
			t.Errorf("line %d is no JSON: %s", i+1, line)
		}
	}
	got, err := readAll(t, text, store.MaxRecordLine)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Line != i+2 {
			t.Errorf("record %d is said to be of line %d", i, got[i].Line)
		}
		got[i].Line = 0
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\ncame back as %+v", text, got)
	}
}

func TestAnExportThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	text := exported(t, exampleRecords(t))
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(ls ...[]byte) []byte { return bytes.Join(ls, nil) }
	for name, c := range map[string]struct {
		text []byte
		line int
		says string
	}{
		"empty":                 {nil, 1, "not whole"},
		"another file":          {[]byte("my thesis\n"), 1, "damaged"},
		"no header":             {join(lines[1:]...), 1, "calls itself line 2"},
		"no trailer":            {join(lines[:4]...), 5, "not whole"},
		"half a line":           {text[:len(text)-10], 5, "not whole"},
		"half a line in middle": {join(lines[0], lines[1], lines[2][:40]), 3, "not whole"},
		"a missing line":        {join(lines[0], lines[2], lines[3], lines[4]), 2, "missing"},
		"another order":         {join(lines[0], lines[2], lines[1], lines[3], lines[4]), 2, "another order"},
		"a line twice":          {join(lines[0], lines[1], lines[1], lines[2]), 3, "twice"},
		"a byte flipped":        {bytes.Replace(text, []byte(`"priority":-3`), []byte(`"priority":-4`), 1), 3, "checksum"},
		"more behind":           {append(bytes.Clone(text), '\n'), 6, "behind the last line"},
		"an early trailer":      {join(lines[0], renumber(t, lines[4], 2)), 2, "it says"},
		"a newer form":          {bytes.Replace(text, lines[0], resum(t, lines[0], `"min_reader":1`, `"min_reader":2`), 1), 1, "newer Optimus"},
		"another kind":          {join(lines[0], resum(t, lines[1], `"kind":"queue"`, `"kind":"tea"`)), 2, `"tea"`},
		"a job without id":      {join(lines[0], lines[1], resum(t, lines[2], `"id":"`, `"ID":1,"x":"`)), 3, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(t, c.text, store.MaxRecordLine)
			var at *store.LineError
			if !errors.As(err, &at) || !errors.Is(err, store.ErrInvalid) || at.Line != c.line || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it gave %v, want line %d and %q", err, c.line, c.says)
			}
		})
	}
	if _, err := readAll(t, text, 100); err == nil || !strings.Contains(err.Error(), "longer than 100 bytes") {
		t.Errorf("a long line gave %v", err)
	}
	broken := errors.New("broken")
	r, err := store.NewRecordReader(io.MultiReader(bytes.NewReader(lines[0]), iotestError{broken}), store.MaxRecordLine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) || errors.Is(err, store.ErrInvalid) {
		t.Errorf("a reader that fails gave %v", err)
	}
}

type iotestError struct{ err error }

func (r iotestError) Read([]byte) (int, error) { return 0, r.err }

// resum changes a line, and makes its checksum right.
func resum(tb testing.TB, line []byte, old, now string) []byte {
	tb.Helper()
	return relined(tb, bytes.Replace(line, []byte(old), []byte(now), 1), 0)
}

// renumber gives a line another number.
func renumber(tb testing.TB, line []byte, n int) []byte {
	tb.Helper()
	return relined(tb, line, n)
}

func relined(tb testing.TB, line []byte, n int) []byte {
	tb.Helper()
	fixed, err := store.Reline(line, n)
	if err != nil {
		tb.Fatal(err)
	}
	return fixed
}

func TestInvalidRecords(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store.JobRecord){
		"no id":                     func(r *store.JobRecord) { r.ID = store.ID{} },
		"another time":              func(r *store.JobRecord) { r.Created = r.Created.Add(time.Second) },
		"no queue":                  func(r *store.JobRecord) { r.Queue = "" },
		"a long tenant":             func(r *store.JobRecord) { r.Tenant = strings.Repeat("x", 256) },
		"a priority":                func(r *store.JobRecord) { r.Priority = 101 },
		"no state":                  func(r *store.JobRecord) { r.State = "" },
		"an odd state":              func(r *store.JobRecord) { r.State = "asleep" },
		"queued with a report":      func(r *store.JobRecord) { r.State = store.Queued },
		"no report":                 func(r *store.JobRecord) { r.Report = nil },
		"no end":                    func(r *store.JobRecord) { r.Finished = time.Time{} },
		"delayed and ended":         func(r *store.JobRecord) { r.NotBefore = r.Created },
		"another verdict":           func(r *store.JobRecord) { r.Verdict = sandbox.WrongAnswer },
		"a report that is none":     func(r *store.JobRecord) { r.Report = json.RawMessage(`[]`) },
		"a submission that is none": func(r *store.JobRecord) { r.Submission = json.RawMessage(`7`) },
		"no submission":             func(r *store.JobRecord) { r.Submission = nil },
		"too many attempts":         func(r *store.JobRecord) { r.Counted = 4 },
		"no attempts allowed":       func(r *store.JobRecord) { r.MaxAttempts, r.Counted = 0, 0 },
		"an attempt under way":      func(r *store.JobRecord) { r.Attempts[0].Ended = time.Time{} },
		"a long history":            func(r *store.JobRecord) { r.Attempts = slices.Repeat(r.Attempts, 11) },
		"a time before 1970":        func(r *store.JobRecord) { r.Started = time.Unix(-1, 0) },
		"a time far ahead":          func(r *store.JobRecord) { r.Key.Ends = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) },
		"an empty key":              func(r *store.JobRecord) { r.Key.Key = "" },
		"a long key":                func(r *store.JobRecord) { r.Key.Key = strings.Repeat("k", store.MaxKey+1) },
		"an event beyond the last":  func(r *store.JobRecord) { r.Events[0].Seq = 10 },
		"events out of order":       func(r *store.JobRecord) { r.Events = append(r.Events, r.Events[0]) },
		"an odd event":              func(r *store.JobRecord) { r.Events[0].Type = "gossip" },
		"running with no attempt": func(r *store.JobRecord) {
			r.State, r.Report, r.Finished, r.Verdict, r.Attempts = store.Running, nil, time.Time{}, "", nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := exampleRecords(t)[1]
			r.Line = 4
			if err := r.Validate(); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			change(r.Job)
			if err := r.Validate(); !errors.Is(err, store.ErrInvalid) || !strings.HasPrefix(err.Error(), "line 4: ") {
				t.Errorf("it gave %v", err)
			}
		})
	}
	for name, q := range map[string]store.QueueRecord{
		"no name":          {Number: 1, State: store.QueueRunning},
		"no state":         {Name: "q", Number: 1},
		"another's lastid": {Name: "q", Number: 1, State: store.QueueRunning, LastID: store.NewID(time.Now(), 2, 0)},
	} {
		if err := (store.Record{Queue: &q}).Validate(); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("a queue with %s gave %v", name, err)
		}
	}
	if err := (store.Record{}).Validate(); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an empty record gave %v", err)
	}
}

func TestImportInBatches(t *testing.T) {
	t.Parallel()
	var records []store.Record
	for i := range 600 {
		records = append(records, store.Record{Queue: &store.QueueRecord{Name: fmt.Sprint("q", i), Number: uint16(i), State: store.QueueRunning}})
	}
	text := exported(t, records)
	read := func() *store.RecordReader {
		r, err := store.NewRecordReader(bytes.NewReader(text), store.MaxRecordLine)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	m := &moved{}
	var told []store.Imported
	sum, err := store.Import(t.Context(), m, read(), func(i store.Imported) { told = append(told, i) })
	if err != nil || sum.Jobs != 600 || m.batches != 3 || len(told) != 3 || told[2] != sum {
		t.Errorf("imported %+v in %d batches, told %v, %v", sum, m.batches, told, err)
	}
	m = &moved{fail: errors.New("no")}
	if _, err := store.Import(t.Context(), m, read(), func(store.Imported) {}); !errors.Is(err, m.fail) || m.batches != 1 {
		t.Errorf("a store that fails: %v, %d batches", err, m.batches)
	}
	// What stands before a damaged line is imported.
	m = &moved{}
	r, err := store.NewRecordReader(bytes.NewReader(text[:len(text)-5]), store.MaxRecordLine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Import(t.Context(), m, r, func(store.Imported) {}); !errors.Is(err, store.ErrInvalid) || len(m.records) != 600 {
		t.Errorf("a cut export: %v, %d records", err, len(m.records))
	}
	if _, err := store.Export(t.Context(), &moved{fail: m.fail, records: records}, failingWriter{}, time.Now(), ""); err == nil {
		t.Error("a writer that fails gave no error")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzRecordReader: whatever is read is refused as invalid, or is a record that reads back the same.
func FuzzRecordReader(f *testing.F) {
	text := exported(f, exampleRecords(f))
	f.Add(text)
	lines := bytes.SplitAfter(text, []byte("\n"))
	f.Add(bytes.Join(lines[:3], nil))
	f.Add(append(bytes.Clone(lines[0]), resum(f, lines[1], `"state":"paused"`, `"STATE":"running","later":{}`)...))
	f.Add(append(bytes.Clone(lines[0]), resum(f, lines[2], `"later"`, `"State"`)...))
	f.Fuzz(func(t *testing.T, text []byte) {
		// A line that says what it is gets the right number and checksum: else nothing behind it is tried.
		var fixed []byte
		for i, line := range bytes.SplitAfter(text, []byte("\n")) {
			if right, err := store.Reline(line, i+1); err == nil {
				line = right
			}
			fixed = append(fixed, line...)
		}
		records, err := readAll(t, fixed, 1<<20)
		if err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Fatalf("%q: %v", fixed, err)
		}
		again, err := readAll(t, exported(t, records), 4<<20)
		if err != nil {
			t.Fatalf("%q was read and does not come back: %v", fixed, err)
		}
		for i := range records {
			if a, b := exported(t, records[i:i+1]), exported(t, again[i:i+1]); !bytes.Equal(a, b) {
				t.Errorf("%s came back as %s", a, b)
			}
		}
	})
}
