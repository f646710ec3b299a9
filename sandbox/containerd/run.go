package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

const (
	// watchdogGrace is how long past its wall limit a run may stay silent before the host itself
	// kills it, and again as long before its container is given up.
	watchdogGrace = 5 * time.Second
	// cpuCheck is the shortest time between two looks at a run's CPU time.
	cpuCheck = time.Millisecond
)

// task is one run to be carried out in a container.
type task struct {
	slot     slot
	program  uint32
	writable bool
	argv     []string
	ofImage  bool // the command is one of the image's, not of the program's own files
	env      []string
	limits   sandbox.Limits
	stdin    []byte
	output   func(sandbox.Stream, []byte)
}

// active is a run under way, as the host sees it.
type active struct {
	c        *container
	id       uint32
	limits   sandbox.Limits
	group    runCgroup
	frames   chan wire.Frame
	output   func(sandbox.Stream, []byte)
	outcome  sandbox.Outcome
	exceeded sandbox.Limit // for which the host asked for the kill
}

// run carries out t. It returns as soon as the program has ended; done is called once nothing of
// the run is left, so that its slot is free.
func (c *container) run(ctx context.Context, t task, done func()) (sandbox.Outcome, error) {
	if !t.limits.Complete() { // to the kernel, 0 is often no limit at all
		done()
		return sandbox.Outcome{}, fmt.Errorf("run: a limit is not stated: %+v", t.limits)
	}
	a := &active{c: c, id: c.nextID.Add(1), limits: t.limits, output: t.output}
	var err error
	if a.group, err = a.enter(); err != nil {
		done()
		if c.isLost() { // its folder went with it
			return sandbox.Outcome{}, c.lostError()
		}
		return sandbox.Outcome{}, err
	}
	a.frames = c.expect(a.id)
	var started, ended bool
	defer func() { // whatever happens, a panic of t.output too
		if started && !ended {
			_ = c.send(wire.Frame{Kind: wire.KindKill, ID: a.id})
		}
		go a.clean(started, done)
	}()
	switch err := a.start(t); {
	case errors.Is(err, errCommandTooLong):
		a.outcome.ExitCode, a.outcome.Message = startFailure(t.argv[0], unix.E2BIG)
		return a.outcome, nil
	case err != nil:
		return sandbox.Outcome{}, err
	}
	started = true
	exit, err := a.watch(ctx)
	if err != nil {
		return sandbox.Outcome{}, err
	}
	ended = true
	return a.judge(exit, t)
}

// errCommandTooLong tells of arguments and environment that no frame can hold: the program's
// fault, not the agent's.
var errCommandTooLong = errors.New("command line and environment are too long")

func (a *active) start(t task) error {
	spec, err := json.Marshal(wire.RunSpec{
		Slot: t.slot.index, UID: t.slot.uid, Program: t.program, Writable: t.writable,
		Argv: t.argv, Env: t.env, Limits: t.limits, CgroupV2: a.group.v2(),
	})
	if err != nil {
		return fmt.Errorf("state run %d: %w", a.id, err)
	}
	if len(spec) > wire.MaxPayload {
		return errCommandTooLong
	}
	for piece := range pieces(t.stdin) {
		if err := a.c.send(wire.Frame{Kind: wire.KindStdin, ID: a.id, Payload: piece}); err != nil {
			return err
		}
	}
	return a.c.send(wire.Frame{Kind: wire.KindStart, ID: a.id, Payload: spec, Files: a.group.files()})
}

// watch takes the run's output until its exit, ends it at its CPU limit or with ctx, and ends the
// container where the agent does not do its part.
func (a *active) watch(ctx context.Context) (wire.Exit, error) {
	cpu := time.NewTimer(a.limits.CPU / time.Duration(runtime.NumCPU()))
	defer cpu.Stop()
	dog := time.NewTimer(a.limits.Wall + watchdogGrace)
	defer dog.Stop()
	bites := 0
	for {
		select {
		case f := <-a.frames:
			exit, ended, err := a.take(f)
			if err != nil || ended {
				return exit, err
			}
		case <-cpu.C:
			a.checkCPU(cpu)
		case <-ctx.Done():
			return wire.Exit{}, fmt.Errorf("run: %w", context.Cause(ctx))
		case <-a.c.lost:
			return wire.Exit{}, a.c.lostError()
		case <-dog.C:
			if bites++; bites > 1 {
				a.c.fail(fmt.Errorf("run %d did not end after the host's watchdog killed it", a.id))
				return wire.Exit{}, a.c.lostError()
			}
			a.group.kill()
			dog.Reset(watchdogGrace)
		}
	}
}

// take handles one frame of the run.
func (a *active) take(f wire.Frame) (exit wire.Exit, ended bool, err error) {
	if f.Kind == wire.KindOutput {
		a.keep(f)
		return exit, false, nil
	}
	if f.Kind != wire.KindExit {
		err = fmt.Errorf("%w: kind %d during run %d", wire.ErrProtocol, f.Kind, a.id)
	} else {
		err = f.JSON(&exit)
	}
	if err != nil {
		a.c.fail(err)
		return exit, false, a.c.lostError()
	}
	return exit, true, nil
}

