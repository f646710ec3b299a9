package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// daemonProcess is any process, child or not, held by a descriptor so that a reused pid can't be
// taken for it.
type daemonProcess struct {
	pid    int
	fd     *os.File
	exited chan struct{} // closed at its end, unless released before
}

func openProcess(pid int) (*daemonProcess, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	p := &daemonProcess{pid: pid, fd: os.NewFile(uintptr(fd), "pidfd:"+strconv.Itoa(pid)), exited: make(chan struct{})}
	conn, err := p.fd.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch process %d: %w", pid, err), p.fd.Close())
	}
	go func() {
		// The descriptor becomes readable when the process ends; Close ends the wait early.
		err := conn.Read(func(fd uintptr) bool {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) //nolint:gosec // descriptors are small
			return n > 0
		})
		if err == nil {
			close(p.exited)
		}
	}()
	return p, nil
}

// release gives the descriptor back; the process is left as it is.
func (p *daemonProcess) release() {
	p.fd.Close()
}

// stop ends the process, by SIGKILL where SIGTERM was not enough within stopTimeout or ctx, and
// releases it.
func (p *daemonProcess) stop(ctx context.Context) error {
	defer p.release()
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := p.signal(unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
	}
	if err := p.signal(unix.SIGKILL); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("process %d does not end after SIGKILL", p.pid)
	}
}

// signal does nothing to a process that has ended.
func (p *daemonProcess) signal(sig unix.Signal) error {
	conn, err := p.fd.SyscallConn()
	if err != nil {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), p.pid, err)
	}
	var sent error
	err = conn.Control(func(fd uintptr) {
		sent = unix.PidfdSendSignal(int(fd), sig, nil, 0)
	})
	if err := errors.Join(err, sent); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", unix.SignalName(sig), p.pid, err)
	}
	return nil
}

// findProcesses lists the processes whose arguments, at least one, match, and which see the
// same folder under the path dir as this process does: another container's processes, with
// the same arguments, do not.
func findProcesses(dir string, match func(args []string) bool) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	own, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue // ended meanwhile, a zombie or a thread of the kernel
		}
		if !match(strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")) {
			continue
		}
		seen, err := os.Stat(filepath.Join(filepath.Dir(file), "root", dir))
		if err == nil && os.SameFile(own, seen) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				return nil, fmt.Errorf("list processes: %w", err)
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// lockFile locks a file, making it where it is missing: how is unix.LOCK_SH or LOCK_EX.
// Closing the file, or this process's end, gives the lock back.
func lockFile(ctx context.Context, name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err //nolint:wrapcheck // names operation and file
	}
	return f, lockOpen(ctx, f, how)
}

// lockOpen waits for the lock of an open file or folder, and closes it where it fails.
func lockOpen(ctx context.Context, f *os.File, how int) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return errors.Join(&fs.PathError{Op: "lock", Path: f.Name(), Err: err}, f.Close())
		}
		select {
		case <-ctx.Done():
			return errors.Join(&fs.PathError{Op: "lock", Path: f.Name(), Err: context.Cause(ctx)}, f.Close())
		case <-tick.C:
		}
	}
}
