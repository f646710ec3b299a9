package boltstore

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"optimus/store"
)

// inMemory gives a folder that no disk is waited for.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "optimus-") //nolint:usetesting // see above
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// TestADamagedFileIsLetGo: who puts a whole file in the place of a damaged one opens it at once.
func TestADamagedFileIsLetGo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(inMemory(t), "jobs.db")
	lively(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	page := os.Getpagesize()
	for at := 2 * page; at < len(bytes.TrimRight(whole, "\x00")); at += page {
		damaged := bytes.Clone(whole)
		// The places of a page's elements, far behind its end.
		copy(damaged[at+16:], bytes.Repeat([]byte{0x7f}, 16))
		must(t, os.WriteFile(path, damaged, 0o600)) // the same file: it keeps its locks
		if s, err := Open(path, store.Options{}); err == nil {
			must(t, s.Close())
		} else if !errors.Is(err, store.ErrSchema) {
			t.Fatalf("page %d: %v", at/page, err)
		}
	}
	must(t, os.WriteFile(path, whole, 0o600))
	s, err := Open(path, store.Options{})
	must(t, err)
	must(t, s.Close())
}

// TestRandomDamage changes single bytes of a file, most of them where a page says what it is and
// where its parts are: see survives. The seed is printed, and
// can be given by OPTIMUS_TEST_SEED.
func TestRandomDamage(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64() //nolint:gosec // guards no secret
	if given := os.Getenv("OPTIMUS_TEST_SEED"); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		must(t, err)
	}
	t.Logf("OPTIMUS_TEST_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // guards no secret
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	page, head := os.Getpagesize(), 128
	used := len(bytes.TrimRight(whole, "\x00"))
	for n := range 60 {
		at := r.IntN(used)
		if n%4 > 0 {
			at = at/page*page + r.IntN(head)
		}
		damaged := bytes.Clone(whole)
		damaged[at] ^= byte(1 + r.IntN(255)) //nolint:gosec // from 1 to 255
		t.Logf("byte %d: %#x becomes %#x", at, whole[at], damaged[at])
		survives(t, damaged)
	}
}
