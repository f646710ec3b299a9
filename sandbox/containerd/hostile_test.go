package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// TestWhatOneRunDoesWrongIsItsOwn: beside it another run goes on in the same container.
func TestWhatOneRunDoesWrongIsItsOwn(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	long := probeLimits()
	long.Wall = 60 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	outcome := sleeping(t, ctx, p, long)
	agent := p.(*Program).AgentPID()

	for _, n := range []int{1<<20 + 1, 1<<20 - 2000, 200_000} { // no frame, no plan, no execve takes them
		o := run(t, p, "", "true", strings.Repeat("x", n))
		if o.ExitCode != 126 || !strings.Contains(o.Message, "argument list too long") {
			t.Errorf("arguments of %d bytes: %+v", n, o)
		}
	}
	for range 2 * r.Slots() {
		func() {
			defer func() { _ = recover() }()
			_, _ = p.Run(t.Context(), sandbox.Input{Args: []string{"sleep"}, Output: func(sandbox.Stream, []byte) {
				panic("no use for output")
			}}, long.Resolved())
		}()
	}
	if o := run(t, p, "", "true"); !o.OK() {
		t.Errorf("afterwards: %+v", o)
	}
	if now := p.(*Program).AgentPID(); now != agent {
		t.Errorf("the agent is process %d, was %d: the container was lost", now, agent)
	}
	cancel()
	if _, err := outcome(); !errors.Is(err, context.Canceled) {
		t.Errorf("the run beside it ended with %v", err)
	}
}

// TestALimitThatExecveItselfMeets is never taken for another, nor for a program that ran.
func TestALimitThatExecveItselfMeets(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	for _, bytes := range []int64{4 << 10, 64 << 10, 256 << 10, 1 << 20} {
		l := probeLimits()
		l.Disk, l.Stack, l.Memory = 1<<20, 8<<20, bytes
		args := []string{"true"}
		for range 20 {
			args = append(args, strings.Repeat("x", 20_000))
		}
		o, err := p.Run(t.Context(), sandbox.Input{Args: args}, l)
		switch {
		case bytes == 4<<10 && err != nil: // not even the report of it found room
		case err != nil, o.OK(), o.Exceeded == sandbox.WallLimit:
			t.Errorf("%d bytes: %+v, %v", bytes, o, err)
		}
	}
}

// TestCompiledFilesDoNotDependOnTheSlot: a test may get another slot, so another user, than the compile.
// Each may change what is its own copy.
func TestCompiledFilesDoNotDependOnTheSlot(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, compiled(), "text\n")
	for range 2 * r.Slots() {
		if o := run(t, p, "", "show", "own/out"); string(o.Stdout) != "own\n" {
			t.Errorf("a run sees %q", o.Stdout)
		}
		if o := run(t, p, "", "change", "main.out", "own/out"); string(o.Stdout) != "emptied main.out\nemptied own/out\n" {
			t.Errorf("a run %q, %s: each may change its copy of the compile's files", o.Stdout, o.Stderr)
		}
	}
}

// TestCrashesReachNoHandlerOfTheHost: a limit of 1 keeps the kernel from piping a dump to one; 0 does not.
func TestCrashesReachNoHandlerOfTheHost(t *testing.T) {
	r := newTestRunner(t)
	if o := run(t, prepare(t, r.Runner, probe(), "x"), "", "limits"); string(o.Stdout) != "1 1\n" {
		t.Errorf("limits of core dumps: %q, %s", o.Stdout, o.Stderr)
	}
}

