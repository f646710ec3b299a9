package boltstore

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest"
)

// drawing reads the bucket tree of the package doc: the parts of each bucket's keys.
func drawing(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string][]string{}
	for line := range strings.Lines(string(doc)) {
		if line, ok := strings.CutPrefix(line, "//\t"); ok {
			key, _, ok := strings.Cut(line, "→")
			words := strings.Fields(key)
			if !ok || len(words) < 2 {
				t.Fatalf("not a line of the drawing: %q", line)
			}
			drawn[words[0]] = words[1:]
		}
	}
	return drawn
}

// fits tells whether a key is made of the parts.
func fits(key []byte, parts []string) bool {
	widths := map[string]int{
		"queue": 2, "minute": 8, "seq": 8, "start": 8, "time": 8, "phase": 1, "priority": 1, "kind": 1, "id": 16,
	}
	for _, p := range parts {
		n, fixed := widths[p]
		switch {
		case strings.HasSuffix(p, "…"):
			return len(key) > 0
		case !fixed && len(key) == 0:
			return false
		case !fixed:
			n = 1 + int(key[0])
		}
		if len(key) < n {
			return false
		}
		key = key[n:]
	}
	return len(key) == 0
}

func TestTheDrawingIsTheFile(t *testing.T) {
	t.Parallel()
	drawn := drawing(t)
	names := bucketNames()
	for _, name := range names {
		if drawn[name] == nil {
			t.Errorf("bucket %s is not drawn", name)
		}
	}
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	full := map[string]bool{}
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			return b.ForEach(func(k, _ []byte) error {
				of := string(name)
				if of == indexName {
					of, k = part(k[0], drawn), k[1:]
				}
				full[of] = true
				if !fits(k, drawn[of]) {
					t.Errorf("bucket %s: key %x is not %v", name, k, drawn[of])
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range full {
		if !slices.Contains(names[:], name) {
			t.Errorf("bucket %q is in the file only", name)
		}
	}
	for name := range drawn {
		if !full[name] {
			t.Errorf("bucket %s is empty: the drawing of its keys is not tried", name)
		}
	}
}

// part is the index with the letter.
func part(letter byte, drawn map[string][]string) (name string) {
	for n := range drawn {
		if strings.HasPrefix(n, indexName+"/"+string(letter)) {
			if name != "" {
				return name + " and " + n
			}
			name = n
		}
	}
	return name
}

// lively makes a file in which no bucket is empty.
func lively(t *testing.T, path string) {
	t.Helper()
	clock := storetest.NewClock()
	s, err := Open(path, store.Options{Now: clock.Now})
	must(t, err)
	ctx := t.Context()
	for _, tenant := range []string{"", "a", "long name"} {
		for i := range 4 {
			submitTest(t, s, store.NewJob{Tenant: tenant, Queue: "q", Key: strings.Repeat("k", i), Priority: i})
		}
	}
	clock.Move(time.Minute)
	cs := claimTest(t, s, 5)
	must(t, s.Finish(ctx, cs[0].Lease, sandbox.Report{Verdict: sandbox.Accepted}))
	must(t, s.GiveBack(ctx, cs[1].Lease, store.GiveBack{Counted: true}))
	must(t, s.Heartbeat(ctx, store.Worker{Name: "w"}, time.Hour))
	must(t, s.ChangeAPIKeys(ctx, storetest.PutAPIKeys(store.APIKey{ID: "k1", Name: "a", Hash: store.PayloadHash{1}, Roles: []string{"read"}})))
	must(t, s.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openTest(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, store.Options{})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func submitTest(t *testing.T, s *Store, n store.NewJob) store.Job {
	t.Helper()
	j, _, err := s.Submit(t.Context(), n)
	must(t, err)
	return j
}

// claimTest claims from the lane of submissions that name no language.
func claimTest(t *testing.T, s *Store, n int) []store.Claim {
	t.Helper()
	cs, err := s.Claim(t.Context(), store.ClaimRequest{
		Worker: "w", Lanes: []store.Lane{store.LaneOf(sandbox.Language{})}, Max: n, Lease: time.Minute,
	})
	must(t, err)
	if len(cs) != n {
		t.Fatalf("%d jobs were claimed, want %d", len(cs), n)
	}
	return cs
}

// checkIndexes compares every index and figure of the file with the jobs' records.
func checkIndexes(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.read(t.Context(), func(v view) error {
		e, err := v.examine()
		if err == nil {
			for _, f := range e.faults {
				t.Error(f)
			}
		}
		return err
	}))
}
