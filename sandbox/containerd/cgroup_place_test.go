package containerd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// hierarchyV2 mounts version 2, which any machine has, with or without controllers, and makes a
// group in it.
func hierarchyV2(t *testing.T) (root, group string) {
	t.Helper()
	root = t.TempDir()
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	group = "/optimus-place-" + strconv.Itoa(os.Getpid()) + "-" + t.Name()
	if err := os.MkdirAll(filepath.Join(root, group, "inner"), 0o750); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeTree(filepath.Join(root, group)); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	return root, group
}

func TestPlaceOfGroups(t *testing.T) {
	root, group := hierarchyV2(t)
	inner := group + "/inner"
	for _, own := range []string{"/", group, inner, "/../outside", ""} {
		if got := placeV2(root, own); got != "/" {
			t.Errorf("own %q, nothing delegated: %s", own, got)
		}
	}
	if err := unix.Setxattr(filepath.Join(root, group), "trusted.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for own, want := range map[string]string{
		group: group, inner: group, inner + "/deeper": "/", "/": "/", "/.." + group: "/",
	} {
		if got := placeV2(root, own); got != want {
			t.Errorf("own %q: %s, want %s", own, got, want)
		}
	}
}

func TestOwnGroup(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0::/a/b\n": "/a/b", "5:memory:/x\n0::/a\n": "/a", "5:memory:/x\n": "/", "": "/",
	} {
		if got := ownV2(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestVacate(t *testing.T) {
	root, group := hierarchyV2(t)
	dir := filepath.Join(root, group)
	sleeper := exec.CommandContext(t.Context(), "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	pid := strconv.Itoa(sleeper.Process.Pid)
	if err := writeKnob(filepath.Join(dir, "cgroup.procs"), pid); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again, with nobody to move
		if err := vacate(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []struct{ name, want string }{{"cgroup.procs", ""}, {supervisorGroup + "/cgroup.procs", pid}} {
		if got, err := os.ReadFile(filepath.Join(dir, at.name)); err != nil || strings.TrimSpace(string(got)) != at.want {
			t.Errorf("%s holds %q, want %q (%v)", at.name, got, at.want, err)
		}
	}
}
