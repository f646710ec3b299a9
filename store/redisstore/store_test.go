package redisstore

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"optimus/store"
	"optimus/store/storetest"
	"optimus/store/storetest/redistest"
)

// walks counts the random walks that have ended.
var walks atomic.Int64

// suiteStore knows with which options it was opened, and compares its indexes with its jobs before it
// closes.
type suiteStore struct {
	*Store
	t    *testing.T
	ro   Options
	once sync.Once
}

func (s *suiteStore) Close() error {
	s.once.Do(func() {
		// Of the many random walks every tenth is looked at.
		if !strings.HasSuffix(s.t.Name(), "/model") || walks.Add(1)%10 == 0 {
			checkIndexes(s.t, s.Store)
		}
	})
	return s.Store.Close()
}

func openSuite(t *testing.T, ro Options, o store.Options) store.Store {
	t.Helper()
	ro.LocalClock = true
	s, err := Open(t.Context(), ro, o)
	must(t, err)
	return &suiteStore{Store: s, t: t, ro: ro}
}

func openNew(t *testing.T, o store.Options) store.Store {
	t.Helper()
	return openSuite(t, Options{URL: commonServer(t).URL, Prefix: newPrefix()}, o)
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

// TestValkey holds the store to the same on Valkey, Redis's heir under a free licence.
func TestValkey(t *testing.T) {
	t.Parallel()
	srv := redistest.Valkey(t)
	suite := storetest.Harness{
		Core: true,
		Open: func(t *testing.T, o store.Options) store.Store {
			t.Helper()
			return openSuite(t, Options{URL: srv.URL, Prefix: newPrefix()}, o)
		},
		Reopen: reopen,
	}
	suite.Run(t)
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		suite.RunModel(t)
	})
	s := openTest(t, Options{URL: srv.URL, Prefix: newPrefix()}, store.Options{})
	if d, err := s.Describe(t.Context()); err != nil || len(d.Warnings) != 0 || !strings.HasPrefix(d.Version, "Valkey ") {
		t.Errorf("the server is set up well; it says %+v, %v", d, err)
	}
	if !srv.Says(t, "server_name:valkey") {
		t.Error("it is another server")
	}
}
