package boltstore_test

import (
	"path/filepath"
	"sync"
	"testing"

	"optimus/store"
	"optimus/store/boltstore"
	"optimus/store/storetest"
)

func open(t *testing.T, o store.Options) store.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "jobs.db"), o)
}

func openAt(t *testing.T, path string, o store.Options) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	var paths sync.Map
	storetest.Harness{
		Open: func(t *testing.T, o store.Options) store.Store {
			t.Helper()
			path := filepath.Join(t.TempDir(), "jobs.db")
			s := openAt(t, path, o)
			paths.Store(store.Store(s), path)
			return s
		},
		Reopen: func(t *testing.T, s store.Store, o store.Options) store.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path, _ := paths.Load(s)
			again := openAt(t, path.(string), o)
			paths.Store(store.Store(again), path)
			return again
		},
	}.Run(t)
}

func TestSuiteSeesBrokenStores(t *testing.T) {
	t.Parallel()
	storetest.RunBroken(t, open)
}
