package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/sandbox/sandboxtest"
)

// part is a test of an end-to-end test.
type part struct {
	name string
	run  func(*testing.T, *lab)
}

// TestEndToEnd runs the built binary on a real containerd: servers alone, fleets around a queue's
// server, and faults of that. Each group has a data folder, since images take long to unpack, and its parts go one after the
// other, each on a store of its own; after each nothing may be left that the folder's processes have made.
// The groups wait most of the time, and so go beside each other.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string][]part{"alone": partsAlone(), "fleet": partsOfFleets(), "queue": partsOfQueues()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			for _, p := range parts {
				t.Run(p.name, func(t *testing.T) {
					l.freshStore(t)
					t.Cleanup(func() {
						l.assertNothingLeft(t)
						l.explain(t)
					})
					p.run(t, l)
				})
			}
		})
	}
}

func partsAlone() []part {
	return []part{
		{"verdicts", testVerdicts},
		{"the original's routes", testOriginalRoutes},
		{"idempotency", testIdempotency},
		{"cancel", testCancel},
		{"events", testEvents},
		{"health", testHealth},
		{"refused starts", testRefusedStarts},
		{"admin", testAdmin},
		{"keeping", testKeeping},
		{"another catalogue", testReload},
		{"kill the server", testKillServer},
		{"kill agent and containerd", testKillEngine},
		{"a frozen server", testFrozenServer},
		{"the system's containerd restarts", testSystemContainerd},
		{"the containerd of a distribution", testDistributions},
		{"the store's disk is full", testFullStore},
		{"the disk of containerd's tasks is full", testFullTasks},
		{"the disk of containerd's images is full", testFullImages},
		{"the runner's disk is full", testFullRunner},
		{"a data folder that cannot be used", testDataFolder},
		{"stop while it starts", testStopWhileItStarts},
		{"stop under load", testStopUnderLoad},
		{"stop at once", testStopAtOnce},
		{"stop when grace is over", testStopGraceOver},
		{"a folder is upgraded", testFolderUpgrade},
	}
}

func partsOfFleets() []part {
	return []part{
		{"a fleet is upgraded", testFleetUpgrade},
		{"a fleet judges", testFleetJudges},
		{"a fleet is killed at", testFleetKilled},
		{"a fleet has a dead letter", testFleetDeadLetter},
		{"a fleet is restarted in turn", testFleetRolls},
		{"a fleet of one", testFleetEmbedded},
		{"a fleet's queue and worker freeze", testFleetFreezes},
	}
}

func partsOfQueues() []part {
	return []part{
		{"a fleet's line is bad", testFleetBadLine},
		{"a fleet's queue has another clock", testFleetClock},
		{"a fleet's worker has another clock", testFleetWorkerClock},
		{"a fleet's queue is full", testFleetFull},
		{"a fleet's queue is a replica", testFleetReadOnly},
		{"a fleet's queue fails over", testFleetFailsOver},
	}
}

// patience is how long to wait for what should come soon, on however busy a machine.
const patience = 3 * time.Minute

// lab is a data folder on which the built binary is run.
type lab struct {
	binary, data, config string
	// env is what its commands have in their environment beside what tests state.
	env []string
	// logs has a file of each server's standard error.
	logs string
	// images are the languages whose image is present.
	images []string
	// cgroup is the folder's own cgroup, as the kernel names it.
	cgroup string
}

// labs is how many there were, in this process.
var labs atomic.Int64

// newLab makes a data folder that has the image of python.
func newLab(t *testing.T) *lab {
	t.Helper()
	data, number := t.TempDir(), labs.Add(1)
	l := &lab{
		binary: buildBinary(t), data: data,
		config: filepath.Join(t.TempDir(), "optimus.toml"), logs: t.TempDir(),
		cgroup: sandboxtest.Cgroup(fmt.Sprintf("e2e-%d", number)),
	}
	// Users and cgroup of its own: other servers on this machine must not be in the way.
	const firstUID, uidsEach, uidsOfLab = 200_000, 16, 100_000_000
	settings := fmt.Sprintf(`
[store]
max_attempts = 20
backoff = "50ms"
backoff_max = "200ms"
sweep_interval = "100ms"
[worker]
slots = 2
grace = "1m"
[sandbox]
containerd = "private"
cgroup_parent = %q
uid_base = %d
warm = ["python"]
[limits]
wall = "10m"
`, l.cgroup, number%40*uidsOfLab+firstUID+int64(uidsEach*os.Getpid()))
	if err := os.WriteFile(l.config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.end(t) })
	l.needs(t, "python")
	return l
}

// needs has the image of a language built, unless it is there.
func (l *lab) needs(t *testing.T, language string) {
	t.Helper()
	if slices.Contains(l.images, language) {
		return
	}
	contains(t, "images build", l.admin(t, ExitOK, "images", "build", language), language, "sha256:")
	l.images = append(l.images, language)
}

