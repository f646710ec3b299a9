package modes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// assertNothingLeft fails for every process, mount, cgroup and container of the folder, none of
// which may outlive the last process that used it.
func (l *lab) assertNothingLeft(t *testing.T) {
	t.Helper()
	l.assertNothingLeftBut(t)
}

// assertNothingLeftBut is assertNothingLeft while the test itself has mounted something.
func (l *lab) assertNothingLeftBut(t *testing.T, mounted ...string) {
	t.Helper()
	for pid, command := range l.processes(t, func(string) bool { return true }) {
		t.Errorf("process %d is left: %s", pid, command)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		own := slices.ContainsFunc(mounted, func(dir string) bool { return strings.Contains(line, " "+dir+" ") })
		if !own && strings.Contains(line, l.data+"/") {
			t.Errorf("mount is left: %s", line)
		}
	}
	for _, dir := range l.cgroupFolders(t) {
		for _, left := range l.match(t, filepath.Join(dir, "*", "cgroup.procs")) {
			t.Errorf("cgroup is left: %s", filepath.Dir(left))
		}
	}
	for what, pattern := range map[string]string{
		"container of runc":  "containerd/runc/*/*",
		"task of containerd": "containerd/state/io.containerd.runtime.v2.task/*/*",
		"container's files":  "containerd/root/io.containerd.snapshotter.v1.*/snapshots/*/fs/.optimus",
		"runner's folder":    "runner/*-*",
		"runner's lock":      "runner/*.lock",
	} {
		for _, left := range l.match(t, filepath.Join(l.data, pattern)) {
			if filepath.Base(left) != "agent" && !strings.HasPrefix(filepath.Base(left), "agent-") {
				t.Errorf("%s is left: %s", what, left)
			}
		}
	}
}

func (l *lab) match(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// cgroupFolders gives the folder's cgroup in each hierarchy in which it is.
func (l *lab) cgroupFolders(t *testing.T) []string {
	t.Helper()
	dirs := l.match(t, filepath.Join("/sys/fs/cgroup", l.cgroup))
	for _, dir := range l.match(t, filepath.Join("/sys/fs/cgroup/*", l.cgroup)) {
		// cpu and cpuacct, say, are often links to one hierarchy.
		if info, err := os.Lstat(filepath.Dir(dir)); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// processes gives the command lines of the folder's processes that are wanted: those that name the
// folder, and those in its cgroup. One that has ended, and waits for its parent to hear of it, is none.
func (l *lab) processes(t *testing.T, wanted func(command string) bool) map[int]string {
	t.Helper()
	found := map[int]string{}
	for _, file := range l.match(t, "/proc/[0-9]*/cmdline") {
		dir := filepath.Dir(file)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		raw, _ := os.ReadFile(file) // it may have ended
		command := strings.TrimSpace(strings.ReplaceAll(string(raw), "\x00", " "))
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		ours := strings.Contains(command, l.data+"/") || strings.Contains(string(groups), l.cgroup+"/")
		if state, _ := standing(pid); state != "" && state != "Z" && ours && wanted(command) {
			found[pid] = command
		}
	}
	return found
}

// pidsOf gives the processes whose program has that name, in order, without those that these are
// just making: a child has its parent's name until it executes another program.
func (l *lab) pidsOf(t *testing.T, program string) []int {
	t.Helper()
	var pids []int
	for pid := range l.processes(t, func(command string) bool {
		name, _, _ := strings.Cut(command, " ")
		return filepath.Base(name) == program
	}) {
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	all := slices.Clone(pids)
	return slices.DeleteFunc(pids, func(pid int) bool { return slices.Contains(all, parent(pid)) })
}

// parent gives a process's parent, 0 where the process has ended.
func parent(pid int) int {
	_, parent := standing(pid)
	return parent
}

// standing gives the state and the parent of a process, nothing where it is gone.
func standing(pid int) (state string, parent int) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// proc(5): they come after the name in brackets.
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := append(strings.Fields(after), "", "")
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}
