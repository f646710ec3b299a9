package modes

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// service is a containerd that is the system's, as far as servers can tell: the test is its service
// manager. It works on the lab's own images.
type service struct {
	socket string
	config string
	log    string
	cmd    *exec.Cmd
}

// systemContainerd starts one; it ends with the test.
func (l *lab) systemContainerd(t *testing.T) *service {
	t.Helper()
	dir := filepath.Join(l.data, "containerd")
	s := &service{
		socket: filepath.Join(dir, "containerd.sock"), config: filepath.Join(dir, "config.toml"),
		log: filepath.Join(dir, "containerd.log"),
	}
	s.start(t)
	t.Cleanup(func() { s.stop(t, syscall.SIGTERM) })
	return s
}

// env is the setting by which a server uses it.
func (s *service) env() string { return "OPTIMUS_SANDBOX_CONTAINERD=" + s.socket }

func (s *service) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command("containerd", "--config", s.config) //nolint:gosec,noctx // of the lab; stop ends it
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the system's containerd answers", func() bool {
		return exec.CommandContext(t.Context(), "ctr", "--address", s.socket, "version").Run() == nil //nolint:gosec // of the lab
	})
}

func (s *service) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Wait() // by the signal
}

// testSystemContainerd restarts the system's containerd under a server that judges: containers
// survive it by their shims, or are lost with these.
func testSystemContainerd(t *testing.T, l *lab) {
	containerd := l.systemContainerd(t)
	s := l.serve(t, containerd.env())
	st := newStream(t)
	st.server.Store(s.api)
	s.ended(t, s.submit(t, square(1000)))
	for _, c := range []struct {
		how   syscall.Signal
		kills []string // what does not survive
	}{
		{syscall.SIGTERM, nil},
		{syscall.SIGKILL, nil},
		{syscall.SIGTERM, []string{"containerd-shim-runc-v2"}},
		{syscall.SIGKILL, []string{"containerd-shim-runc-v2", "agent"}},
	} {
		before := l.pidsOf(t, "agent")
		containerd.stop(t, c.how)
		for _, kind := range c.kills {
			killAll(t, l.pidsOf(t, kind))
		}
		r := s.ask(t, http.MethodGet, "/ready", nil, http.StatusServiceUnavailable)
		contains(t, "readiness without containerd", string(r.body), "does not answer", containerd.socket)
		time.Sleep(pace)
		containerd.start(t)
		eventually(t, "the server is ready again", func() bool {
			return s.ask(t, http.MethodGet, "/ready", nil, http.StatusOK, http.StatusServiceUnavailable).status == http.StatusOK
		})
		if job := s.ended(t, s.submit(t, square(2000))); job.Verdict != "accepted" {
			t.Errorf("after %s %q: %+v", c.how, c.kills, job)
		}
		if after := l.pidsOf(t, "agent"); len(c.kills) == 0 && !slices.Equal(before, after) {
			t.Errorf("after %s the agents are %v, they were %v: the containers should survive", c.how, after, before)
		}
	}
	st.end(t, s)
	s.stop(t)
	checkSquares(t, l.kept(t))
	left, err := exec.CommandContext(t.Context(), "ctr", "--address", containerd.socket, "--namespace", "optimus", "containers", "list", "--quiet").CombinedOutput() //nolint:gosec // of the lab
	if err != nil || len(left) > 0 {
		t.Errorf("containers are left, %v: %s", err, left)
	}
	for _, file := range l.match(t, "/run/containerd/runc/*/*/state.json") {
		if text, _ := os.ReadFile(file); strings.Contains(string(text), l.data+"/") {
			t.Errorf("runc's container is left: %s", file)
		}
	}
}
