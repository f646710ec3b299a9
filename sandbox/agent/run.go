package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// run is one run under way.
type run struct {
	id    uint32
	conn  *wire.Conn
	spec  wire.RunSpec
	stdin []byte
	group *group      // nil where the host made the run's cgroup
	spent atomic.Bool // the host finds the run's CPU time spent

	mu      sync.Mutex
	process *os.Process // init; nil before it starts and after it was reaped
	killed  string      // why it was killed
}

// kill ends the box: with init ends, by the kernel's guarantee, everything in it. The first
// reason stands.
func (r *run) kill(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed == "" {
		r.killed = reason
	}
	if r.process != nil {
		_ = r.process.Kill()
	}
}

// carryOut runs the box to its end and tells the host: exit once its processes have ended, idle
// once nothing of it is left.
func (r *run) carryOut(s *shared, p *program, cgroups []*os.File) {
	ends, err := r.start(s, p, cgroups)
	closeAll(cgroups...)
	switch {
	case errors.Is(err, errPlanTooLarge):
		_ = r.conn.SendJSON(wire.KindExit, r.id, wire.Exit{StartError: int(unix.E2BIG)})
	case err != nil:
		_ = r.conn.SendJSON(wire.KindExit, r.id, wire.Exit{Error: err.Error()})
	default:
		r.follow(ends)
	}
	ends.close()
	r.group.remove()
	_ = r.conn.Send(wire.Frame{Kind: wire.KindIdle, ID: r.id})
}

// follow passes on what the started box says, until it is gone.
func (r *run) follow(ends *ends) {
	timer := r.limitWall(ends)
	unwatch := r.group.watch(r)
	exit, reported := r.collect(ends)
	timer.Stop()
	unwatch()
	if reported {
		exit.Usage = r.group.usage()
		// The box's processes are gone; only init is still dismantling its namespaces.
		_ = r.conn.SendJSON(wire.KindExit, r.id, exit)
	}
	_, _ = r.process.Wait()
	r.mu.Lock()
	r.process = nil
	exit.Killed = r.killed
	r.mu.Unlock()
	if reported {
		return
	}
	exit.Usage = r.group.usage()
	if exit.Killed == "" {
		exit.Error = "init ended without a report"
	} else {
		exit.WallNS = ends.sinceStart()
	}
	_ = r.conn.SendJSON(wire.KindExit, r.id, exit)
}

// limitWall kills the run at its wall limit, which counts from execve as init counts it: on a busy
// machine the box may take long to make.
func (r *run) limitWall(e *ends) *time.Timer {
	// A little over the limit: what the program is told is what init measures.
	limit := r.spec.Limits.Wall + 2*time.Millisecond
	r.mu.Lock()
	defer r.mu.Unlock()
	var timer *time.Timer
	timer = time.AfterFunc(limit, func() {
		r.mu.Lock()
		left := limit - time.Duration(e.sinceStart())
		if left > 0 && r.process != nil {
			timer.Reset(left)
		}
		r.mu.Unlock()
		if left <= 0 {
			r.kill(string(sandbox.WallLimit))
		}
	})
	return timer
}

// ends are the agent's ends of a box.
type ends struct {
	report, stdout, stderr *os.File
	plan                   *plan
	planFile               *os.File
	// inner are the box's own ends, closed here once it has them.
	inner []*os.File
}

func (e *ends) close() {
	closeAll(e.inner...)
	closeAll(e.report, e.stdout, e.stderr, e.planFile)
}

// sinceStart is nanoseconds since the user's program was executed, as the plan's clock noted it;
// 0 where it was not.
func (e *ends) sinceStart() int64 {
	var started [8]byte
	if _, err := e.planFile.ReadAt(started[:], clockOffset); err != nil {
		return 0
	}
	then := int64(binary.LittleEndian.Uint64(started[:]))
	if then == 0 {
		return 0
	}
	return int64(monotonic()) - then
}

