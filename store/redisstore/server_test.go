package redisstore

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// shared is a server that tests share; each store in it has a prefix of its own.
type shared struct {
	once sync.Once
	dir  string
	*redistest.Server
	err error
}

var (
	common   shared
	prefixes atomic.Int64
)

func commonServer(t *testing.T) *redistest.Server {
	t.Helper()
	common.once.Do(func() {
		dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // it outlives the test
		if err != nil {
			common.err = err
			return
		}
		common.Server, common.dir = redistest.New(dir), dir
		common.err = common.Start()
	})
	must(t, common.err)
	return common.Server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if common.Server != nil {
		common.Kill()
		_ = os.RemoveAll(common.dir)
	}
	os.Exit(code)
}

// warned gives what the store warns of.
func warned(tb testing.TB, s *Store) ([]string, error) {
	tb.Helper()
	d, err := s.Describe(tb.Context())
	return d.Warnings, err
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newPrefix() string { return fmt.Sprint("test", prefixes.Add(1)) }

// openTest opens a store whose clock is the server's.
func openTest(tb testing.TB, ro Options, o store.Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), ro, o)
	must(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}
