package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/sandboxtest"
)

const probeRef = "optimus.local/probe:test"

// testRunner is a Runner on a private daemon that has the probe's image: a file system with one
// file, no /tmp, /run or /etc. When the test ends nothing of it may be left.
type testRunner struct {
	*Runner
	daemon *Daemon
}

func newTestRunner(t *testing.T, change ...func(*RunnerOptions)) *testRunner {
	t.Helper()
	o, _ := privateOptions(t)
	daemon := connect(t, o)
	program, err := os.ReadFile("testdata/probe/main.go")
	if err != nil {
		t.Fatal(err)
	}
	importOne(t, daemon.Images(), programArchive(t, probeRef, "probe", string(program)))
	return &testRunner{openRunner(t, daemon, filepath.Join(o.Dir, "run"), change...), daemon}
}

func openRunner(t *testing.T, daemon *Daemon, dir string, change ...func(*RunnerOptions)) *Runner {
	t.Helper()
	o := RunnerOptions{
		Daemon: daemon, Dir: dir, Slots: 2, Pool: 2, Idle: time.Hour, Now: time.Now, Agent: agentBinary(t),
		CgroupParent: sandboxtest.Cgroup("runner"),
		Log:          zerolog.New(zerolog.NewTestWriter(t)),
	}
	for _, f := range change {
		f(&o)
	}
	r, err := NewRunner(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close runner: %v", err)
		}
		assertRunnerLeavesNothing(t, r)
	})
	return r
}

func agentBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "agent")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, "./testdata/agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the agent: %v: %s", err, out)
	}
	return binary
}

func assertRunnerLeavesNothing(t *testing.T, r *Runner) {
	t.Helper()
	// In whatever hierarchy.
	left, err := filepath.Glob("/sys/fs/cgroup/*" + r.cgroupParent + "/" + r.instance.id + "*")
	if v2, _ := filepath.Glob("/sys/fs/cgroup" + r.cgroupParent + "/" + r.instance.id + "*"); err != nil || len(left)+len(v2) > 0 {
		t.Errorf("cgroups left: %q %q, %v", left, v2, err)
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), r.instance.id) {
			t.Errorf("left in the runner's folder: %s", e.Name())
		}
	}
}

func probeLimits() sandbox.Limits {
	return sandbox.Limits{
		CPU: time.Second, Wall: 20 * time.Second, Memory: 128 << 20, Output: 1 << 20, Processes: 64,
		FileSize: 16 << 20, OpenFiles: 128,
	}
}

// probe is a language whose programs are the probe itself, called with the run's arguments.
func probe() sandbox.Language {
	return sandbox.Language{
		Name: "probe", Version: "1", Image: probeRef, SourceFile: "main.src", Run: []string{"/hello", "{args}"},
		Limits: probeLimits(), CompileLimits: probeLimits(),
	}
}

func prepare(t *testing.T, r *Runner, lang sandbox.Language, source string) sandbox.Program {
	t.Helper()
	src := sandbox.Source{Files: []sandbox.File{
		{Name: "main.src", Content: []byte(source)}, {Name: "lib/part.src", Content: []byte("a part\n")},
	}}
	p, outcome, err := r.Prepare(t.Context(), lang, src, sandbox.Limits{})
	if err != nil || p == nil {
		t.Fatalf("prepare: %v, %+v", err, outcome)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func run(t *testing.T, p sandbox.Program, stdin string, args ...string) sandbox.Outcome {
	t.Helper()
	o, err := p.Run(t.Context(), sandbox.Input{Stdin: []byte(stdin), Args: args}, probeLimits().Resolved())
	if err != nil {
		t.Fatalf("run %q: %v", args, err)
	}
	return o
}

func TestRunTellsWhatTheProgramDid(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "hello\n")
	big := strings.Repeat("0123456789abcdef", 1<<15) // in several frames
	for _, c := range []struct {
		args   []string
		stdin  string
		want   sandbox.Verdict
		stdout string
		check  func(o sandbox.Outcome) bool
	}{
		{args: []string{"cat"}, stdin: "a\x00b\xff", want: sandbox.Accepted, stdout: "a\x00b\xff"},
		{args: []string{"cat"}, stdin: big, want: sandbox.Accepted, stdout: big},
		{args: []string{"cat"}, want: sandbox.Accepted},
		{args: []string{"exit", "7"}, want: sandbox.RuntimeError, check: func(o sandbox.Outcome) bool { return o.ExitCode == 7 }},
		{args: []string{"show", "main.src", "lib/part.src"}, want: sandbox.Accepted, stdout: "hello\na part\n"},
		{args: []string{"write"}, want: sandbox.Accepted},
		{args: []string{"env"}, want: sandbox.Accepted, stdout: "PATH=/\nMARK=probe\nHOME=/work\nLANG=C.UTF-8\n"},
		{args: []string{"daemon"}, want: sandbox.Accepted, check: func(o sandbox.Outcome) bool { return o.Wall < 5*time.Second }},
		{args: []string{"allocate"}, want: sandbox.MemoryLimitExceeded, check: func(o sandbox.Outcome) bool {
			// The kernel lets what it is killing take some pages more.
			return o.Signal == int(unix.SIGKILL) && o.Memory < 129<<20 && o.Memory > 120<<20
		}},
		{args: []string{"spin"}, want: sandbox.TimeLimitExceeded, check: func(o sandbox.Outcome) bool {
			return o.Exceeded == sandbox.CPULimit && o.CPU >= 900*time.Millisecond
		}},
		{args: []string{"pour", "3"}, want: sandbox.OutputLimitExceeded, check: func(o sandbox.Outcome) bool {
			return len(o.Stdout) == 1<<20 && o.StdoutTruncated
		}},
	} {
		o := run(t, p, c.stdin, c.args...)
		if o.Verdict() != c.want || (c.stdout != "" && string(o.Stdout) != c.stdout) || (c.check != nil && !c.check(o)) {
			o.Stdout = o.Stdout[:min(len(o.Stdout), 500)]
			t.Errorf("%q: %s, want %s; %+v; stdout %q, stderr %q", c.args, o.Verdict(), c.want, o, o.Stdout, o.Stderr)
		}
		if o.Wall <= 0 || o.Memory <= 0 {
			t.Errorf("%q: not measured: %+v", c.args, o)
		}
	}
}

func TestNothingIsLeftForTheNextRun(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "")
	for range 4 { // on both slots
		if o := run(t, p, "", "leave"); !o.OK() {
			t.Fatalf("leave: %+v %s", o, o.Stderr)
		}
		if o := run(t, p, "", "find"); !o.OK() || len(o.Stdout) > 0 {
			t.Errorf("the next run found %q", o.Stdout)
		}
	}
}

