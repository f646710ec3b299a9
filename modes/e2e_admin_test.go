package modes

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"optimus/sandbox/containerd"
	"optimus/web"
)

// fails runs a server that must refuse to start, and gives its standard error.
func (l *lab) fails(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := l.command(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != ExitFailed {
		t.Errorf("serve %q ends with %v, want exit code %d", args, err, ExitFailed)
	}
	return stderr.String()
}

// adminFails runs an admin command that must fail, and gives its standard error.
func (l *lab) adminFails(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := l.command(t, append([]string{"admin"}, args...)...)
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != ExitFailed {
		t.Errorf("admin %q ends with %v, want exit code %d", args, err, ExitFailed)
	}
	return stderr.String()
}

func testRefusedStarts(t *testing.T, l *lab) {
	contains(t, "a start with Redis", l.fails(t, "--redis-url", "redis://127.0.0.1:1"), "redis.url", "--redis-url", "127.0.0.1:1")
	s := l.serve(t)
	contains(t, "a second start", l.fails(t), l.storePath(), "process "+strconv.Itoa(s.pid)+" (optimus)")
	if job := s.ended(t, s.submit(t, square(5))); job.Verdict != "accepted" {
		t.Errorf("after the second start the first server judges: %+v", job)
	}
	s.stop(t)
}

func testAdmin(t *testing.T, l *lab) {
	file := filepath.Join(t.TempDir(), "square.py")
	if err := os.WriteFile(file, []byte("n = int(input())\nprint(n * n)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := []string{"run", file, "--lang", "python", "--wall", "1m", "--cpu", "30s", "--test"}
	contains(t, "admin run", l.admin(t, ExitOK, append(run, "3:9")...), "accepted")
	l.assertNothingLeft(t)
	contains(t, "languages test", l.admin(t, ExitOK, "languages", "test", "python"), "accepted", "runtime_error", "time_limit_exceeded")
	l.assertNothingLeft(t)

	// Beside a server, on the same folder and containerd.
	s := l.serve(t)
	var job web.Job
	out := l.admin(t, ExitVerdict, append(run, "3:9", "--test", "4:15", "--json")...)
	if err := json.Unmarshal([]byte(out), &job); err != nil || job.Verdict != "wrong_answer" || len(job.Tests) != 2 || *job.Score != 1 {
		t.Errorf("admin run --json: %v\n%s", err, out)
	}

	id := s.submit(t, square(6))
	s.ended(t, id)
	var jobs []web.Job
	out = l.admin(t, ExitOK, "jobs", "list", "--json", "--server", s.base)
	if err := json.Unmarshal([]byte(out), &jobs); err != nil || len(jobs) != 1 || jobs[0].ID != id || jobs[0].Verdict != "accepted" {
		t.Errorf("admin jobs list --json: %v\n%s", err, out)
	}

	var checks []containerd.Check
	out = l.admin(t, ExitOK, "doctor", "--json")
	if err := json.Unmarshal([]byte(out), &checks); err != nil || len(checks) < 5 || countChecks(checks, containerd.StatusOK) == 0 {
		t.Errorf("admin doctor --json: %v\n%s", err, out)
	}
	s.stop(t)
}
