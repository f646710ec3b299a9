package boltstore

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"optimus/store"
)

// FuzzRecord: a job's record, as a file may hold it, is read or refused, and is the same once written.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"id":"0190a6d2-7f3c-8000-8000-5b2d1c0e9a47","state":"queued","later":{"a":[1]}}`, `{"state":"completed","attempts":[{}],"token":18446744073709551615}`,
		`null`, `[]`, `{"id":1}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeRecord(raw)
		if err != nil || r.ID == (store.ID{}) {
			return // without an id it is nobody's
		}
		written, err := encodeRecord(r)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", raw, err)
		}
		again, err := decodeRecord(written)
		if err != nil || again.ID != r.ID || again.State != r.State {
			t.Errorf("%q became %q: %v", raw, written, err)
		}
	})
}

// FuzzImport: a job of an export is refused as invalid, or is then a job like any other, whose
// indexes and figures are right, and which can be exported and claimed.
func FuzzImport(f *testing.F) {
	id := store.NewID(time.UnixMilli(1_790_000_000_000), 1, 0)
	for _, fields := range []string{
		`"state":"queued","attempts":[{"worker":"w","started":"2026-01-01T00:00:00Z","ended":"2026-01-01T00:00:01Z","uncounted":true}]`,
		`"state":"queued","not_before":"2199-01-01T00:00:00Z","counted":2,"seq":3,"events":[{"seq":2,"time":"2026-01-01T00:00:00Z","type":"state","data":{}}]`,
		`"state":"running","counted":1,"attempts":[{"worker":"w","started":"2026-01-01T00:00:00Z"}],"cancel_requested":true,"tenant":"a","later":[1]`,
		`"state":"running","counted":1,"attempts":[{"worker":"w","started":"2026-01-01T00:00:00Z"}],"token":7,"lease_ends":9,"Size":1,"EVENTS":null`,
		`"state":"completed","finished":"2026-01-01T00:00:00Z","verdict":"accepted","report":{"verdict":"accepted","tests":null},"priority":-100`,
		`"state":"failed","finished":"1970-01-01T00:00:00Z","verdict":"internal_error","report":{"verdict":"internal_error"},"key":{"key":"k","payload_hash":"` +
			strings.Repeat("0a", 32) + `","ends":"2199-01-01T00:00:00Z"}`,
	} {
		f.Add([]byte(`{"id":"` + id.String() + `","queue":"q","lane":{"language":"c","tier":"shared"},"max_attempts":3,"counted":0,"created":"` +
			id.Time().Format(time.RFC3339Nano) + `","submission":{},` + fields + `}`))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		j := &store.JobRecord{}
		if json.Unmarshal(raw, j) != nil {
			return
		}
		s := openTest(t, filepath.Join(inMemory(t), "jobs.db"))
		records := []store.Record{{Queue: &store.QueueRecord{Name: "q", Number: 1, State: store.QueueRunning}}, {Job: j}}
		if _, err := s.Import(t.Context(), records); err != nil {
			if !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s gave %v", raw, err)
			}
			return
		}
		checkIndexes(t, s)
		got, err := s.Get(t.Context(), j.ID)
		must(t, err)
		if _, err := json.Marshal(got); err != nil || got.State == store.Running || got.ID != j.ID {
			t.Errorf("%s became %+v, %v", raw, got, err)
		}
		_, err = s.Claim(t.Context(), store.ClaimRequest{Worker: "w", Lanes: []store.Lane{j.Lane}, Max: 1, Lease: time.Minute})
		must(t, err)
		must(t, s.Export(t.Context(), func(r store.Record) error { return r.Validate() }))
		checkIndexes(t, s)
	})
}
