package redisstore

import (
	"testing"

	"optimus/store"
	"optimus/store/storetest"
)

// suiteStore knows with which options it was opened.
type suiteStore struct {
	*Store
	ro Options
}

func openSuite(t *testing.T, ro Options, o store.Options) store.Store {
	t.Helper()
	ro.LocalClock = true
	s, err := Open(t.Context(), ro, o)
	must(t, err)
	return &suiteStore{s, ro}
}

func openNew(t *testing.T, o store.Options) store.Store {
	t.Helper()
	return openSuite(t, Options{URL: commonServer(t).url, Prefix: newPrefix()}, o)
}

func reopen(t *testing.T, s store.Store, o store.Options) store.Store {
	t.Helper()
	must(t, s.Close())
	return openSuite(t, s.(*suiteStore).ro, o)
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Harness{Open: openNew, Reopen: reopen}.Run(t)
}

func TestTheSuiteSeesBrokenStores(t *testing.T) {
	t.Parallel()
	storetest.RunBroken(t, openNew)
}
