package containerd

import (
	"context"
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

// TestCloseDuringALaunch: a launch that is called off halfway leaves nothing, with containerd neither.
func TestCloseDuringALaunch(t *testing.T) {
	o, _ := privateOptions(t)
	r := newTestRunner(t)
	for range 3 {
		other := openRunner(t, r.daemon, filepath.Join(o.Dir, "other"))
		warmed := make(chan struct{})
		go func() {
			defer close(warmed)
			other.Warm(t.Context(), probe())
		}()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if begun, _ := filepath.Glob(filepath.Join(other.dir, other.instance.id+"-*")); len(begun) > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("no launch begins")
			}
		}
		if err := other.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		<-warmed
		bundles, err := filepath.Glob(filepath.Join(r.daemon.private.dir, "state/io.containerd.runtime.v2.task/*", other.instance.id+"-*"))
		if err != nil || len(bundles) != 0 {
			t.Errorf("left with containerd: %v, %v", bundles, err)
		}
	}
}
