package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
)

func TestCheckOfAGoodFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	before, err := os.ReadFile(path)
	must(t, err)
	c, err := Check(path)
	if err != nil || len(c.Faults) != 0 || c.Queues != 1 || c.Jobs != 12 || c.Bytes != int64(len(before)) {
		t.Errorf("checked: %+v, %v", c, err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("a check has changed the file")
	}
}

// TestCheckFindsWhatIsMissing takes each key of each bucket away in turn, and puts one there that
// nobody needs.
func TestCheckFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	lone := []bucket{bucketMeta, bucketMinutes, bucketWorkers, bucketAPIKeys} // nothing else depends on these
	path := filepath.Join(inMemory(t), "jobs.db")
	lively(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	try := func(n bucket, what string, change func(tab table) error) {
		t.Helper()
		must(t, os.WriteFile(path, whole, 0o600))
		edit(t, path, func(tx *bolt.Tx) error { return change(view{tx}.table(n)) })
		if c, err := Check(path); err == nil && len(c.Faults) == 0 || err != nil && !errors.Is(err, store.ErrSchema) {
			t.Errorf("%s %s: %+v, %v", bucketNames()[n], what, c, err)
		}
	}
	for n := range bucketCount {
		if slices.Contains(lone, n) {
			continue
		}
		var keys [][]byte
		edit(t, path, func(tx *bolt.Tx) error { keys = view{tx}.keys(n, nil, 3); return nil })
		if len(keys) == 0 {
			t.Fatalf("bucket %s is empty", bucketNames()[n])
		}
		for i, k := range keys {
			if n == bucketShares { // a share of which nothing runs may be there or not
				break
			}
			try(n, fmt.Sprint("without its key ", i), func(tab table) error { return tab.delete(k) })
		}
		try(n, "with one more", func(tab table) error {
			k := bytes.Clone(keys[0])
			v := bytes.Clone(tab.get(k))
			k[len(k)-1] ^= 0x55
			if n == bucketShares {
				v[3]++
				return tab.put(keys[0], v)
			}
			return tab.put(k, v)
		})
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	var id store.ID
	edit(t, path, func(tx *bolt.Tx) error {
		k, _ := view{tx}.first(bucketBacklog, nil)
		id = idAtEnd(k)
		return view{tx}.table(bucketBacklog).delete(bytes.Clone(k))
	})
	c, err := Check(path)
	must(t, err)
	if all := strings.Join(c.Faults, "\n"); !strings.Contains(all, "job "+id.String()+", which is queued, is not in index/backlog") {
		t.Errorf("it says\n%s", all)
	}
	// Indexes are made anew by a move.
	s, err := Open(path, store.Options{})
	must(t, err)
	var records []store.Record
	must(t, s.Export(t.Context(), func(r store.Record) error { records = append(records, r); return nil }))
	must(t, s.Close())
	other := openTest(t, filepath.Join(t.TempDir(), "jobs.db"))
	_, err = other.Import(t.Context(), records)
	must(t, err)
	checkIndexes(t, other)
}

func TestCheckOfFilesThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Check(filepath.Join(dir, "nothing"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
	text := filepath.Join(dir, "text")
	must(t, os.WriteFile(text, bytes.Repeat([]byte("my thesis\n"), 2000), 0o600))
	held := filepath.Join(dir, "held")
	openTest(t, held)
	for _, do := range []func(string) error{
		func(path string) error { _, err := Check(path); return err },
		func(path string) error { _, err := Compact(t.Context(), path); return err },
	} {
		if err := do(text); !errors.Is(err, store.ErrSchema) {
			t.Errorf("of a text: %v", err)
		}
		if err := do(held); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
			t.Errorf("of a file that a server holds: %v", err)
		}
	}
}

// spacious makes a file most of whose room is free.
func spacious(t *testing.T, path string) {
	t.Helper()
	lively(t, path)
	s, err := Open(path, store.Options{})
	must(t, err)
	for range 4 {
		id := submitTest(t, s, largeJob()).ID
		_, err := s.Cancel(t.Context(), id)
		must(t, err)
		must(t, s.Delete(t.Context(), id))
	}
	must(t, s.Close())
}

func exportOf(t *testing.T, path string) string {
	t.Helper()
	s, err := Open(path, store.Options{})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	var text bytes.Buffer
	_, err = store.Export(t.Context(), s, &text, s.now().Truncate(1<<62), "test")
	must(t, err)
	return text.String()
}

func TestCompact(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	spacious(t, path)
	must(t, os.Chmod(path, 0o640)) //nolint:gosec // whether it stays so is what is tried
	want := exportOf(t, path)
	before, err := Check(path)
	must(t, err)
	// What an earlier compaction left, that was cut short.
	must(t, os.WriteFile(path+unfinished+"1", []byte("half"), 0o600))
	done, err := Compact(t.Context(), path)
	must(t, err)
	after, err := Check(path)
	must(t, err)
	if done.Before != before.Bytes || done.After != after.Bytes || done.After > 1<<20 || done.Before < 1<<20 || before.Free < 1<<20 {
		t.Errorf("compacted %+v; before %+v, after %+v", done, before, after)
	}
	if got := exportOf(t, path); got != want {
		t.Errorf("it held\n%s\nand holds\n%s", want, got)
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %s", info.Mode())
	}
	alone(t, path)
}

// alone checks that nothing is left beside the file.
func alone(t *testing.T, path string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if len(left) != 1 {
		t.Errorf("the folder holds %v", left)
	}
}

func TestCompactThatIsStopped(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	spacious(t, path)
	before, err := os.ReadFile(path)
	must(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Compact(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("it gave %v", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	alone(t, path)
}

func TestCompactOfAFaultyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	edit(t, path, func(tx *bolt.Tx) error {
		k, _ := view{tx}.first(bucketPayloads, nil)
		return view{tx}.table(bucketPayloads).delete(bytes.Clone(k))
	})
	if _, err := Compact(t.Context(), path); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "store check") {
		t.Errorf("it gave %v", err)
	}
	alone(t, path)
}

// TestAFileThatWasReplaced is one whose lock was waited for while another got its name.
func TestAFileThatWasReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	f, err := os.Open(path)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	must(t, stillNamed(path, f))
	must(t, os.Rename(path, path+".old"))
	lively(t, path)
	if err := stillNamed(path, f); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it gave %v", err)
	}
}
