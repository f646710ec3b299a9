package modes

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// A server whose certificate vouches for itself is spoken to once that is said; until then the next step is.
func TestServersWithACertificateOfTheirOwn(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"queues": []}`))
	}))
	defer server.Close()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "none.pem")
	must(t, os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	must(t, os.WriteFile(bad, []byte("no certificate"), 0o600))

	out, _ := commanded(t, ExitOK, "queues", "list", "--server", server.URL, "--ca-file", good)
	contains(t, "queues list", out, "QUEUE")
	_, said := commanded(t, ExitFailed, "queues", "list", "--server", server.URL)
	contains(t, "an unknown authority", said, server.URL, "--ca-file")
	_, said = commanded(t, ExitUsage, "queues", "list", "--server", server.URL, "--ca-file", bad)
	contains(t, "no certificate", said, bad)
	commanded(t, ExitFailed, "queues", "list", "--server", server.URL, "--ca-file", filepath.Join(dir, "absent.pem"))
}

// A queue's server that is away is told with where it is, who said so, and what to do.
func TestARedisServerThatIsAway(t *testing.T) {
	_, said := commanded(t, ExitFailed, "store", "show", "--redis-url", "redis://127.0.0.1:1")
	contains(t, "an absent server", said, "127.0.0.1:1", "redis.url, from flag --redis-url", "start that server", "OPTIMUS_REDIS_URL")
}

func TestAKeyFileThatHoldsMore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(file, []byte("optimus_one\noptimus_two\n"), 0o600))
	_, said := commanded(t, ExitUsage, "queues", "list", "--key-file", file)
	contains(t, "two keys", said, "holds the key alone")
}

func TestADataFolderThatTakesNothing(t *testing.T) {
	_, said := commanded(t, ExitFailed, "keys", "create", "root", "--role", "admin", "--data", "/sys/kernel")
	contains(t, "a folder of the kernel's", said, "/sys/kernel/optimus.db", "state a folder that can be written to with --data")
}
