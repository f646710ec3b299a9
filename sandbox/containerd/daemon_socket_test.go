package containerd

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket that this user may not write to is told as one, and what to do.
func TestASocketOfAnotherUser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "c.sock")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Everybody may pass; the socket alone is root's.
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755), os.Chmod(socket, 0o660)); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	if err := checkSocket(socket); err != nil {
		t.Errorf("root is refused: %v", err)
	}
	said := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this user
		const keep, nobody = ^uintptr(0), 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, nobody, keep); errno != 0 {
			said <- errno
			return
		}
		said <- checkSocket(socket)
	}()
	if err := <-said; !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), socket+": permission denied: run as root") {
		t.Errorf("another user is told %v", err)
	}
}
