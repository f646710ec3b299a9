package containerd

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// testTimeout bounds every wait; none comes near it on a healthy machine.
const testTimeout = 60 * time.Second

// logLines gives each line of a log to whoever waits for one.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default: // nobody waits, and there are plenty already
	}
	return len(p), nil
}

// await waits for a line that holds text.
func (l logLines) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(testTimeout)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("the log does not say %q", text)
		}
	}
}

// privateOptions are those of a fresh private daemon, of which nothing may be left when the
// test ends.
func privateOptions(t *testing.T) (DaemonOptions, logLines) {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { assertNothingLeft(t, dir) })
	lines := make(logLines, 1000)
	return DaemonOptions{Mode: ModePrivate, Dir: dir, Log: zerolog.New(lines)}, lines
}

// connect makes a daemon that ends with the test.
func connect(t *testing.T, o DaemonOptions) *Daemon {
	t.Helper()
	d, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close daemon: %v", err)
		}
	})
	return d
}

func assertNothingLeft(t *testing.T, dir string) {
	t.Helper()
	socket := socketPath(dir)
	pids, err := findProcesses(dir, func(args []string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, dir+"/") || a == socket })
	})
	if err != nil || len(pids) > 0 {
		t.Errorf("processes left: %v, error %v", pids, err)
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if left := mountPointsBelow(string(text), dir); len(left) > 0 {
		t.Errorf("mounts left: %q", left)
	}
}

// daemonPID is the private daemon's, found the way that a later process would.
func daemonPID(t *testing.T, d *Daemon) int {
	t.Helper()
	proc, err := d.private.find()
	if err != nil || proc == nil {
		t.Fatalf("find the daemon: %v, %v", proc, err)
	}
	defer proc.release()
	return proc.pid
}

func TestPrivateDaemon(t *testing.T) {
	o, _ := privateOptions(t)
	started := time.Now()
	d := connect(t, o)
	t.Logf("up in %v", time.Since(started))
	if !d.Private() || d.Version() == "" || d.Snapshotter() == "" {
		t.Errorf("private %v, version %q, snapshotter %q", d.Private(), d.Version(), d.Snapshotter())
	}
	if want := filepath.Join(o.Dir, "containerd.sock"); d.Address() != want {
		t.Errorf("address %q, want %q", d.Address(), want)
	}
	if !strings.HasPrefix(d.RuncRoot(), o.Dir) {
		t.Errorf("runc root %q is not its own", d.RuncRoot())
	}
	sid, err := unix.Getsid(daemonPID(t, d))
	if own, _ := unix.Getsid(0); err != nil || sid == own {
		t.Errorf("session %d, error %v: want one of its own", sid, err)
	}
	if list, err := d.Images().List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("a fresh daemon has images %v, error %v", list, err)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	assertNothingLeft(t, o.Dir)
}

func TestPrivateDaemonIsRestarted(t *testing.T) {
	o, lines := privateOptions(t)
	d := connect(t, o)
	for range 2 {
		pid := daemonPID(t, d)
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		lines.await(t, "private containerd is back")
		if again := daemonPID(t, d); again == pid {
			t.Errorf("pid %d did not change", pid)
		}
		// The same client reconnects; what it asks meanwhile may fail.
		awaitTrue(t, func() bool { _, err := d.Client().Version(t.Context()); return err == nil })
	}
}

// awaitTrue asks until the answer is yes.
func awaitTrue(t *testing.T, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(testTimeout)
	for !ask() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition does not come true")
		}
	}
}

func TestFolderByAnotherNameIsTheSameDaemon(t *testing.T) {
	o, _ := privateOptions(t)
	first := connect(t, o)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(o.Dir, link); err != nil {
		t.Fatal(err)
	}
	o.Dir = link
	if second := connect(t, o); second.Address() != first.Address() {
		t.Errorf("addresses %q and %q", first.Address(), second.Address())
	}
}

func TestProcessesOfAnotherRootAreNotOurs(t *testing.T) {
	t.Parallel()
	// A process that sees another folder under the same path, as one in a container does.
	dir := t.TempDir()
	script := "mount -t tmpfs none " + dir + " && echo up && exec sleep 1000"
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(cmd.Process.Kill(), cmd.Wait()); err == nil {
			t.Error("the process ended by itself")
		}
	})
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	is := func(args []string) bool { return args[0] == "sleep" && slices.Contains(args, "1000") }
	pid := cmd.Process.Pid
	awaitTrue(t, func() bool {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		return err == nil && strings.HasPrefix(string(text), "sleep")
	})
	if pids, err := findProcesses("/", is); err != nil || !slices.Contains(pids, pid) {
		t.Errorf("seen from the same root: %v, error %v; want %d among them", pids, err, pid)
	}
	if pids, err := findProcesses(dir, is); err != nil || slices.Contains(pids, pid) {
		t.Errorf("seen from another folder: %v, error %v; want %d not among them", pids, err, pid)
	}
}

func TestPrivateDaemonIsShared(t *testing.T) {
	o, _ := privateOptions(t)
	first, second := connect(t, o), connect(t, o)
	pid := daemonPID(t, first)
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := daemonPID(t, second); got != pid {
		t.Errorf("pid %d, want still %d", got, pid)
	}
	if _, err := second.Client().Version(t.Context()); err != nil {
		t.Errorf("after the first user left: %v", err)
	}
}

