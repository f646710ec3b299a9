package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
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
	exit := r.inBox(s, p, cgroups)
	if exit != nil {
		_ = r.conn.SendJSON(wire.KindExit, r.id, exit)
	}
	_ = r.conn.Send(wire.Frame{Kind: wire.KindIdle, ID: r.id})
}

// inBox gives the exit that is still to be sent: nil where it was sent before the box was gone.
func (r *run) inBox(s *shared, p *program, cgroups []*os.File) *wire.Exit {
	defer closeAll(cgroups...)
	started, pipes, err := r.start(s, p, cgroups)
	if err != nil {
		pipes.close()
		return &wire.Exit{Error: err.Error()}
	}
	// A little over the limit: what the program is told is what init measures.
	timer := time.AfterFunc(r.spec.Limits.Wall+2*time.Millisecond, func() { r.kill(string(sandbox.WallLimit)) })
	exit := r.collect(pipes)
	timer.Stop()

	r.mu.Lock()
	exit.Killed = r.killed
	r.mu.Unlock()
	reported := exit.Error == "" && exit.Killed == ""
	if reported {
		// The box's processes are gone; only init is still dismantling its namespaces.
		_ = r.conn.SendJSON(wire.KindExit, r.id, exit)
	}
	_, _ = r.process.Wait()
	r.mu.Lock()
	r.process = nil
	r.mu.Unlock()
	if reported {
		return nil
	}
	if exit.Killed != "" {
		exit.Error = ""
		if exit.WallNS == 0 {
			exit.WallNS = int64(time.Since(started))
		}
	}
	return exit
}

// pipes are the agent's ends of what a box writes to.
type pipes struct {
	report, stdout, stderr *os.File
	plan                   *plan
	// childs are the box's ends, closed once it has them.
	childs []*os.File
}

func (p *pipes) close() {
	closeAll(p.childs...)
	closeAll(p.report, p.stdout, p.stderr)
}

func (r *run) start(s *shared, p *program, cgroups []*os.File) (time.Time, *pipes, error) {
	ps := &pipes{}
	stdin, err := r.input()
	if err != nil {
		return time.Time{}, ps, err
	}
	ps.childs = append(ps.childs, stdin)
	for _, end := range []**os.File{&ps.stdout, &ps.stderr, &ps.report} {
		reader, writer, err := newPipe(r.spec.UID)
		if err != nil {
			return time.Time{}, ps, err
		}
		*end = reader
		ps.childs = append(ps.childs, writer)
	}
	ps.plan = s.box(r.spec, p, len(cgroups))
	planFile, err := ps.plan.file()
	if err != nil {
		return time.Time{}, ps, err
	}
	ps.childs = append(ps.childs, planFile)
	files := append(ps.childs[:len(ps.childs):len(ps.childs)], s.networks[r.spec.Slot])
	files = append(files, cgroups...)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed != "" {
		return time.Time{}, ps, errors.New("killed before it started")
	}
	started := time.Now()
	process, err := os.StartProcess(initPath, []string{"init"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{},
		Files: files,
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		},
	})
	if err != nil {
		return started, ps, fmt.Errorf("start init: %w", err)
	}
	r.process = process
	closeAll(ps.childs...)
	ps.childs = nil
	return started, ps, nil
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

// collect passes the output on until every writer is gone, and reads init's report.
func (r *run) collect(ps *pipes) *wire.Exit {
	exit := &wire.Exit{}
	var wg sync.WaitGroup
	wg.Go(func() {
		exit.StdoutTruncated = r.forward(ps.stdout, 1, func() { r.kill(string(sandbox.OutputLimit)) })
	})
	wg.Go(func() { exit.StderrTruncated = r.forward(ps.stderr, 2, func() {}) })
	report := make([]byte, reportBytes)
	_, err := io.ReadFull(ps.report, report)
	if err != nil {
		exit.Error = fmt.Sprintf("init ended without a report: %v", err)
	} else {
		parseReport(report, ps.plan, exit)
	}
	wg.Wait()
	closeAll(ps.report, ps.stdout, ps.stderr)
	return exit
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
	reportFailed      = 1
	reportNotExecuted = 3
)

func parseReport(b []byte, pl *plan, exit *wire.Exit) {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	switch word(0) {
	case reportNotExecuted:
		exit.StartError = int(word(2))
		return
	case reportFailed:
		exit.Error = fmt.Sprintf("make the box: %s: %v", pl.describe(word(1)), syscall.Errno(word(2)))
		return
	}
	exit.Status = uint32(word(3))
	exit.WallNS = max(word(5)-word(4), 0)
	micros := func(i int) int64 { return (word(i)*1e6 + word(i+1)) * 1e3 }
	exit.UserNS, exit.SystemNS = micros(6), micros(8)
}
