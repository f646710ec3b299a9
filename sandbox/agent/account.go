package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// cgroupsPath is where the agent mounts the cgroups (v2) of its own kernel, where that is not the
// host's: then nobody but the agent can limit a run and account for it.
const cgroupsPath = Base + "/cgroup"

// A run's memory is looked at every accountEvery, or more rarely, down to accountRarely, where the
// looks would take more than 1 in accountShare of the time: gVisor counts it anew for each. What a
// program allocates in between can be over its limit, and missing from its peak.
const (
	accountEvery  = 5 * time.Millisecond
	accountRarely = 50 * time.Millisecond
	accountShare  = 10
)

// mountCgroups shows the kernel's cgroups and hands the controllers down to those that the runs get.
func mountCgroups() error {
	if err := os.Mkdir(cgroupsPath, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := unix.Mount("cgroup2", cgroupsPath, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount this kernel's cgroups (does it have version 2 of them?): %w", err)
	}
	return setGroup(cgroupsPath, "cgroup.subtree_control", "+cpu +memory +pids")
}

// group is the cgroup of one run; nil where the host has made it, and then it does nothing.
type group struct {
	dir    string
	folder *os.File // for CLONE_INTO_CGROUP
	limits sandbox.Limits
	peak   int64 // of memory, as seen so far; -1 before
	// resident is what the run's largest process had resident: exact where looks came too late.
	resident int64
}

// newGroup makes the group of a run. The kernel may but remember the limit of memory (gVisor does):
// watch enforces it.
func newGroup(id uint32, l sandbox.Limits) (*group, error) {
	g := &group{dir: filepath.Join(cgroupsPath, "run-"+strconv.FormatUint(uint64(id), 10)), limits: l, peak: -1, resident: -1}
	if err := os.Mkdir(g.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	err := errors.Join(
		setGroup(g.dir, "memory.max", strconv.FormatInt(l.Memory, 10)),
		setGroup(g.dir, "pids.max", strconv.FormatInt(l.Processes, 10)))
	if err == nil {
		g.folder, err = os.Open(g.dir)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(g.dir))
	}
	return g, nil
}

func setGroup(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("set cgroup: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("set cgroup: %w", err)
	}
	return nil
}

// watch ends the run at its limit of memory, and at that of CPU time once the host finds it spent
// too; until stop is called, which waits.
func (g *group) watch(r *run) (stop func()) {
	if g == nil {
		return func() {}
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		timer := time.NewTimer(accountEvery)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-done:
				return
			}
			began := monotonic()
			switch {
			case g.look() > g.limits.Memory:
				r.kill(string(sandbox.MemoryLimit))
			case r.spent.Load() && g.cpu() > g.limits.CPU: // the limit itself is allowed
				r.kill(string(sandbox.CPULimit))
			}
			timer.Reset(min(max(accountEvery, accountShare*(monotonic()-began)), accountRarely))
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// monotonic is the time since some moment.
func monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // which every kernel has
	return time.Duration(t.Nano())
}

// look gives the peak of memory after one more look.
func (g *group) look() int64 {
	g.peak = max(g.peak, g.read("memory.current", ""), g.read("memory.peak", ""))
	return g.peak
}

// cpu is the time used so far; -1 where the kernel does not tell.
func (g *group) cpu() time.Duration {
	if n := g.read("cpu.stat", "usage_usec"); n >= 0 {
		return time.Duration(n) * time.Microsecond
	}
	return -1
}

// read gives a number of a file, of the line that begins with key where one is given; -1 where the
// kernel does not tell.
func (g *group) read(file, key string) int64 {
	b, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// usage is the final account, once watch has stopped and the run's processes have ended.
func (g *group) usage() *wire.Usage {
	if g == nil {
		return nil
	}
	// What is resident holds files of the image too: it is no reason to find the limit exceeded.
	memory := max(g.look(), min(g.resident, g.limits.Memory))
	return &wire.Usage{
		CPUNS: int64(g.cpu()), Memory: memory, Processes: g.read("pids.peak", ""),
		OOMKilled: g.read("memory.events", "oom_kill ") > 0,
	}
}

// remove removes the group. The kernel may still be busy with a process that has just ended.
func (g *group) remove() {
	if g == nil {
		return
	}
	_ = g.folder.Close()
	for wait := 100 * time.Microsecond; wait < time.Second; wait *= 2 {
		if err := os.Remove(g.dir); err == nil || !errors.Is(err, unix.EBUSY) {
			return
		}
		time.Sleep(wait)
	}
}
