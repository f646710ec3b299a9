package sandboxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLeaksAreSeen leaves each kind of thing behind: each is told of, and then none.
func TestLeaksAreSeen(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	h, err := newHost()
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sees := func(what string) {
		t.Helper()
		if left := strings.Join(h.left(), "\n"); !strings.Contains(left, what) {
			t.Errorf("%s is not seen among: %s", what, left)
		}
	}

	file := filepath.Join(h.dir, "file")
	must(os.WriteFile(file, nil, 0o600))
	sees("file " + file)
	must(os.Remove(file))

	mounted := filepath.Join(h.dir, "mounted")
	must(os.Mkdir(mounted, 0o700))
	must(unix.Mount("none", mounted, "tmpfs", 0, ""))
	sees("mount ")
	must(unix.Unmount(mounted, 0))
	must(os.Remove(mounted))

	for _, command := range []*exec.Cmd{
		exec.CommandContext(t.Context(), "sleep", "1000"),                           // by its environment
		exec.CommandContext(t.Context(), "env", "-i", "-C", h.dir, "sleep", "1001"), //nolint:gosec // the test's own folder
	} {
		must(command.Start())
		for !strings.Contains(strings.Join(h.processes(), "\n"), "sleep 100") {
			if t.Context().Err() != nil {
				t.Fatalf("%q is not seen", command.Args)
			}
		}
		must(command.Process.Kill())
		_ = command.Wait() // killed
	}

	controllers, err := filepath.Glob(filepath.Join(cgroupRoot, "memory"))
	must(err)
	group := filepath.Join(append([]string{cgroupRoot}, append(basesOf(controllers), Cgroup("leak"))...)...)
	must(os.Mkdir(group, 0o700))
	sees("cgroup " + group)
	must(os.Remove(group))

	if left := h.left(); len(left) > 0 {
		t.Errorf("nothing is left, and yet: %q", left)
	}
}

func basesOf(paths []string) (bases []string) {
	for _, p := range paths {
		bases = append(bases, filepath.Base(p))
	}
	return bases
}
