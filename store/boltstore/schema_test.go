package boltstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
)

// edit changes a closed file with bbolt itself.
func edit(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(change))
	must(t, db.Close())
}

// refused checks that a file is refused with a useful error, and left as it was.
func refused(t *testing.T, path string, want error, says ...string) {
	t.Helper()
	before, err := os.ReadFile(path)
	must(t, err)
	s, err := Open(path, store.Options{})
	if err == nil {
		_ = s.Close()
		t.Fatal("the file was opened")
	}
	if !errors.Is(err, want) {
		t.Errorf("error %v is not %v", err, want)
	}
	for _, text := range append(says, path) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestForeignFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"text": strings.Repeat("my thesis\n", 2000), "short": "x", "empty": "", "zeros": strings.Repeat("\x00", 1<<16),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "jobs.db")
			must(t, os.WriteFile(path, []byte(content), 0o600))
			refused(t, path, store.ErrSchema, "move the file away")
		})
	}
	t.Run("another program's database", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "jobs.db")
		edit(t, path, func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("v1"))
			return err
		})
		refused(t, path, store.ErrSchema, "another program")
	})
	t.Run("with a bucket of the same name", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "jobs.db")
		edit(t, path, func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket([]byte("meta"))
			return err
		})
		refused(t, path, store.ErrSchema, "another program")
	})
}

func TestNewerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	set := func(k, v string) {
		edit(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte(k), []byte(v)) })
	}
	set(metaWritten, "99")
	s, err := Open(path, store.Options{})
	must(t, err) // it can be read, whoever wrote it
	must(t, s.Close())
	set(metaMinReader, "99")
	refused(t, path, store.ErrSchema, "newer Optimus", "schema 99")
	set(metaMinReader, "old")
	refused(t, path, store.ErrSchema)
}

func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := openTest(t, path)
	_, err := Open(path, store.Options{})
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (", os.Getpid())) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second open gave %v", err)
	}
	must(t, s.Close())
	must(t, openTest(t, path).Close())
}

func TestNoFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "nowhere", "jobs.db")
	_, err := Open(path, store.Options{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("open gave %v", err)
	}
}

// TestDamage overwrites each page of a file in turn, and cuts it short at each page. Opening
// it, and what an opened one is asked then, may fail, but with an error that says so.
func TestDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	page := os.Getpagesize()
	used := len(bytes.TrimRight(whole, "\x00"))
	refusals := 0
	for at := 0; at < used; at += page {
		for _, kind := range []string{"cut", "zeros", "noise"} {
			damaged := bytes.Clone(whole)
			switch kind {
			case "cut":
				damaged = damaged[:at]
			case "zeros":
				clear(damaged[at : at+page])
			case "noise":
				for i := range page {
					damaged[at+i] ^= byte(i)*31 + 7
				}
			}
			if !survives(t, damaged) {
				refusals++
			}
		}
	}
	if refusals < used/page {
		t.Errorf("only %d of %d damaged files were refused", refusals, 3*used/page)
	}
}

// survives opens a damaged file and uses it. It tells whether all went well.
func survives(t *testing.T, content []byte) bool {
	t.Helper()
	path := filepath.Join(inMemory(t), "jobs.db")
	must(t, os.WriteFile(path, content, 0o600))
	if _, err := Check(path); err != nil && !errors.Is(err, store.ErrSchema) {
		t.Errorf("the check of a damaged file gave %v", err)
	}
	s, err := Open(path, store.Options{})
	if err == nil {
		err = errors.Join(use(t, s), s.Close())
	} else if after, err := os.ReadFile(path); err != nil || !bytes.Equal(content, after) {
		t.Errorf("a refused file was changed, %v", err)
	}
	told := err == nil || errors.Is(err, store.ErrSchema) && (strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "damaged"))
	if !told && !errors.Is(err, store.ErrNotFound) { // a key of an index names what is not there
		t.Errorf("a damaged file gave %v", err)
	}
	return err == nil
}