// explain shows the logs of a part that failed, and begins new ones.
func (l *lab) explain(t *testing.T) {
	t.Helper()
	daemon := filepath.Join(l.data, "containerd/containerd.log")
	logs := append(l.match(t, filepath.Join(l.logs, "*")), daemon)
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if t.Failed() {
			t.Logf("%s, %v:\n%s", file, err, text)
		}
		if file != daemon {
			err = os.Remove(file)
		} else {
			err = os.Truncate(file, 0)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// end ends what a part that failed has left, and looks whether containerd knows of anything.
func (l *lab) end(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	cfg, err := config.Load(config.LoadOptions{Path: l.config, Flags: map[string]string{"data": l.data}})
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := containerd.Connect(ctx, daemonOptions(cfg, testLogger(t)))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := daemon.Client().Containers(ctx); err != nil || len(list) != 0 {
		t.Errorf("in the end containerd knows %d containers, %v", len(list), err)
	}
	if err := daemon.Close(ctx); err != nil {
		t.Error(err)
	}
	for _, dir := range l.cgroupFolders(t) {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	}
}

func (l *lab) freshStore(t *testing.T) {
	t.Helper()
	if err := os.Remove(l.storePath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func (l *lab) storePath() string { return filepath.Join(l.data, storeFile) }

// command is the built binary on the folder. The process is killed with the test.
func (l *lab) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), l.binary, args...) //nolint:gosec // the test names the arguments
	// What is said to the tests is no setting, and would be refused.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "OPTIMUS_TEST_") })
	cmd.Env = slices.Concat(env, []string{"OPTIMUS_CONFIG=" + l.config, "OPTIMUS_DATA=" + l.data}, l.env)
	return cmd
}

// admin runs an admin command to its end, and gives what it prints on standard output.
func (l *lab) admin(t *testing.T, exit int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := l.command(t, append([]string{"admin"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != exit {
		t.Fatalf("optimus admin %s: %v, want exit code %d\n%s%s", strings.Join(args, " "), err, exit, &stdout, &stderr)
	}
	return stdout.String()
}

// serving is a running `optimus serve`, or an `optimus work`, which has no api.
type serving struct {
	*api

	pid    int
	log    string // the file of its standard output and standard error
	signal func(os.Signal) error
	exited chan struct{}
	state  *os.ProcessState // set before exited is closed
}

// serve starts a server, with settings from the environment, and waits until it is ready.
func (l *lab) serve(t *testing.T, env ...string) *serving {
	t.Helper()
	s := l.start(t, env...)
	s.untilReady(t)
	return s
}

func (l *lab) start(t *testing.T, env ...string) *serving {
	t.Helper()
	return l.launch(t, []string{"serve", "--listen", "127.0.0.1:0"}, env...)
}

// launch starts a command that goes on until it is stopped.
func (l *lab) launch(t *testing.T, args []string, env ...string) *serving {
	t.Helper()
	cmd := l.command(t, args...)
	cmd.Env = append(cmd.Env, env...)
	s := &serving{exited: make(chan struct{})}
	log, err := os.CreateTemp(l.logs, args[0]+"-*")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.log = log.Name()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid, s.signal = cmd.Process.Pid, cmd.Process.Signal
	go func() {
		_ = cmd.Wait() // its state tells
		s.state = cmd.ProcessState
		close(s.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-s.exited
	})
	return s
}

func (s *serving) untilReady(t *testing.T) {
	t.Helper()
	var ready struct {
		Address string `json:"address"`
	}
	eventually(t, "the process is ready", func() bool {
		select {
		case <-s.exited:
			t.Fatalf("the process ended: %s\n%s", s.state, s.readLog(t))
		default:
		}
		for line := range strings.Lines(s.readLog(t)) {
			if strings.Contains(line, `"message":"ready"`) {
				return json.Unmarshal([]byte(line), &ready) == nil
			}
		}
		return false
	})
	s.api = newAPI("http://" + ready.Address)
	t.Cleanup(s.close)
}

func (s *serving) readLog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// send sends a signal; the server must not have ended.
func (s *serving) send(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.signal(sig); err != nil {
		t.Fatalf("signal %s: %v", sig, err)
	}
}

// ends waits until the server has exited with 0.
func (s *serving) ends(t *testing.T) {
	t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Fatal("the server does not stop")
	}
	if s.state.ExitCode() != 0 {
		t.Fatalf("the server exits: %s", s.state)
	}
}

// stop asks the server to stop, and waits until it has.
func (s *serving) stop(t *testing.T) {
	t.Helper()
	s.send(t, syscall.SIGTERM)
	s.ends(t)
}

// eventually polls until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	const pace = 10 * time.Millisecond
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(pace) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