// start makes the box. The ends must be closed whether it succeeds or not.
func (r *run) start(s *shared, p *program, cgroups []*os.File) (*ends, error) {
	e := &ends{}
	if s.cgroups {
		var err error
		if r.group, err = newGroup(r.id, r.spec.Limits); err != nil {
			return e, err
		}
		r.spec.CgroupV2, cgroups = true, []*os.File{r.group.folder}
	}
	stdin, err := r.input()
	if err != nil {
		return e, err
	}
	e.inner = append(e.inner, stdin)
	for _, end := range []**os.File{&e.stdout, &e.stderr, &e.report} {
		reader, writer, err := newPipe(r.spec.UID)
		if err != nil {
			return e, err
		}
		*end = reader
		e.inner = append(e.inner, writer)
	}
	e.plan = s.box(r.spec, p, len(cgroups))
	if e.planFile, err = e.plan.file(); err != nil {
		return e, err
	}
	files := slices.Concat(e.inner, []*os.File{e.planFile, s.networks[r.spec.Slot]}, cgroups)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed != "" {
		return e, errors.New("killed before it started")
	}
	r.process, err = os.StartProcess(initPath, []string{"init"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: files,
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		},
	})
	if err != nil {
		return e, fmt.Errorf("start init: %w", err)
	}
	// Their end of file is to come when the box's processes have ended.
	closeAll(e.inner...)
	e.inner = nil
	return e, nil
}

// input is the standard input: a sealed file in memory, so that nobody pumps and a program may
// leave it unread.
func (r *run) input() (*os.File, error) {
	if len(r.stdin) == 0 {
		f, err := os.Open(devPath + "/null")
		if err != nil {
			return nil, fmt.Errorf("open standard input: %w", err)
		}
		return f, nil
	}
	f, err := memfd("stdin", r.stdin)
	if err != nil {
		return nil, err
	}
	r.stdin = nil
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("seal standard input: %w", err)
	}
	return f, nil
}

// newPipe makes a pipe whose writing end blocks, as programs expect, and belongs to uid, so that
// a program may open /dev/stdout and /dev/stderr.
func newPipe(uid int) (reader, writer *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make pipe: %w", err)
	}
	err = errors.Join(unix.SetNonblock(fds[0], true), unix.Fchown(fds[1], uid, uid))
	reader, writer = os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe")
	if err != nil {
		closeAll(reader, writer)
		return nil, nil, fmt.Errorf("prepare pipe: %w", err)
	}
	return reader, writer, nil
}

// collect passes the output on until every writer is gone, and reads init's report; there is none
// where init was killed.
func (r *run) collect(e *ends) (exit wire.Exit, reported bool) {
	var stdout, stderr bool
	var wg sync.WaitGroup
	wg.Go(func() { stdout = r.forward(e.stdout, 1, func() { r.kill(string(sandbox.OutputLimit)) }) })
	wg.Go(func() { stderr = r.forward(e.stderr, 2, func() {}) })
	report := make([]byte, reportBytes)
	if _, err := io.ReadFull(e.report, report); err == nil {
		exit, reported = parseReport(report, e.plan), true
		if r.group != nil {
			r.group.resident = int64(binary.LittleEndian.Uint64(report[reportResident:])) << 10
		}
	}
	wg.Wait()
	exit.StdoutTruncated, exit.StderrTruncated = stdout, stderr
	return exit, reported
}

// forward sends what comes out of a pipe, up to the output limit; what is over it is read and
// dropped, so that the writer never blocks, and over is called once.
func (r *run) forward(from *os.File, stream byte, over func()) (truncated bool) {
	left := r.spec.Limits.Output
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	for {
		n, err := from.Read(*buf)
		if keep := min(int64(n), left); keep > 0 {
			left -= keep
			_ = r.conn.Send(wire.Frame{Kind: wire.KindOutput, ID: r.id, Stream: stream, Payload: (*buf)[:keep]})
			n -= int(keep)
		}
		if n > 0 && !truncated {
			truncated = true
			over()
		}
		if err != nil {
			return truncated
		}
	}
}

// buffers are of a pipe's size.
var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }} //nolint:gochecknoglobals // a pool is shared by nature

// The report's layout in init.c: eight-byte words.
const (
	reportBytes       = 24 * 8
	reportResident    = 10 * 8 // rusage's ru_maxrss, in KiB
	reportFailed      = 1
	reportNotExecuted = 3
)

func parseReport(b []byte, pl *plan) wire.Exit {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	switch word(0) {
	case reportNotExecuted:
		return wire.Exit{StartError: int(word(2))}
	case reportFailed:
		return wire.Exit{Error: fmt.Sprintf("make the box: %s: %v", pl.describe(word(1)), syscall.Errno(word(2)))}
	}
	if word(4) == 0 {
		return wire.Exit{Error: fmt.Sprintf("the box ended with status %#x before the program was executed", word(3))}
	}
	return wire.Exit{Status: uint32(word(3)), WallNS: max(word(5)-word(4), 0)}
}