// A containerd that was killed while it removed a snapshot has its folder still, and knows nothing of it.
func TestForgottenSnapshotsAreRemoved(t *testing.T) {
	o, _ := privateOptions(t)
	d := connect(t, o)
	if _, err := d.Client().LeasesService().Create(t.Context(), leases.WithRandomID()); err != nil { // a first thing of ours
		t.Fatal(err)
	}
	left := filepath.Join(o.Dir, "root", "io.containerd.snapshotter.v1."+d.Snapshotter(), "snapshots", "4711")
	if err := os.MkdirAll(filepath.Join(left, "fs", ".optimus"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(left); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

// abandon does to the daemon's user what kill -9 would: its locks go, the daemon stays.
func abandon(t *testing.T, d *Daemon) {
	t.Helper()
	d.private.cancel()
	<-d.private.watched
	if err := d.private.users.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Client().Close(); err != nil {
		t.Fatal(err)
	}
	d.closing.Do(func() {})
}

func TestLeftoverDaemonIsAdopted(t *testing.T) {
	o, _ := privateOptions(t)
	dead := connect(t, o)
	pid := daemonPID(t, dead)
	abandon(t, dead)
	if got := daemonPID(t, connect(t, o)); got != pid {
		t.Errorf("pid %d, want the left-over daemon's, %d", got, pid)
	}
}

func TestOutdatedDaemonIsReplaced(t *testing.T) {
	o, _ := privateOptions(t)
	dead := connect(t, o)
	pid := daemonPID(t, dead)
	abandon(t, dead)
	if err := os.WriteFile(filepath.Join(o.Dir, "config.toml"), []byte("# of an older version\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := daemonPID(t, connect(t, o)); got == pid {
		t.Errorf("pid %d: a daemon with another configuration was kept", got)
	}
}

func TestStuckDaemonIsReplaced(t *testing.T) {
	o, _ := privateOptions(t)
	dead := connect(t, o)
	pid := daemonPID(t, dead)
	abandon(t, dead)
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if got := daemonPID(t, connect(t, o)); got == pid {
		t.Errorf("pid %d: a daemon that does not answer was kept", got)
	}
}

func TestLongFolderGetsAShortSocket(t *testing.T) {
	o, _ := privateOptions(t)
	o.Dir = filepath.Join(o.Dir, strings.Repeat("long/", 25), "data")
	d := connect(t, o)
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(d.Address())) })
	if len(d.Address()) > maxSocketPath-len(".ttrpc") || !strings.HasPrefix(d.Address(), "/run/optimus/") {
		t.Errorf("address %q", d.Address())
	}
}

func TestAutoPrefersSystemDaemon(t *testing.T) {
	o, _ := privateOptions(t)
	system := connect(t, o)
	silent := filepath.Join(t.TempDir(), "silent.sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })

	auto := DaemonOptions{Dir: filepath.Join(t.TempDir(), "unused"), SystemSockets: []string{"/absent.sock", silent, system.Address()}}
	d := connect(t, auto)
	if d.Private() || d.Address() != system.Address() || d.RuncRoot() != "" {
		t.Errorf("private %v, address %q, runc root %q", d.Private(), d.Address(), d.RuncRoot())
	}
	if _, err := os.Stat(auto.Dir); !os.IsNotExist(err) {
		t.Errorf("the private folder was made: %v", err)
	}
}

func TestConnectErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options DaemonOptions
		want    string
	}{
		"mode":   {DaemonOptions{Mode: "docker"}, `want "auto"`},
		"absent": {DaemonOptions{Mode: "/absent/containerd.sock"}, "start that containerd"},
		"file":   {DaemonOptions{Mode: file}, "is not a socket"},
		"long":   {DaemonOptions{Mode: "/" + strings.Repeat("x", 200)}, "choose a shorter one"},
		"folder": {DaemonOptions{Mode: ModePrivate}, "no folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Connect(t.Context(), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestMissingBinarySaysWhatToInstall(t *testing.T) {
	t.Parallel()
	if _, err := lookUp(t.TempDir(), "runc"); err == nil || !strings.Contains(err.Error(), "runc is not installed") {
		t.Errorf("error %v", err)
	}
}

func TestBrokenDaemonSaysWhy(t *testing.T) {
	o, _ := privateOptions(t)
	// A folder in the place of containerd's database keeps it from starting.
	if err := os.MkdirAll(filepath.Join(o.Dir, "root/io.containerd.metadata.v1.bolt/meta.db"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Connect(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "meta.db") || !strings.Contains(err.Error(), "containerd.log") {
		t.Errorf("error %v, want the log's last words and its place", err)
	}
}

func TestEnvironmentKeepsSystemdApart(t *testing.T) {
	t.Parallel()
	p := &privateDaemon{path: "/bin"}
	got := p.environment([]string{"PATH=/x", "NOTIFY_SOCKET=/run/n", "LISTEN_FDS=1", "HOME=/root"})
	want := []string{"HOME=/root", "PATH=/bin", "CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMountPointsBelow(t *testing.T) {
	t.Parallel()
	const info = `21 1 254:0 / / rw - ext4 /dev/vda rw
30 21 0:30 / /data/a rw - tmpfs tmpfs rw
31 30 0:31 / /data/a/with\040space rw - tmpfs tmpfs rw
32 21 0:32 / /database rw - tmpfs tmpfs rw
`
	got := mountPointsBelow(info, "/data")
	if want := []string{"/data/a/with space", "/data/a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
