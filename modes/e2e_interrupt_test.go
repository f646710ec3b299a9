package modes

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterruptedBuild: Ctrl-C in the middle of a build says so in one line, and leaves nothing.
func TestInterruptedBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := "#!/bin/sh\necho 'I: at work' >&2\nsleep 1000\n"
	if err := os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	cache := filepath.Join(dir, "cache")
	cmd := exec.CommandContext(t.Context(), buildBinary(t), "admin", "images", "build", "bash", //nolint:gosec // the binary under test
		"--data", filepath.Join(dir, "data"), "--log-level", "debug", "--log-format", "json")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "OPTIMUS_CACHE="+cache, "OPTIMUS_SANDBOX_CONTAINERD=private")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	var last string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		last = lines.Text()
		if strings.Contains(last, `"I: at work"`) {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if want := "optimus: build image optimus.local/bash:trixie: told to stop"; cmd.ProcessState.ExitCode() != ExitFailed || last != want {
		t.Errorf("it ends with %v and %q, want exit code %d and %q", err, last, ExitFailed, want)
	}
	if stdout.Len() > 0 {
		t.Errorf("printed %q though nothing was built", stdout.String())
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}
