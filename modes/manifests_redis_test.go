package modes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"optimus/store/storetest/redistest"
)

// redisPod is what the manifests' Redis does in its pod, in folders of a test's own.
type redisPod struct {
	dir  string
	port int
}

func newRedisPod(t *testing.T) redisPod {
	t.Helper()
	all, err := readManifests(Process{}, "../deploy/kubernetes/redis.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := redisPod{dir: t.TempDir(), port: redistest.FreePort(t)}
	for _, dir := range []string{"bin", "data", "run", "secret"} {
		if err := os.Mkdir(filepath.Join(p.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	client, err := exec.LookPath("redis-cli")
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "bin/redis-cli", fmt.Sprintf("#!/bin/sh\nexec %s -p %d \"$@\"\n", client, p.port))
	here := strings.NewReplacer("/etc/redis/", p.dir+"/", "/run/redis/", p.dir+"/run/", "/run/secrets/optimus/", p.dir+"/secret/",
		"dir /data", "dir "+p.dir+"/data\nbind 127.0.0.1\nport "+strconv.Itoa(p.port))
	for _, m := range all {
		for name, text := range m.Data {
			p.write(t, name, here.Replace(text))
		}
	}
	return p
}

func (p redisPod) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o700); err != nil { //nolint:gosec // scripts
		t.Fatal(err)
	}
}

func (p redisPod) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "sh", args...)
	c.Dir = p.dir
	c.Env = []string{"PATH=" + p.dir + "/bin:" + os.Getenv("PATH")}
	return c
}

// Without its Secret, or with one that its settings can't hold, the manifests' Redis says so and ends.
func TestRedisOfManifestsWithoutPassword(t *testing.T) {
	t.Parallel()
	p := newRedisPod(t)
	for _, c := range [][2]string{
		{"", "the Secret optimus of the namespace optimus has no redis-password"},
		{"two words", "may have letters, digits and"},
		{"a\"quote\n", "may have letters, digits and"},
	} {
		content, says := c[0], c[1]
		if content != "" {
			p.write(t, "secret/redis-password", content)
		}
		out, err := p.command(t.Context(), "start.sh").CombinedOutput()
		if err == nil || !strings.Contains(string(out), says) {
			t.Errorf("with %q it says %v: %s", content, err, out)
		}
	}
}

// With its password it answers its own probes, nobody without the password, and keeps what it is told.
func TestRedisOfManifests(t *testing.T) {
	t.Parallel()
	const soon = 20 * time.Second
	p := newRedisPod(t)
	p.write(t, "secret/redis-password", "a+b/c=~d.e_f-0") // no end of line: so kubectl makes it
	server := p.command(context.WithoutCancel(t.Context()), "start.sh")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = server.Process.Kill(), server.Wait() })
	for deadline := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		out, err := p.command(t.Context(), "ping.sh", "ready").CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not ready: %v: %s", err, out)
		}
	}
	if out, err := p.command(t.Context(), "ping.sh", "alive").CombinedOutput(); err != nil {
		t.Errorf("it is not alive: %v: %s", err, out)
	}
	out, err := p.command(t.Context(), "-c", "redis-cli get a; export REDISCLI_AUTH='a+b/c=~d.e_f-0'; redis-cli config get 'maxmemory*'; redis-cli config get 'append*'").CombinedOutput()
	contains(t, "redis-cli", string(out), "NOAUTH", "maxmemory-policy\nnoeviction", "maxmemory\n1073741824", "appendonly\nyes", "appendfsync\neverysec")
	if err != nil {
		t.Error(err)
	}
	p.write(t, "secret/redis-password", "another")
	if out, err := p.command(t.Context(), "ping.sh", "ready").CombinedOutput(); err == nil {
		t.Errorf("with another password it is ready: %s", out)
	}
}
