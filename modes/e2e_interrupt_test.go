package modes

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"optimus/store"
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

// TestInterruptedExport: Ctrl-C in the middle of an export leaves the file of the last one, and no other.
func TestInterruptedExport(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if made, err := store.NewRecordWriter(w, time.Now(), "test"); made == nil || err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		close(stuck)
		<-r.Context().Done()
	}))
	defer server.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.jsonl")
	if err := os.WriteFile(file, []byte("the last backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), buildBinary(t), "admin", "store", "export", "--server", server.URL, "--out", file) //nolint:gosec // the binary under test
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-stuck
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	// Whether the client has read of the answer by then is chance.
	if text := stderr.String(); cmd.ProcessState.ExitCode() != ExitFailed || !strings.HasSuffix(text, ": told to stop\n") {
		t.Errorf("it ends with %v and %q, want exit code %d", err, text, ExitFailed)
	}
	left, err := os.ReadDir(dir)
	if text, _ := os.ReadFile(file); err != nil || len(left) != 1 || string(text) != "the last backup" {
		t.Errorf("it leaves %v, %q, %v", left, text, err)
	}
}
