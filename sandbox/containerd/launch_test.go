package containerd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
)

// TestAnAgentThatEndsAtOnce: who waits for a container learns at once that its agent has ended,
// long before the time for a launch is over.
func TestAnAgentThatEndsAtOnce(t *testing.T) {
	r := newTestRunner(t)
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "quits")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"os\"\n\nfunc main() { os.Exit(3) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build an agent that quits: %v: %s", err, out)
	}
	r.agent = binary
	_, _, err := r.Prepare(t.Context(), probe(), sandbox.Source{Files: []sandbox.File{{Name: "main.src"}}}, sandbox.Limits{})
	if err == nil || !strings.Contains(err.Error(), "ended with status 3") {
		t.Errorf("prepare gives %v, want that the agent has ended", err)
	}
}

// TestCloseDuringALaunch: a launch that is called off halfway leaves nothing, not even where
// containerd ends right after it.
func TestCloseDuringALaunch(t *testing.T) {
	r := newTestRunner(t)
	bundles := filepath.Join(r.daemon.private.dir, "state/io.containerd.runtime.v2.task/*", r.instance.id+"-*")
	warmed := make(chan struct{})
	go func() {
		defer close(warmed)
		r.Warm(t.Context(), probe())
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if begun, _ := filepath.Glob(filepath.Join(r.daemon.RuncRoot(), "*", r.instance.id+"-*")); len(begun) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no launch begins")
		}
	}
	ctx := context.WithoutCancel(t.Context())
	if err := errors.Join(r.Close(ctx), r.daemon.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	<-warmed
	if left, err := filepath.Glob(bundles); err != nil || len(left) != 0 {
		t.Errorf("left of containerd: %v, %v", left, err)
	}
}

// TestHalfMadeTasks: of a task that was being made when the daemon was killed nothing stays once the
// last user has left.
func TestHalfMadeTasks(t *testing.T) {
	o, _ := privateOptions(t)
	daemon := connect(t, o)
	half := filepath.Join(daemon.private.dir, "state/io.containerd.runtime.v2.task", Namespace, "half-1")
	if err := os.MkdirAll(filepath.Join(half, "rootfs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a half-made task is left: %v", err)
	}
}