func use(t *testing.T, s *Store) error {
	t.Helper()
	_, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q", Key: "k"})
	page, listErr := s.List(t.Context(), store.Filter{})
	_, queuesErr := s.Queues(t.Context())
	_, sweepErr := s.Sweep(t.Context())
	errs := []error{err, listErr, queuesErr, sweepErr}
	for _, j := range page.Jobs {
		_, err := s.Get(t.Context(), j.ID)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// TestMigrations must be given a case for each migration.
func TestMigrations(t *testing.T) {
	t.Parallel()
	tried := []func(t *testing.T){
		func(t *testing.T) { // a new file has schema 1
			t.Helper()
			path := filepath.Join(t.TempDir(), "jobs.db")
			must(t, openTest(t, path).Close())
			edit(t, path, func(tx *bolt.Tx) error {
				meta := tx.Bucket([]byte("meta"))
				for k, want := range map[string]string{metaFormat: formatName, metaWritten: "1", metaMinReader: "1"} {
					if got := string(meta.Get([]byte(k))); got != want {
						t.Errorf("meta %s is %q, want %q", k, got, want)
					}
				}
				return nil
			})
		},
	}
	if len(tried) != len(migrations()) {
		t.Fatalf("%d migrations, %d of them are tried", len(migrations()), len(tried))
	}
	for _, try := range tried {
		try(t)
	}
}

// TestUpgrade has a binary that knows one more schema meet a file of this one's.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := openTest(t, path)
	first := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	must(t, s.Close())

	failing := errors.New("no")
	newer := append(migrations(), migration{minReader: 2, run: func(tx *bolt.Tx) error {
		if failing != nil {
			err := tx.Bucket([]byte("jobs")).Put(jobKey(store.ID{}), []byte("half"))
			return errors.Join(failing, err)
		}
		_, err := tx.CreateBucket([]byte("more"))
		// What the writer knew of queues is not what counts now.
		return errors.Join(err, tx.Bucket([]byte("queues")).Put(number(1), []byte(`{"name":"q","paused":true}`)))
	}})
	s, err := open(path, store.Options{}, newer)
	must(t, err)
	second := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	is := func(want store.Schema) {
		t.Helper()
		if got, err := s.Schema(t.Context()); err != nil || got != want {
			t.Errorf("schema %+v, %v; want %+v", got, err, want)
		}
	}
	is(store.Schema{Written: 1, MinReader: 1, Known: 2})
	must(t, s.Close())
	must(t, openTest(t, path).Close()) // the older binary can come back

	s, err = open(path, store.Options{}, newer)
	must(t, err)
	if _, err := s.Upgrade(t.Context()); !errors.Is(err, failing) {
		t.Errorf("a failing upgrade gave %v", err)
	}
	is(store.Schema{Written: 1, MinReader: 1, Known: 2})
	if _, err := s.Get(t.Context(), store.ID{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half an upgrade was kept: %v", err)
	}
	failing = nil
	for range 2 {
		if got, err := s.Upgrade(t.Context()); err != nil || got != (store.Schema{Written: 2, MinReader: 2, Known: 2}) {
			t.Fatalf("upgraded to %+v, %v", got, err)
		}
	}
	qs, err := s.Queues(t.Context())
	must(t, err)
	if len(qs) != 1 || qs[0].State != store.QueuePaused || qs[0].Ready != 2 {
		t.Errorf("the queue, which the upgrade has paused, is %+v", qs)
	}
	if _, _, err := s.Submit(t.Context(), store.NewJob{Queue: "q"}); err != nil {
		t.Error(err)
	}
	must(t, s.SetQueueState(t.Context(), "q", store.QueueRunning))
	if c := claimTest(t, s, 2); len(c) != 2 || c[0].Job.ID != first || c[1].Job.ID != second {
		t.Errorf("claimed %+v", c)
	}
	must(t, s.Close())
	refused(t, path, store.ErrSchema, "newer Optimus", "schema 2")
}

// TestUnknownFieldsSurvive has a job and a queue of a newer version go through this one's hands.
func TestUnknownFieldsSurvive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := openTest(t, path)
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	must(t, s.Close())
	keys := map[string][]byte{"jobs": jobKey(id), "queues": number(id.Queue()), "figures": number(id.Queue())}
	edit(t, path, func(tx *bolt.Tx) error {
		for bucket, key := range keys {
			b := tx.Bucket([]byte(bucket))
			fields := map[string]any{}
			must(t, json.Unmarshal(b.Get(key), &fields))
			fields["fingerprint"] = map[string]any{"a": []any{1.0, "<x>"}}
			raw, err := json.Marshal(fields)
			must(t, err)
			must(t, b.Put(key, raw))
		}
		return nil
	})
	s = openTest(t, path)
	c := claimTest(t, s, 1)[0]
	must(t, s.GiveBack(t.Context(), c.Lease, store.GiveBack{Reason: "x"}))
	must(t, s.SetQueueState(t.Context(), "q", store.QueueDraining))
	must(t, s.Close())
	changed := map[string]string{"jobs": `"reason":"x"`, "queues": `"draining":true`, "figures": `"claimed":1`}
	edit(t, path, func(tx *bolt.Tx) error {
		for bucket, key := range keys {
			raw := tx.Bucket([]byte(bucket)).Get(key)
			if !bytes.Contains(raw, []byte(`"fingerprint":{"a":[1,"\u003cx\u003e"]}`)) || !bytes.Contains(raw, []byte(changed[bucket])) {
				t.Errorf("the record in %s became %s", bucket, raw)
			}
		}
		return nil
	})
}
