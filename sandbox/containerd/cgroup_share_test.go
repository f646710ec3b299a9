package containerd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"optimus/sandbox"
)

// TestRunsShareTheProcessorsByRun: a run's group has the cpu controller, where the machine does, so
// that many processes of one run weigh as one of another.
func TestRunsShareTheProcessorsByRun(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	mounts, err := cgroupMounts("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := errors.New("the run said nothing")
	look := func(sandbox.Stream, []byte) {
		defer cancel()
		seen = sharesByRun(mounts, filepath.Join(r.cgroupParent, p.(*Program).place.c.id))
	}
	if _, err := p.Run(ctx, sandbox.Input{Args: []string{"sleep"}, Output: look}, probeLimits().Resolved()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if seen != nil {
		t.Error(seen)
	}
}

func sharesByRun(m mountedCgroups, container string) error {
	read := func(parts ...string) []string {
		found, err := filepath.Glob(filepath.Join(parts...))
		if err != nil || len(found) == 0 {
			return nil
		}
		text, _ := os.ReadFile(found[0])
		return strings.Fields(string(text))
	}
	if !m.unified() {
		if m.hasV1("cpu") && len(read(m.v1["cpu"], container, "run-*", "tasks")) == 0 {
			return errors.New("no process is in the run's group of the cpu controller")
		}
		return nil
	}
	if slices.Contains(read(m.v2, "cgroup.controllers"), "cpu") &&
		!slices.Contains(read(m.v2, container, "run-*", "cgroup.controllers"), "cpu") {
		return errors.New("the run's group has no cpu controller")
	}
	return nil
}
