package containerd

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// cgroups is the host's side of a container's control groups. The tree, in every hierarchy:
//
//	<parent>/<container>/agent   made by the runtime: the container's own processes
//	<parent>/<container>/run-N   made here for each run; only the run's processes join
//
// No limit is set above run-N, so that a run meets its own limit and no other.
type cgroups interface {
	// create makes a container's folder.
	create(container string) error
	// run makes the group of a run, whose limits must be resolved.
	run(container string, n uint32, l sandbox.Limits) (runCgroup, error)
	// cpu is what all of a container has used so far.
	cpu(container string) (time.Duration, error)
	// containers lists the containers that have a folder.
	containers() ([]string, error)
	// remove ends what is left in a container's folder and removes it. The parent stays: another
	// container may be about to be made in it.
	remove(container string) error
	// end removes the parent where no other process has a container in it.
	end()
}

// runCgroup is the group of one run.
type runCgroup interface {
	// files are passed to the agent, in this order; the group closes them.
	files() []*os.File
	// v2 tells that the file is a folder for CLONE_INTO_CGROUP.
	v2() bool
	// cpu is what the run has used so far, or, where it is not the run's own account, no less.
	cpu() (time.Duration, error)
	// own tells that cpu counts the run alone. Else who accounts for the run decides on its limit.
	own() bool
	// usage is the final account.
	usage() (usage, error)
	// kill sends SIGKILL to all of it, agent or no agent.
	kill()
	// remove removes the group, whose processes must have ended.
	remove() error
}

// usage is what the kernel accounts to a run; -1 where it does not tell.
type usage struct {
	cpu       time.Duration
	memory    int64
	processes int64
	// limitHit: the run's own memory limit was reached and the kernel killed for it.
	limitHit bool
	// strayKill: the kernel killed for memory, but for another limit than the run's own.
	strayKill bool
}

// openCgroups finds out which version this machine has. parent is a path from the root of the
// hierarchies, such as "/optimus"; where it is empty, one is chosen. The one that holds is returned.
func openCgroups(parent string) (cgroups, string, error) {
	mounts, err := cgroupMounts("/proc/self/mountinfo")
	if err != nil {
		return nil, "", err
	}
	if parent, err = cgroupParent(mounts, parent); err != nil {
		return nil, "", err
	}
	if mounts.unified() {
		t, err := openV2(mounts.v2, parent)
		return t, parent, err
	}
	t, err := openV1(mounts, parent)
	return t, parent, err
}

// cgroupParent gives the parent that was stated or, where none was, the one that Optimus may use.
func cgroupParent(m mountedCgroups, stated string) (string, error) {
	switch {
	case stated != "":
		return filepath.Join("/", stated), nil
	case !m.unified():
		return "/" + cgroupName, nil
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("find cgroups: %w", err)
	}
	return filepath.Join(placeV2(m.v2, ownV2(string(own))), cgroupName), nil
}

// cgroupName is the group of all containers, below the place where Optimus may make one.
const cgroupName = "optimus"

// mountedCgroups are the hierarchies of this machine: by controller for v1.
type mountedCgroups struct {
	v1 map[string]string
	v2 string
}

func (m mountedCgroups) hasV1(controller string) bool { return m.v1[controller] != "" }

// unified tells that version 2 has the controllers.
func (m mountedCgroups) unified() bool { return m.v2 != "" && !m.hasV1("memory") }

func cgroupMounts(mountinfo string) (mountedCgroups, error) {
	m := mountedCgroups{v1: map[string]string{}}
	f, err := os.Open(mountinfo)
	if err != nil {
		return m, fmt.Errorf("find cgroups: %w", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		// proc(5): fields, then " - ", then type, source and options of the file system.
		before, after, ok := strings.Cut(s.Text(), " - ")
		fields, fs := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(fs) < 3 {
			continue
		}
		switch fs[0] {
		case "cgroup2":
			m.v2 = fields[4]
		case "cgroup":
			for option := range strings.SplitSeq(fs[2], ",") {
				m.v1[option] = fields[4]
			}
		}
	}
	if m.v2 == "" && !m.hasV1("memory") {
		return m, errors.New("find cgroups: neither cgroup v2 nor the v1 memory controller is mounted")
	}
	return m, nil
}

func writeKnob(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("set %s: %w", text, err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return fmt.Errorf("set %s: %w", text, err)
	}
	return nil
}

func readInt(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return -1, fmt.Errorf("read cgroup: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return -1, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}

// readKeyed reads a value of a file of "key value" lines; 0 where the key is missing.
func readKeyed(path, key string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read cgroup: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s of %s: %w", key, path, err)
			}
			return n, nil
		}
	}
	return 0, nil
}

// killAll sends SIGKILL to every process that a cgroup's list names.
func killAll(procs string) {
	b, err := os.ReadFile(procs)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(b)) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// removeTree removes a folder of groups, deepest first, ending what still runs in them.
func removeTree(dir string) error {
	var errs []error
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			errs = append(errs, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	killAll(filepath.Join(dir, "cgroup.procs"))
	return errors.Join(append(errs, removeGroup(dir))...)
}

// removeGroup removes one group. The kernel answers EBUSY for a moment after its last process
// has ended.
func removeGroup(dir string) error {
	var err error
	for wait := 100 * time.Microsecond; wait < time.Second; wait *= 2 {
		if err = unix.Rmdir(dir); err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(wait)
	}
	return fmt.Errorf("remove cgroup %s: %w", dir, err)
}

func listFolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list cgroups: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
