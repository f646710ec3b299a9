//go:build debian

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what comes in its own time.
const patience = 5 * time.Minute

// boot starts the machine's systemd: what is run on it from now on is run beside that. The function that it gives
// ends it.
func (m machine) boot() (machine, func()) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "./boot.sh", m.dir)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if m.t.Failed() {
			m.t.Logf("boot.sh says %s", &said)
		}
	})
	m.init = m.firstProcess(cmd.Process.Pid)
	m.until("systemd answers", func() bool { _, err := m.try("systemctl", "list-units"); return err == nil })
	return m, func() {
		_ = m.init.Kill() // and so all of its namespace
		_ = cmd.Wait()    // boot.sh tidies up
	}
}

// firstProcess waits for systemd, the child of unshare, which is boot.sh's.
func (m machine) firstProcess(parent int) *os.Process {
	m.t.Helper()
	var found *os.Process
	m.until("systemd starts", func() bool {
		for at := parent; ; {
			children, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(at), "task", strconv.Itoa(at), "children"))
			if err != nil {
				return false
			}
			child, err := strconv.Atoi(strings.TrimSpace(string(children)))
			if err != nil {
				return false
			}
			name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child), "comm"))
			if err != nil {
				return false
			}
			if strings.TrimSpace(string(name)) == "systemd" {
				found, err = os.FindProcess(child)
				return err == nil
			}
			at = child
		}
	})
	return found
}

// until waits for something to be so.
func (m machine) until(what string, so func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := m.try("journalctl", "-u", "optimus", "--no-pager", "-o", "cat")
			m.t.Fatalf("not within %s: %s\n%s", patience, what, log)
		}
	}
}

// ready waits for the server, and imports Python where that is not there.
func (m machine) ready(python string) {
	m.t.Helper()
	m.until("the server is ready", func() bool {
		_, err := m.try("curl", "-sf", "http://127.0.0.1:8080/ready")
		return err == nil
	})
	m.run("optimus", "admin", "images", "import", python)
	m.until("Python is there", func() bool {
		out, err := m.try("optimus", "admin", "languages", "list")
		return err == nil && strings.Contains(out, "python")
	})
}

// judges has the server judge a program.
func (m machine) judges() {
	m.t.Helper()
	out := m.run("curl", "-s", "http://127.0.0.1:8080/v1/jobs?wait=1m", "-H", "Content-Type: application/json", "-d",
		`{"language": "python", "source_code": "print(sum(map(int, input().split())))", "tests": [{"input": "3 4", "expected_output": "7\n"}]}`)
	var job struct{ State, Verdict string }
	if err := json.Unmarshal([]byte(out), &job); err != nil || job.State != "completed" || job.Verdict != "accepted" {
		m.t.Errorf("error %v, %s", err, out)
	}
}

func (m machine) property(name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.run("systemctl", "show", "optimus", "-p", name, "--value"))
}

// pythonImage exports the image that `make images` has built.
func pythonImage(t *testing.T, to string) {
	t.Helper()
	command(t, "../../../optimus", "admin", "images", "export", "python", to)
}

// underSystemd installs the package where systemd runs: the server starts, and judges inside the unit's fences, with
// the system's containerd and with a private one; killed, it comes back; stopped, it leaves nothing running; purged,
// nothing at all.
func underSystemd(t *testing.T, m machine, file string) {
	before := m.files()
	const python = "/var/python.tar" // none of what systemd mounts anew
	pythonImage(t, filepath.Join(m.dir, python))
	m, end := m.boot()
	defer end()

	m.install(file)
	m.ready(python)
	m.judges()

	m.write(settings, strings.Replace(m.read(settings), "\n#max_tests = 1000\n", "\nmax_tests = 7\n", 1))
	process := m.property("MainPID")
	m.run("systemctl", "reload", "optimus")
	m.until("the settings are read anew", func() bool {
		out, err := m.try("journalctl", "-u", "optimus", "--no-pager", "-o", "cat")
		return err == nil && strings.Contains(out, "the configuration was read anew")
	})
	if now := m.property("MainPID"); now != process {
		t.Errorf("a reload made process %s of %s", now, process)
	}

	killed := m.property("MainPID")
	m.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "optimus")
	m.until("it is started again", func() bool { now := m.property("MainPID"); return now != "0" && now != killed })
	m.ready(python)
	m.judges()

	m.run("systemctl", "mask", "--runtime", "--now", "containerd")
	m.run("systemctl", "restart", "optimus")
	m.ready(python)
	if _, err := m.try("test", "-S", "/run/containerd/containerd.sock"); err == nil {
		t.Error("the system's containerd runs, which was masked")
	}
	m.judges()

	m.run("systemctl", "stop", "optimus")
	if result, status := m.property("Result"), m.property("ExecMainStatus"); result != "success" || status != "0" {
		t.Errorf("a stop ends with %s, exit status %s", result, status)
	}
	if out, err := m.try("sh", "-c", "cat /proc/[0-9]*/comm | grep -E '^(optimus|containerd|agent)'"); err == nil {
		t.Errorf("a stop leaves processes: %s", out)
	}
	if out, err := m.try("sh", "-c", "find /sys/fs/cgroup -path '*optimus*' -type d | grep ."); err == nil {
		t.Errorf("a stop leaves cgroups: %s", out)
	}

	m.run("dpkg", "-P", "optimus")
	for _, path := range []string{"/usr/bin/optimus", "/etc/optimus", "/var/lib/optimus", "/etc/systemd/system/multi-user.target.wants/optimus.service"} {
		if m.has(path) && before[path] == "" {
			t.Errorf("a purge leaves %s", path)
		}
	}
}
