// Package redistest starts servers that speak the Redis protocol for tests: Debian's redis-server,
// alone, as a Cluster, or behind Sentinels, and its valkey-server, on sockets and ports of the loopback.
// Each ends with its test.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server, or one like it.
type Server struct {
	// URL is where it answers, and Addr the same as host:port where it has a port.
	URL, Addr string

	program []string // empty means redis-server
	dir     string
	args    []string
	env     []string
	cmd     *exec.Cmd
}

// durable are the settings of every server: an append-only file, as Optimus wants one.
func durable(dir string) []string {
	return []string{
		"--dir", dir, "--logfile", filepath.Join(dir, "log"), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
		"--maxmemory-policy", "noeviction",
	}
}

// New gives a server behind a socket in a folder, which is not started yet. more are further arguments.
func New(dir string, more ...string) *Server {
	socket := filepath.Join(dir, "redis.sock")
	args := append([]string{"--port", "0", "--unixsocket", socket}, durable(dir)...)
	return &Server{URL: "unix://" + socket, dir: dir, args: append(args, more...)}
}

// Start starts a server behind a socket.
func Start(t *testing.T, more ...string) *Server {
	t.Helper()
	return start(t, nil, more...)
}

func start(t *testing.T, program []string, more ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis-") //nolint:usetesting // a socket's path must be short
	must(t, err)
	s := New(dir, more...)
	s.program = program
	t.Cleanup(func() {
		s.Kill()
		must(t, os.RemoveAll(dir))
	})
	must(t, s.Start())
	return s
}

// OnPort starts a server behind a port of the loopback.
func OnPort(t *testing.T, more ...string) *Server {
	t.Helper()
	return onPort(t, fmt.Sprint(FreePort(t)), more...)
}

func onPort(t *testing.T, port string, more ...string) *Server {
	t.Helper()
	addr := "127.0.0.1:" + port
	args := append([]string{"--port", port, "--bind", "127.0.0.1"}, durable(t.TempDir())...)
	args = append(args, "--repl-diskless-sync-delay", "0", "--min-replicas-max-lag", "2")
	s := &Server{URL: "redis://" + addr, Addr: addr, args: append(args, more...)}
	t.Cleanup(s.Kill)
	must(t, s.Start())
	return s
}

// ports are those that [FreePort] has given.
var ports sync.Map //nolint:gochecknoglobals // they are the machine's

// FreePort is a port of the loopback that nobody has, nor was given by it before.
func FreePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		must(t, err)
		addr, _ := l.Addr().(*net.TCPAddr)
		must(t, l.Close())
		if _, taken := ports.LoadOrStore(addr.Port, true); !taken {
			return addr.Port
		}
	}
}

// Env adds to the environment of the next start.
func (s *Server) Env(more ...string) { s.env = append(s.env, more...) }

// Start starts the server, anew where it was killed, and waits until it answers.
func (s *Server) Start() error {
	argv := slices.Concat(s.program, s.args)
	if len(s.program) == 0 {
		argv = slices.Concat([]string{"redis-server"}, s.args)
	}
	s.cmd = exec.CommandContext(context.Background(), argv[0], argv[1:]...) //nolint:gosec // tests share it, so it outlives one; its arguments are theirs
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("%s, of Debian's package of this name: %w", argv[0], err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		if err = c.Ping(ctx).Err(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%q does not answer: %w", argv, err)
}

// Kill ends the server as a crash would; twice is once.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Signal sends the server a signal.
func (s *Server) Signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	must(t, s.cmd.Process.Signal(sig))
}

// Client speaks to the server until the test ends.
func (s *Server) Client(t *testing.T) *redis.Client {
	t.Helper()
	c, err := s.client()
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *Server) client() (*redis.Client, error) {
	o, err := redis.ParseURL(s.URL)
	if err != nil {
		return nil, fmt.Errorf("the test's server: %w", err)
	}
	o.MaxRetries = -1
	return redis.NewClient(o), nil
}

// Says tells whether the server's INFO has a text.
func (s *Server) Says(t *testing.T, text string) bool {
	t.Helper()
	c, err := s.client()
	must(t, err)
	defer c.Close()
	info, err := c.Info(t.Context(), "everything").Result()
	return err == nil && strings.Contains(info, text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what must come.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