func TestABoxHasNoPrivilege(t *testing.T) {
	r := newTestRunner(t)
	o := run(t, prepare(t, r.Runner, probe(), ""), "", "status")
	for _, want := range []string{
		"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapInh:\t0000000000000000",
		"NoNewPrivs:\t1", "Seccomp:\t2", "Groups:\t \n",
	} {
		if !strings.Contains(string(o.Stdout), want) {
			t.Errorf("/proc/self/status has no %q:\n%s", want, o.Stdout)
		}
	}
	for _, bad := range []string{"\nPid:\t1\n", "\nUid:\t0"} {
		if strings.Contains(string(o.Stdout), bad) {
			t.Errorf("/proc/self/status has %q", bad)
		}
	}
}

// sleeping starts a run that sleeps and returns once it does.
func sleeping(t *testing.T, ctx context.Context, p sandbox.Program, l sandbox.Limits) (outcome func() (sandbox.Outcome, error)) { //nolint:revive // t comes first in tests
	t.Helper()
	started := make(chan struct{}, 10)
	type result struct {
		o   sandbox.Outcome
		err error
	}
	ended := make(chan result, 1)
	go func() {
		o, err := p.Run(ctx, sandbox.Input{Args: []string{"sleep"}, Output: func(sandbox.Stream, []byte) {
			started <- struct{}{}
		}}, l.Resolved())
		ended <- result{o, err}
	}()
	select {
	case <-started:
	case r := <-ended:
		t.Fatalf("the run ended at once: %+v, %v", r.o, r.err)
	}
	return func() (sandbox.Outcome, error) { r := <-ended; return r.o, r.err }
}

func TestARunWhoseAgentIsKilledIsRepeatedUnseen(t *testing.T) {
	r := newTestRunner(t)
	l := probeLimits()
	l.Wall = 3 * time.Second
	for name, lang := range map[string]sandbox.Language{"interpreted": probe(), "compiled": compiled()} {
		p := prepare(t, r.Runner, lang, "x")
		outcome := sleeping(t, t.Context(), p, l)
		first := p.(*Program).AgentPID()
		if err := unix.Kill(first, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		o, err := outcome()
		if err != nil || o.Exceeded != sandbox.WallLimit {
			t.Errorf("%s: %+v, %v: want the run's own end, by its wall limit", name, o, err)
		}
		if o := run(t, p, "", "show", "main.src"); string(o.Stdout) != "x" {
			t.Errorf("%s: after it a run sees %q", name, o.Stdout)
		}
	}
}

func TestARunThatLosesTwoContainersFails(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	started := make(chan struct{}, 10)
	ended := make(chan error, 1)
	go func() {
		_, err := p.Run(t.Context(), sandbox.Input{Args: []string{"sleep"}, Output: func(sandbox.Stream, []byte) {
			started <- struct{}{}
		}}, probeLimits().Resolved())
		ended <- err
	}()
	for range 2 {
		<-started
		if err := unix.Kill(p.(*Program).AgentPID(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; !errors.Is(err, errLost) {
		t.Errorf("error %v, want a lost container", err)
	}
}

func TestCancelledRunFreesItsSlot(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	for range 2 * r.Slots() {
		ctx, cancel := context.WithCancelCause(t.Context())
		outcome := sleeping(t, ctx, p, probeLimits())
		why := errors.New("no longer wanted")
		cancel(why)
		if _, err := outcome(); !errors.Is(err, why) {
			t.Fatalf("error %v, want the cause", err)
		}
	}
	if o := run(t, p, "", "true"); !o.OK() {
		t.Errorf("afterwards: %+v", o)
	}
}

func TestRunsInParallel(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, compiled(), "text")
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			text := fmt.Sprint("run ", i)
			if o := run(t, p, text, "cat"); string(o.Stdout) != text {
				t.Errorf("got %q, want %q", o.Stdout, text)
			}
		})
	}
	wg.Wait()
}