// TestManySmallFiles: each takes a page.
func TestManySmallFiles(t *testing.T) {
	r := newTestRunner(t)
	var src sandbox.Source
	for i := range 1000 {
		src.Files = append(src.Files, sandbox.File{Name: fmt.Sprintf("f%d", i), Content: []byte{'x'}})
	}
	p, _, err := r.Prepare(t.Context(), probe(), src, sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if o := run(t, p, "", "show", "f999"); string(o.Stdout) != "x" {
		t.Errorf("the last file: %q", o.Stdout)
	}
}

// TestTheContainerReachesNothingOfTheHosts but its socket's folder, which is empty by then.
func TestTheContainerReachesNothingOfTheHosts(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	shared := fmt.Sprintf("/proc/%d/root%s", p.(*Program).AgentPID(), innerHost)
	entries, err := os.ReadDir(shared)
	if err != nil || len(entries) > 0 {
		t.Errorf("the container has %v of the host's, %v", entries, err)
	}
}

// TestDeadContainersLeaveThePool before a job gets one.
func TestDeadContainersLeaveThePool(t *testing.T) {
	r := newTestRunner(t)
	lang := probe()
	lang.Tier = sandbox.Dedicated
	if failed := r.Warm(t.Context(), lang); len(failed) > 0 {
		t.Fatal(failed)
	}
	s := r.warm[keyOf(lang)]
	s.mu.Lock()
	waiting := append([]*launching{}, s.pool...)
	s.mu.Unlock()
	for _, l := range waiting {
		<-l.done
		if err := unix.Kill(int(l.c.task.Pid()), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-l.c.lost
	}
	if len(waiting) < 2 {
		t.Fatalf("%d containers wait", len(waiting))
	}
	if o := run(t, prepare(t, r.Runner, lang, "x"), "", "true"); !o.OK() {
		t.Errorf("run: %+v", o)
	}
}

// conversation is a container whose agent is the test.
func conversation(t *testing.T) (*container, *wire.Conn) {
	t.Helper()
	host, agent := net.Pipe()
	t.Cleanup(func() { _ = agent.Close() })
	return &container{
		id: "c", conn: wire.New(host), waiting: map[uint32]chan wire.Frame{}, lost: make(chan struct{}), log: zerolog.Nop(),
	}, wire.NewAgent(agent)
}

func TestAnAgentThatDoesNotListenIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := conversation(t)
		began := time.Now()
		err := c.send(wire.Frame{Kind: wire.KindStdin, ID: 1, Payload: make([]byte, wire.Piece)})
		if !errors.Is(err, errLost) || time.Since(began) > agentTimeout {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestSealSharedWithACancelledJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, agent := conversation(t)
		go c.hear()
		sealed := make(chan error, 1)
		go func() { sealed <- (&place{c: c, id: 7}).seal() }()
		if f, err := agent.Read(); err != nil || f.Kind != wire.KindSeal {
			t.Fatalf("frame %v, %v", f, err)
		}
		if err := agent.SendJSON(wire.KindSealed, 7, wire.Answer{}); err != nil {
			t.Fatal(err)
		}
		if err := <-sealed; err != nil || c.isLost() {
			t.Errorf("seal: %v, container lost: %v", err, c.isLost())
		}
		c.fail(errors.New("the test is over"))
	})
}

// TestSpawnDuringClose: what is begun while the Runner closes is refused, and nobody panics.
func TestSpawnDuringClose(t *testing.T) {
	t.Parallel()
	for range 200 {
		closeWhileLaunching(t)
	}
}

func closeWhileLaunching(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	r := &Runner{
		daemon: &Daemon{}, warm: map[shelfKey]*shelf{}, instance: &instance{name: filepath.Join(dir, "x")}, cgroups: &v2Tree{filepath.Join(dir, "y")},
		now: time.Now, log: zerolog.Nop(),
	}
	r.ctx, r.cancel = context.WithCancel(t.Context())
	s, err := r.enter(sandbox.Language{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Close(t.Context()) })
	wg.Go(func() {
		<-r.ctx.Done()
		l := s.shared()
		if <-l.done; !errors.Is(l.err, errRunnerClosed) {
			t.Errorf("launch after close: %v", l.err)
		}
	})
	wg.Wait()
}

// TestAnInstanceIsNeverSeenUnlocked, however many start and reap at once.
func TestAnInstanceIsNeverSeenUnlocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop := make(chan struct{})
	var reaper sync.WaitGroup
	reaper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			locks, _ := filepath.Glob(filepath.Join(dir, "*"+lockSuffix))
			for _, path := range locks {
				release, ok := abandoned(path)
				if ok {
					if _, err := os.Stat(path); err == nil {
						t.Errorf("%s was taken from its owner", path)
					}
					release(true)
				}
			}
		}
	})
	for range 300 {
		i, err := newInstance(dir)
		if err != nil {
			t.Fatal(err)
		}
		other, err := newInstance(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(i.name); err != nil || i.block == other.block {
			t.Fatalf("the lock: %v; blocks of user ids %d and %d", err, i.block, other.block)
		}
		other.close()
		i.close()
	}
	close(stop)
	reaper.Wait()
}
