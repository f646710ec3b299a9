package containerd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// supervisorGroup is where Optimus's own processes go, once its cgroup holds others: in version 2
// a group that hands controllers down may hold no process itself
// (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint").
const supervisorGroup = "supervisor"

// placeV2 gives the group, as a path from the hierarchy's root, below which Optimus may make groups
// of its own: its own one where that was delegated to it (by systemd's Delegate=, or as the root of
// a cgroup namespace, such as a pod's), else the root. own is Optimus's path in /proc/self/cgroup.
func placeV2(root, own string) string {
	for _, dir := range []string{own, filepath.Dir(own)} { // DelegateSubgroup= puts it one below
		if strings.HasPrefix(dir, "/") && !strings.HasPrefix(dir, "/..") && delegated(filepath.Join(root, dir)) {
			return dir
		}
	}
	return "/"
}

// delegated tells whether systemd has handed the group over (systemd's CGROUP_DELEGATION document).
func delegated(dir string) bool {
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		var value [8]byte
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && string(value[:n]) == "1" {
			return true
		}
	}
	return false
}

// ownV2 is this process's path in the hierarchy of version 2, from text, which is of the form of
// /proc/self/cgroup.
func ownV2(text string) string {
	for line := range strings.Lines(text) {
		if own, found := strings.CutPrefix(strings.TrimSpace(line), "0::"); found {
			return own
		}
	}
	return "/"
}

// handDown has every group from the root to dir hand the controllers of a run to the next.
func handDown(root, dir string) error {
	if err := handOn(root); err != nil || dir == "/" {
		return err
	}
	at := root
	names := strings.Split(strings.TrimPrefix(dir, "/"), "/")
	for i, name := range names {
		at = filepath.Join(at, name)
		if err := os.MkdirAll(at, 0o750); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
		if i+1 == len(names) {
			break
		}
		if err := delegate(at); err != nil { // its processes are not Optimus's to move
			return err
		}
	}
	return handOn(at)
}

// handOn is delegate for a group of Optimus's own, and for the root: where that is not the true
// one, which alone may hold processes too, those in it move to a group below.
func handOn(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); err == nil { // the true root has none
		if err := vacate(dir); err != nil {
			return err
		}
	}
	return delegate(dir)
}

// vacate moves the processes of a group to a group below it, those that come meanwhile too. One that is
// ending can't be moved and is listed until it has ended, which takes a moment on a busy machine.
func vacate(dir string) error {
	const passes, longest = 100, 50 * time.Millisecond // together 5 s at most
	below := filepath.Join(dir, supervisorGroup)
	for pass := range passes {
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return fmt.Errorf("vacate cgroup: %w", err)
		}
		pids := strings.Fields(string(procs))
		if len(pids) == 0 {
			return nil
		}
		if err := os.Mkdir(below, 0o750); err != nil && !os.IsExist(err) {
			return fmt.Errorf("vacate cgroup: %w", err)
		}
		for _, pid := range pids {
			_ = writeKnob(filepath.Join(below, "cgroup.procs"), pid) // it may have ended
		}
		time.Sleep(min(time.Duration(pass)*time.Millisecond, longest))
	}
	return fmt.Errorf("vacate cgroup %s: processes keep coming; give Optimus a group of its own by sandbox.cgroup_parent", dir)
}

// delegate has a group hand down what a run needs, where it does not yet.
func delegate(dir string) error {
	handed, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return fmt.Errorf("cgroup v2: %w", err)
	}
	have := strings.Fields(string(handed))
	if len(lacking(v2Controllers(), have)) > 0 {
		err = writeKnob(filepath.Join(dir, "cgroup.subtree_control"), "+"+strings.Join(v2Controllers(), " +"))
		if err != nil {
			return fmt.Errorf("cgroup v2: hand controllers down from %s (is it delegated to Optimus?): %w", dir, err)
		}
	}
	if !slices.Contains(have, "cpu") {
		shareByRun(dir)
	}
	return nil
}

// v2Controllers are what bounds a run; its CPU time is counted in any group.
func v2Controllers() []string { return []string{"memory", "pids"} }

// shareByRun has the groups in dir share the processors by group, however many processes each has.
// That is a matter of fairness alone, and not every place has the controller.
func shareByRun(dir string) { _ = writeKnob(filepath.Join(dir, "cgroup.subtree_control"), "+cpu") }
