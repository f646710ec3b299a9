package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// v2Tree is cgroup v2: one folder (Documentation/admin-guide/cgroup-v2.rst).
type v2Tree struct{ dir string }

// openV2 tries at once whether the controllers can be had.
func openV2(root, parent string) (*v2Tree, error) {
	t := &v2Tree{dir: filepath.Join(root, parent)}
	return t, handDown(root, filepath.Dir(parent))
}

func (t *v2Tree) create(container string) error {
	dir := filepath.Join(t.dir, container)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	// Each folder hands its controllers down to the next.
	if err := delegate(t.dir); err != nil {
		return err
	}
	return delegate(dir)
}

func (t *v2Tree) cpu(container string) (time.Duration, error) {
	n, err := readKeyed(filepath.Join(t.dir, container, "cpu.stat"), "usage_usec")
	return time.Duration(n) * time.Microsecond, err
}

func (t *v2Tree) containers() ([]string, error) { return listFolders(t.dir) }

func (t *v2Tree) remove(container string) error {
	dir := filepath.Join(t.dir, container)
	_ = writeKnob(filepath.Join(dir, "cgroup.kill"), "1")
	return removeTree(dir)
}

func (t *v2Tree) end() { _ = unix.Rmdir(t.dir) } // fails while a container is there

// v2Run is the group of a run.
type v2Run struct {
	dir    string
	folder *os.File
}

func (t *v2Tree) run(container string, n uint32, l sandbox.Limits) (runCgroup, error) {
	r := &v2Run{dir: filepath.Join(t.dir, container, "run-"+strconv.FormatUint(uint64(n), 10))}
	if err := r.make(l); err != nil {
		return nil, errors.Join(err, r.remove())
	}
	return r, nil
}

func (r *v2Run) make(l sandbox.Limits) error {
	if err := os.Mkdir(r.dir, 0o750); err != nil {
		return fmt.Errorf("make cgroup: %w", err)
	}
	for _, setting := range [][2]string{
		{"memory.max", strconv.FormatInt(l.Memory, 10)},
		{"memory.oom.group", "1"}, // out of memory ends the whole run, not one process of it
		{"pids.max", strconv.FormatInt(l.Processes, 10)},
	} {
		if err := writeKnob(filepath.Join(r.dir, setting[0]), setting[1]); err != nil {
			return err
		}
	}
	if err := writeKnob(filepath.Join(r.dir, "memory.swap.max"), "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	folder, err := os.Open(r.dir)
	if err != nil {
		return fmt.Errorf("open cgroup: %w", err)
	}
	r.folder = folder
	return nil
}

func (r *v2Run) files() []*os.File { return []*os.File{r.folder} }

func (r *v2Run) v2() bool { return true }

func (r *v2Run) cpu() (time.Duration, error) {
	n, err := readKeyed(filepath.Join(r.dir, "cpu.stat"), "usage_usec")
	return time.Duration(n) * time.Microsecond, err
}

func (r *v2Run) own() bool { return true }

func (r *v2Run) usage() (usage, error) {
	var u usage
	var errs [3]error
	u.cpu, errs[0] = r.cpu()
	u.memory = optional(filepath.Join(r.dir, "memory.peak")) // Linux 5.19
	u.processes = optional(filepath.Join(r.dir, "pids.peak"))
	events := filepath.Join(r.dir, "memory.events.local")
	ooms, err := readKeyed(events, "oom")
	errs[1] = err
	kills, err := readKeyed(events, "oom_kill")
	errs[2] = err
	u.limitHit = ooms > 0 && kills > 0
	u.strayKill = ooms == 0 && kills > 0
	return u, errors.Join(errs[:]...)
}

func (r *v2Run) kill() {
	if writeKnob(filepath.Join(r.dir, "cgroup.kill"), "1") != nil { // before Linux 5.14
		killAll(filepath.Join(r.dir, "cgroup.procs"))
	}
}

func (r *v2Run) remove() error {
	if r.folder != nil {
		_ = r.folder.Close()
		r.folder = nil
	}
	return removeGroup(r.dir)
}
