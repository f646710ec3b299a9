package boltstore

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// inMemory gives a folder that no disk is waited for.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "optimus-") //nolint:usetesting // see above
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
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
