package containerd

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket of another user's is told from one that nobody answers.
func TestSocketWithoutPermission(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "containerd.sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	if err := errors.Join(os.Chmod(socket, 0o600), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil { //nolint:gosec // another user must get to the socket
		t.Fatal(err)
	}
	if err := checkSocket(socket); err != nil {
		t.Errorf("its owner is told %v", err)
	}
	told := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with this goroutine, and nobody else is another user
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			told <- errno
			return
		}
		told <- checkSocket(socket)
	}()
	if err := <-told; err == nil || !strings.Contains(err.Error(), socket+": permission denied: run as root") {
		t.Errorf("another user is told %v", err)
	}
}
