package modes

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/boltstore"
)

// testDataFolder starts the server on data folders that it must refuse, and leave as they are.
func testDataFolder(t *testing.T, l *lab) {
	bad := *l
	bad.data = t.TempDir()
	refused := func(what string, says ...string) {
		t.Helper()
		before, err := os.ReadFile(bad.storePath())
		if err != nil {
			t.Fatal(err)
		}
		contains(t, what, bad.fails(t), append(says, bad.storePath())...)
		if after, err := os.ReadFile(bad.storePath()); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed, %v", what, err)
		}
	}

	st, err := boltstore.Open(bad.storePath(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		job := store.NewJob{Queue: "default", Submission: sandbox.Submission{Source: sandbox.Source{
			Files: []sandbox.File{{Name: "main.py", Content: bytes.Repeat([]byte("print(1)\n"), 100)}},
		}}}
		if _, _, err := st.Submit(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(bad.storePath())
	if err != nil {
		t.Fatal(err)
	}

	if err := unix.Mount(bad.data, bad.data, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", bad.data, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Error(err)
	}
	refused("a read-only folder", "read-only file system", "can be written to")
	if err := unix.Unmount(bad.data, 0); err != nil {
		t.Fatal(err)
	}

	db, err := bolt.Open(bad.storePath(), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("min_reader"), []byte("99")) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	refused("a newer schema", "newer Optimus", "schema 99")

	testDamagedStore(t, &bad, whole, refused)
}

// testDamagedStore changes random bytes of the store's file, at the heads of its pages. Where the
// change is one that can be seen, the server must say so.
func testDamagedStore(t *testing.T, l *lab, whole []byte, refused func(what string, says ...string)) {
	t.Helper()
	const starts, tries = 4, 200
	const head = 64 // of a page: what it is, and where its parts are
	page, used := os.Getpagesize(), len(bytes.TrimRight(whole, "\x00"))
	r, seen := chance(t), 0
	fast, err := os.MkdirTemp("/dev/shm", "optimus-") //nolint:usetesting // no disk is to be waited for
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fast)
	copied := filepath.Join(fast, "copy.db")
	for range tries {
		damaged := bytes.Clone(whole)
		damaged[r.IntN(used/page)*page+r.IntN(head)] ^= byte(1 + r.IntN(255)) //nolint:gosec // from 1 to 255
		if err := os.WriteFile(copied, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if st, err := boltstore.Open(copied, store.Options{}); err == nil {
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(l.storePath(), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		refused("a damaged file", "is damaged", "restore a backup")
		if seen++; seen == starts {
			return
		}
	}
	t.Errorf("of %d changes only %d were seen", tries, seen)
}
