package containerd

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// envSocket has the test's own binary, in another PID namespace, ask for the peer of that socket.
const envSocket = "OPTIMUS_TEST_SOCKET"

func TestPIDsOfAnotherNamespace(t *testing.T) {
	if socket := os.Getenv(envSocket); socket != "" {
		t.Log(checkPIDs(t.Context(), socket))
		return
	}
	socket := filepath.Join(t.TempDir(), "s")
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := checkPIDs(t.Context(), socket); err != nil {
		t.Errorf("in the same namespace: %v", err)
	}
	if got := pidCheck(t.Context(), socket); got.Status != StatusOK {
		t.Errorf("doctor: %+v", got)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^TestPIDsOfAnotherNamespace$")
	cmd.Env = append(os.Environ(), envSocket+"="+socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("hostPID: true")) {
		t.Errorf("in another namespace: %v, %s", err, out)
	}
	if got := pidCheck(t.Context(), "/absent"); got.Status != StatusFail || !strings.Contains(got.Detail, "/absent") {
		t.Errorf("doctor, without containerd: %+v", got)
	}
}
