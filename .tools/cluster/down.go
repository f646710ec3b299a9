package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sysctls are those that kubelet sets for the whole machine.
func sysctls() []string {
	return []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	}
}

// down ends the node's first process, and with it, by the kernel's guarantee, every process, mount and
// network device of the node; then it undoes what is the machine's. It fails where anything is left.
func (c *cluster) down(context.Context) error {
	if _, err := os.Stat(c.run); errors.Is(err, fs.ErrNotExist) {
		c.say("nothing is up")
		return nil
	}
	recorded, err := filepath.Glob(c.path("*.pid"))
	if err != nil {
		return err
	}
	var left []error
	names := []string{"node"} // first
	for _, path := range recorded {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".pid"))
	}
	for _, name := range names {
		if pid, _, err := c.recorded(name); err == nil && c.alive(name) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, name := range names {
		if !eventually(func() bool { return !c.alive(name) }) {
			left = append(left, fmt.Errorf("process %s", name))
		}
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*/" + cgroup)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if !eventually(func() bool { return removeGroups(group) }) {
			left = append(left, fmt.Errorf("cgroup %s", group))
		}
	}
	left = append(left, c.restoreSysctls())
	made, _ := os.ReadFile(c.path("made"))
	for dir := range strings.FieldsSeq(string(made)) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			left = append(left, err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], c.run+"/") {
			left = append(left, fmt.Errorf("mount %s", fields[1]))
		}
	}
	if err := errors.Join(left...); err != nil {
		return fmt.Errorf("left behind: %w", err)
	}
	if err := os.RemoveAll(c.run); err != nil {
		return err
	}
	c.say("down")
	return nil
}

// removeGroups removes a cgroup with those in it, and tells whether it is gone.
func removeGroups(dir string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(dir, e.Name()))
		}
	}
	err := syscall.Rmdir(dir)
	return err == nil || errors.Is(err, syscall.ENOENT)
}

// eventually waits for what comes in a moment.
func eventually(ask func() bool) bool {
	for range 100 {
		if ask() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// saveSysctls notes what kubelet changes, once.
func (c *cluster) saveSysctls() error {
	for _, name := range sysctls() {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.path("sysctl."+strings.ReplaceAll(name, "/", ".")), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) restoreSysctls() error {
	var errs []error
	for _, name := range sysctls() {
		value, err := os.ReadFile(c.path("sysctl." + strings.ReplaceAll(name, "/", ".")))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile("/proc/sys/"+name, value, 0o644)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("sysctl %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