func TestDedicatedJobsShareNoContainer(t *testing.T) {
	r := newTestRunner(t)
	lang := probe()
	lang.Tier = sandbox.Dedicated
	seen := map[int]bool{}
	for range 3 {
		p := prepare(t, r.Runner, lang, "x")
		pid := p.(*Program).AgentPID()
		if seen[pid] {
			t.Errorf("container of process %d was used again", pid)
		}
		seen[pid] = true
		if o := run(t, p, "", "true"); !o.OK() {
			t.Errorf("run: %+v", o)
		}
		c := p.(*Program).place.c
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		<-c.closed
		if unix.Kill(pid, 0) == nil {
			t.Errorf("process %d outlived its job", pid)
		}
	}
}

// dieSilently does what the death of a Runner's process would: it does nothing more, and the kernel lets go of its lock.
func dieSilently(r *Runner) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	_ = r.instance.lock.Close()
}

// A Runner whose process died leaves containers, cgroups and folders; the next removes them, and
// leaves those of a living one alone.
func TestOrphansAreReaped(t *testing.T) {
	r := newTestRunner(t)
	living := prepare(t, r.Runner, probe(), "x")
	dead := openRunner(t, r.daemon, r.dir)
	prepare(t, dead, probe(), "x")
	dieSilently(dead)
	// Its process may have died while it wrote the agent's copy, and before its lock had a name.
	for _, name := range []string{dead.instance.agent() + ".123", filepath.Join(r.dir, ".instance-123")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * halfMade)
	if err := os.Chtimes(filepath.Join(r.dir, ".instance-123"), old, old); err != nil {
		t.Fatal(err)
	}
	before, err := r.client.Containers(t.Context())
	if err != nil || len(before) != 2 {
		t.Fatalf("%d containers, %v", len(before), err)
	}
	reaper := openRunner(t, r.daemon, r.dir)
	after, err := r.client.Containers(t.Context())
	if err != nil || len(after) != 1 || !strings.HasPrefix(after[0].ID(), r.instance.id) {
		t.Errorf("%d containers are left, %v", len(after), err)
	}
	// Containerd may yet end what it was asked for: the lock goes with a pass that finds nothing.
	if _, err := os.Stat(dead.instance.name); err != nil {
		t.Errorf("after the first pass the dead instance's lock: %v", err)
	}
	late := "/sys/fs/cgroup/memory" + r.cgroupParent + "/" + dead.instance.id + "-9"
	if err := r.cgroups.create(dead.instance.id + "-9"); err != nil {
		t.Fatal(err)
	}
	if err := reaper.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{late, dead.instance.name, dead.instance.agent() + ".123", filepath.Join(r.dir, ".instance-123")} {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if o := run(t, living, "", "true"); !o.OK() {
		t.Errorf("the living runner's program: %+v", o)
	}
}

// A container that could not be removed when it ended, since containerd was away, is removed later.
func TestWhatCouldNotBeRemovedIsReaped(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	if r.reap(t.Context()) {
		t.Error("a living container is reaped")
	}
	r.dead(p.(*Program).place.c.id)
	if !r.reap(t.Context()) {
		t.Error("there is nothing to reap")
	}
	if list, err := r.client.Containers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%d containers are left, %v", len(list), err)
	}
}

// A Runner that is closed when its private containerd has just died waits for it to be back: what only
// containerd can remove is removed, its own and a dead one's.
func TestCloseOutlastsARestartOfContainerd(t *testing.T) {
	r := newTestRunner(t)
	prepare(t, r.Runner, probe(), "x")
	dead := openRunner(t, r.daemon, r.dir)
	prepare(t, dead, probe(), "x")
	dieSilently(dead)
	if err := unix.Kill(daemonPID(t, r.daemon), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dead.instance.name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead one's lock is left: %v", err)
	}
	if list, err := r.client.Containers(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%d containers are left, %v", len(list), err)
	}
}

func TestClosedRunnerRefuses(t *testing.T) {
	r := newTestRunner(t)
	if err := errors.Join(r.Close(t.Context()), r.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Prepare(t.Context(), probe(), sandbox.Source{Files: []sandbox.File{{Name: "x"}}}, sandbox.Limits{}); !errors.Is(err, errRunnerClosed) {
		t.Errorf("error %v", err)
	}
}
