package boltstore

import (
	"path/filepath"
	"sync"
	"testing"

	"optimus/store"
	"optimus/store/storetest"
)

// checked compares its indexes with its jobs before it closes.
type checked struct {
	*Store
	t    *testing.T
	path string
	once sync.Once
}

func (c *checked) Close() error {
	c.once.Do(func() { checkIndexes(c.t, c.Store) })
	return c.Store.Close()
}

func openChecked(t *testing.T, path string, o store.Options) store.Store {
	t.Helper()
	s, err := Open(path, o)
	must(t, err)
	return &checked{Store: s, t: t, path: path}
}

func openNew(t *testing.T, o store.Options) store.Store {
	t.Helper()
	return openChecked(t, filepath.Join(t.TempDir(), "jobs.db"), o)
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Harness{
		Open:       openNew,
		OneProcess: true,
		Reopen: func(t *testing.T, s store.Store, o store.Options) store.Store {
			t.Helper()
			must(t, s.Close())
			return openChecked(t, s.(*checked).path, o)
		},
	}.Run(t)
}

func TestTheSuiteSeesBrokenStores(t *testing.T) {
	t.Parallel()
	storetest.RunBroken(t, openNew)
}