// keep stores output up to the limit, whatever the agent sends.
func (a *active) keep(f wire.Frame) {
	stream, kept, truncated := sandbox.Stdout, &a.outcome.Stdout, &a.outcome.StdoutTruncated
	if f.Stream != 1 {
		stream, kept, truncated = sandbox.Stderr, &a.outcome.Stderr, &a.outcome.StderrTruncated
	}
	p := f.Payload
	if left := a.limits.Output - int64(len(*kept)); int64(len(p)) > left {
		p, *truncated = p[:left], true
	}
	if *kept == nil {
		*kept = p // most programs write once
	} else {
		*kept = append(*kept, p...)
	}
	if a.output != nil && len(p) > 0 {
		a.output(stream, p)
	}
}

// checkCPU ends the run at its CPU limit, or looks again when it could have reached it.
func (a *active) checkCPU(next *time.Timer) {
	used, err := a.group.cpu()
	left := a.limits.CPU - used
	switch {
	case err != nil || left >= 0: // the limit itself is allowed
		next.Reset(max(left/time.Duration(runtime.NumCPU()), cpuCheck))
	case a.group.own():
		a.exceeded = sandbox.CPULimit
		_ = a.c.send(wire.Frame{Kind: wire.KindKill, ID: a.id})
	default:
		_ = a.c.send(wire.Frame{Kind: wire.KindSpent, ID: a.id})
	}
}

// judge turns what the agent says and what the kernel accounted into an outcome.
func (a *active) judge(exit wire.Exit, t task) (sandbox.Outcome, error) {
	u, err := a.group.usage()
	u = u.with(exit.Usage, a.limits.Memory)
	switch {
	case err != nil && a.c.isLost(): // the group went with it
		return sandbox.Outcome{}, a.c.lostError()
	case exit.Error != "" && !u.limitHit: // (a limit too small for execve itself ends the box too)
		return sandbox.Outcome{}, errors.Join(fmt.Errorf("run in container %s: %.500s", a.c.id, exit.Error), err)
	case err != nil:
		return sandbox.Outcome{}, err
	case t.ofImage && lacks(syscall.Errno(exit.StartError)) && !u.limitHit:
		return sandbox.Outcome{}, &commandError{t.argv[0], syscall.Errno(exit.StartError)}
	}
	o := a.outcome
	o.CPU, o.Memory, o.Processes = u.cpu, u.memory, u.processes
	o.Wall = time.Duration(exit.WallNS)
	o.StdoutTruncated = o.StdoutTruncated || exit.StdoutTruncated
	o.StderrTruncated = o.StderrTruncated || exit.StderrTruncated
	status := syscall.WaitStatus(exit.Status)
	switch {
	case exit.Killed != "" || exit.Error != "":
		o.Signal = int(unix.SIGKILL)
	case exit.StartError != 0:
		o.ExitCode, o.Message = startFailure(t.argv[0], syscall.Errno(exit.StartError))
	case status.Signaled():
		o.Signal = int(status.Signal())
	default:
		o.ExitCode = status.ExitStatus()
	}
	o.Exceeded = a.limit(exit, o, u)
	switch {
	case o.Exceeded == sandbox.NoLimit && u.strayKill:
		return sandbox.Outcome{}, errors.New("the machine ran out of memory and ended a run that was inside its limit (fewer slots or smaller memory limits help)")
	case o.Exceeded == sandbox.NoLimit && exit.Killed != "":
		return sandbox.Outcome{}, fmt.Errorf("run in container %s: killed (%s) without a limit being reached", a.c.id, exit.Killed)
	}
	return o, nil
}

// limit tells which limit ended the run. The measured values decide, not who was first to kill.
func (a *active) limit(exit wire.Exit, o sandbox.Outcome, u usage) sandbox.Limit {
	switch {
	case u.limitHit:
		return sandbox.MemoryLimit
	case a.exceeded == sandbox.CPULimit || exit.Killed == string(sandbox.CPULimit) || o.CPU > a.limits.CPU:
		return sandbox.CPULimit
	case exit.Killed == string(sandbox.WallLimit) || o.Wall > a.limits.Wall:
		return sandbox.WallLimit
	case exit.Killed == string(sandbox.OutputLimit) || o.StdoutTruncated:
		return sandbox.OutputLimit
	}
	return sandbox.NoLimit
}

// startFailure gives a shell's exit codes for a command that could not be executed (POSIX, XCU 2.8.2).
func startFailure(command string, errno syscall.Errno) (code int, message string) {
	code = 126
	if errno == unix.ENOENT {
		code = 127
	}
	return code, fmt.Sprintf("cannot execute %s: %v", command, errno)
}

// clean waits until nothing of the run is left in the container, then removes its group. A
// container that does not get there is given up.
func (a *active) clean(started bool, done func()) {
	defer done()
	if started {
		timeout := time.NewTimer(agentTimeout)
		defer timeout.Stop()
		for idle := false; !idle; {
			select {
			case f := <-a.frames:
				idle = f.Kind == wire.KindIdle
			case <-a.c.lost:
				<-a.c.closed // until then its processes may live, and the slot's user with them
				idle = true
			case <-timeout.C:
				a.c.fail(fmt.Errorf("run %d is still there %s after its end", a.id, agentTimeout))
			}
		}
	}
	a.c.forget(a.id)
	if err := a.group.remove(); err != nil && !a.c.isLost() {
		a.c.log.Warn().Err(err).Msg("cgroup of a run was not removed")
	}
}

// pieces cuts content into what a frame takes.
func pieces(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(len(b), wire.Piece)
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

func (c *container) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}
