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

	"optimus/sandbox/containerd"
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
	system := l.systemContainerd(t)
	s := l.serve(t, system.env())
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
		system.stop(t, c.how)
		for _, kind := range c.kills {
			killAll(t, l.pidsOf(t, kind))
		}
		r := s.ask(t, http.MethodGet, "/ready", nil, http.StatusServiceUnavailable)
		contains(t, "readiness without containerd", string(r.body), "does not answer", system.socket)
		time.Sleep(pace)
		system.start(t)
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
	left, err := exec.CommandContext(t.Context(), "ctr", "--address", system.socket, "--namespace", "optimus", "containers", "list", "--quiet").CombinedOutput() //nolint:gosec // of the lab
	if err != nil || len(left) > 0 {
		t.Errorf("containers are left, %v: %s", err, left)
	}
	for _, file := range l.match(t, "/run/containerd/runc/*/*/state.json") {
		if text, _ := os.ReadFile(file); strings.Contains(string(text), l.data+"/") {
			t.Errorf("runc's container is left: %s", file)
		}
	}
}

// testDistributions has containerd where each distribution of Kubernetes has it, in a mount namespace with
// folders of its own: it is found, and judged on.
func testDistributions(t *testing.T, l *lab) {
	system := l.systemContainerd(t)
	program := filepath.Join(l.logs, "answer.py")
	if err := os.WriteFile(program, []byte("print(6 * 7)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	for _, socket := range containerd.SystemSockets() {
		for says, args := range map[string][]string{
			", of this system, at " + socket: {"admin", "doctor"},
			"accepted":                       {"admin", "run", "--lang", "python", program},
		} {
			cmd := l.command(t, args...)
			const lay = `mount -t tmpfs run /run && mount -t tmpfs var /var && mkdir -p "$1" && mount --bind "$2" "$1" && shift 2 && exec "$@"`
			cmd.Path = unshare
			cmd.Args = slices.Concat([]string{"unshare", "--mount", "sh", "-c", lay, "sh", filepath.Dir(socket), filepath.Dir(system.socket), l.binary}, args)
			cmd.Env = append(cmd.Env, "OPTIMUS_SANDBOX_CONTAINERD=auto")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("optimus %s with containerd at %s: %v", strings.Join(args, " "), socket, err)
			}
			contains(t, "its output", string(out), says)
		}
	}
}
