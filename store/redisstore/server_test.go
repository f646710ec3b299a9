package redisstore

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// server is a redis-server of the tests' own.
type server struct {
	dir  string
	args []string
	url  string
	cmd  *exec.Cmd
}

// start starts the server, and waits until it answers.
func (s *server) start() error {
	s.cmd = exec.CommandContext(context.Background(), "redis-server", s.args...) //nolint:gosec // tests share it, so it outlives one; its arguments are theirs
	s.cmd.Dir = s.dir
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("redis-server, of Debian's package of this name: %w", err)
	}
	o, err := redis.ParseURL(s.url)
	if err != nil {
		return err
	}
	o.MaxRetries = -1
	c := redis.NewClient(o)
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if err = c.Ping(ctx).Err(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("redis-server does not answer: %w: %s", err, log)
}

// kill ends it as a crash would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	must(t, s.cmd.Process.Signal(sig))
}

// single is a server with an append-only file, behind a socket in a folder.
func single(dir string) *server {
	socket := filepath.Join(dir, "redis.sock")
	return &server{dir: dir, url: "unix://" + socket, args: []string{
		"--port", "0", "--unixsocket", socket, "--dir", dir, "--logfile", "log", "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
	}}
}

// startSingle starts a server of a test's own.
func startSingle(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := single(dir)
	must(t, s.start())
	t.Cleanup(s.kill)
	return s
}

// shared is a server that tests share; each store in it has a prefix of its own.
type shared struct {
	once sync.Once
	*server
	err error
}

var (
	common   shared
	prefixes atomic.Int64
)

func commonServer(t *testing.T) *server {
	t.Helper()
	common.once.Do(func() {
		dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // it outlives the test
		if err != nil {
			common.err = err
			return
		}
		common.server = single(dir)
		common.err = common.start()
	})
	must(t, common.err)
	return common.server
}

func TestMain(m *testing.M) {
	code := m.Run()
	if common.server != nil {
		common.kill()
		_ = os.RemoveAll(common.dir)
	}
	os.Exit(code)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newPrefix() string { return fmt.Sprint("test", prefixes.Add(1)) }

// freePort is a port that nobody has.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// openTest opens a store whose clock is the server's.
func openTest(tb testing.TB, ro Options, o store.Options) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), ro, o)
	must(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}
