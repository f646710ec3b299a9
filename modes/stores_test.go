package modes

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/store/storetest/redistest"
)

// A server that can't be reached or does not speak as it should: what, where from, and what to look at.
func TestStoreThatCannotBeReached(t *testing.T) {
	t.Parallel()
	const look = "see that this machine reaches it"
	server := redistest.OnPort(t)
	for name, c := range map[string]struct{ url, says, hint string }{
		"nobody listens": {"redis://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused", look},
		"no such name":   {"redis://nobody.invalid", "lookup nobody.invalid", look},
		"no TLS there":   {strings.Replace(server.URL, "redis://", "rediss://", 1), "open store: ", "speaks TLS if the URL says rediss://"},
		"no Redis there": {"redis://" + stranger(t), "open store: ", look},
		"a wrong word":   {strings.Replace(server.URL, "redis://", "redis://someone:guess@", 1), "WRONGPASS", "give the right user and password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Default()
			cfg.Redis.URL = config.NewSecret(c.url)
			st, err := openStore(t.Context(), cfg, storeOptions(cfg.Store), false)
			if err == nil {
				_ = st.Close()
				t.Fatal("it is opened")
			}
			contains(t, "the error", err.Error(), "redis.url, from ", c.says, c.hint)
			if strings.Contains(err.Error(), "guess") {
				t.Errorf("it shows the password: %v", err)
			}
		})
	}
}

// A file of a password that can't be read is no matter of the network.
func TestStoreWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for path, says := range map[string]string{
		"/run/secrets/optimus-of-nobody/redis-password": "the Secret that is mounted at /run/secrets/optimus-of-nobody is missing, or has no entry redis-password",
		"/nowhere/password":                             "/nowhere/password: no such file or directory",
	} {
		cfg := config.Default()
		cfg.Redis.URL, cfg.Redis.PasswordFile = config.NewSecret("redis://127.0.0.1:1"), path
		if _, err := openStore(t.Context(), cfg, storeOptions(cfg.Store), false); err == nil || !strings.HasSuffix(err.Error(), says) {
			t.Errorf("it says %v, want %q at the end", err, says)
		}
	}
}

// stranger listens, and answers each line in a language that is not Redis's.
func stranger(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// What manifests say of each distribution is where a worker without settings looks, and the reverse.
func TestDistributionsSocketsAreLookedFor(t *testing.T) {
	t.Parallel()
	looked := map[string]bool{}
	for _, socket := range containerd.SystemSockets() {
		looked[socket] = false
	}
	for _, distribution := range []string{"standard", "k3s", "k0s", "microk8s"} {
		socket := workerSocket(t, distribution)
		if _, ok := looked[socket]; !ok {
			t.Errorf("nobody looks for %s's %s", distribution, socket)
		}
		looked[socket] = true
	}
	for socket, rendered := range looked {
		if !rendered {
			t.Errorf("no rendering has %s", socket)
		}
	}
}
