package containerd

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// v1Tree is cgroup v1: a folder in each controller's hierarchy (Documentation/admin-guide/cgroup-v1).
type v1Tree struct {
	memory, pids, cpuacct string
	// distinct are the parents of these, once where controllers share a hierarchy.
	distinct []string
	// all are the parents in every hierarchy: the runtime makes its group in each.
	all []string
}

func openV1(m mountedCgroups, parent string) (*v1Tree, error) {
	t := &v1Tree{}
	set := map[string]bool{}
	for controller, dir := range map[string]*string{"memory": &t.memory, "pids": &t.pids, "cpuacct": &t.cpuacct} {
		if !m.hasV1(controller) {
			return nil, fmt.Errorf("cgroup v1: controller %q is not mounted", controller)
		}
		*dir = filepath.Join(m.v1[controller], parent)
		set[*dir] = true
	}
	if dir := m.v1["cpu"]; dir != "" {
		// So that runs share the processors by run, however many processes each has.
		set[filepath.Join(dir, parent)] = true
	}
	t.distinct = slices.Sorted(maps.Keys(set))
	for _, dir := range m.v1 {
		set[filepath.Join(dir, parent)] = true
	}
	if m.v2 != "" {
		set[filepath.Join(m.v2, parent)] = true
	}
	t.all = slices.Sorted(maps.Keys(set))
	return t, nil
}

func (t *v1Tree) create(container string) error {
	for _, dir := range t.distinct {
		if err := os.MkdirAll(filepath.Join(dir, container), 0o750); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
	}
	// No swap for the runs, whose groups inherit this. (A limit of memory plus swap would do it
	// too, but then it is that one which is hit, and memory.failcnt stays 0.)
	return writeKnob(filepath.Join(t.memory, container, "memory.swappiness"), "0")
}

func (t *v1Tree) cpu(container string) (time.Duration, error) {
	n, err := readInt(filepath.Join(t.cpuacct, container, "cpuacct.usage"))
	return time.Duration(n), err
}

// containers also lists one whose removal has only begun.
func (t *v1Tree) containers() ([]string, error) {
	var names []string
	var errs []error
	for _, dir := range t.all {
		in, err := listFolders(dir)
		names, errs = append(names, in...), append(errs, err)
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(errs...)
}

func (t *v1Tree) remove(container string) error {
	var errs []error
	for _, dir := range t.all {
		errs = append(errs, removeTree(filepath.Join(dir, container)))
	}
	return errors.Join(errs...)
}

func (t *v1Tree) end() {
	for _, dir := range t.all {
		_ = unix.Rmdir(dir) // fails while a container is there
	}
}

// v1Run is the group of a run in each hierarchy.
type v1Run struct {
	memory, pids, cpuacct string
	distinct              []string
	tasks                 []*os.File
}

func (t *v1Tree) run(container string, n uint32, l sandbox.Limits) (runCgroup, error) {
	name := filepath.Join(container, "run-"+strconv.FormatUint(uint64(n), 10))
	r := &v1Run{
		memory: filepath.Join(t.memory, name), pids: filepath.Join(t.pids, name), cpuacct: filepath.Join(t.cpuacct, name),
	}
	for _, dir := range t.distinct {
		r.distinct = append(r.distinct, filepath.Join(dir, name))
	}
	if err := r.make(l); err != nil {
		return nil, errors.Join(err, r.remove())
	}
	return r, nil
}

func (r *v1Run) make(l sandbox.Limits) error {
	for _, dir := range r.distinct {
		if err := os.Mkdir(dir, 0o750); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
		// "tasks", not "cgroup.procs": moving one thread takes no lock of all thread groups.
		tasks, err := os.OpenFile(filepath.Join(dir, "tasks"), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("open cgroup: %w", err)
		}
		r.tasks = append(r.tasks, tasks)
	}
	memory := strconv.FormatInt(l.Memory, 10)
	if err := writeKnob(filepath.Join(r.memory, "memory.limit_in_bytes"), memory); err != nil {
		return err
	}
	return writeKnob(filepath.Join(r.pids, "pids.max"), strconv.FormatInt(l.Processes, 10))
}

func (r *v1Run) files() []*os.File { return r.tasks }

func (r *v1Run) v2() bool { return false }

func (r *v1Run) cpu() (time.Duration, error) {
	n, err := readInt(filepath.Join(r.cpuacct, "cpuacct.usage"))
	return time.Duration(n), err
}

func (r *v1Run) own() bool { return true }

func (r *v1Run) usage() (usage, error) {
	var u usage
	var errs [4]error
	u.cpu, errs[0] = r.cpu()
	u.memory, errs[1] = readInt(filepath.Join(r.memory, "memory.max_usage_in_bytes"))
	u.processes = optional(filepath.Join(r.pids, "pids.peak"))
	kills, err := readKeyed(filepath.Join(r.memory, "memory.oom_control"), "oom_kill")
	errs[2] = err
	if kills > 0 {
		var failed int64
		failed, errs[3] = readInt(filepath.Join(r.memory, "memory.failcnt"))
		u.limitHit, u.strayKill = failed > 0, failed == 0
	}
	return u, errors.Join(errs[:]...)
}

// optional reads what older kernels do not have.
func optional(path string) int64 {
	n, err := readInt(path)
	if err != nil {
		return -1
	}
	return n
}

func (r *v1Run) kill() { killAll(filepath.Join(r.memory, "cgroup.procs")) }

func (r *v1Run) remove() error {
	for _, f := range r.tasks {
		_ = f.Close()
	}
	r.tasks = nil
	var errs []error
	for _, dir := range r.distinct {
		errs = append(errs, removeGroup(dir))
	}
	return errors.Join(errs...)
}
