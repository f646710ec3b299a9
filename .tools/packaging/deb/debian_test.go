//go:build debian

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// suite is the oldest Debian that Optimus is for.
const suite = "bookworm"

// machine is the tree of a Debian, in which commands are run as on it.
type machine struct {
	t   *testing.T
	dir string
	// init is its first process; nil where none runs.
	init *os.Process
}

// newMachine makes a bare one with what the package depends on, and systemd, which does not run there.
func newMachine(t *testing.T) machine {
	t.Helper()
	m := machine{t: t, dir: filepath.Join(t.TempDir(), "debian")}
	args := []string{"--quiet", "--variant=essential", "--include=systemd,dbus,containerd,runc,curl", "--dpkgopt=force-unsafe-io", suite, m.dir}
	if mirror := os.Getenv("OPTIMUS_DEBIAN_MIRROR"); mirror != "" {
		args = append(args, mirror)
	}
	if out, err := exec.CommandContext(t.Context(), "mmdebstrap", args...).CombinedOutput(); err != nil {
		t.Fatalf("mmdebstrap: %v: %s", err, out)
	}
	return m
}

func (m machine) try(args ...string) (string, error) {
	enter := []string{"chroot", m.dir}
	if m.init != nil {
		enter = []string{"nsenter", "--target", strconv.Itoa(m.init.Pid), "--all", "--root", "--wd"}
	}
	args = append(enter, args...)
	cmd := exec.CommandContext(m.t.Context(), args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// install gives dpkg a package of this machine's.
func (m machine) install(file string, options ...string) {
	m.t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("/var/optimus.deb", string(data))
	m.run(append(append([]string{"dpkg"}, options...), "-i", "/var/optimus.deb")...)
	if err := os.Remove(filepath.Join(m.dir, "/var/optimus.deb")); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) write(path, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Join(m.dir, filepath.Dir(path)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, path), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) read(path string) string {
	m.t.Helper()
	data, err := os.ReadFile(filepath.Join(m.dir, path))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

func (m machine) has(path string) bool {
	_, err := os.Lstat(filepath.Join(m.dir, path))
	return err == nil
}

// files lists all that there is, with what it holds, but for dpkg's own records and the logs.
func (m machine) files() map[string]string {
	m.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(m.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, m.dir)
		if name == "/var/lib/dpkg" || name == "/var/log" {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fact := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fact += fmt.Sprintf(" %x", sha256.Sum256(data))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			fact += " " + target
		}
		found[name] = fact
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return found
}

// packages makes three versions, the third with other settings in its example.
func packages(t *testing.T) (first, second, third string) {
	t.Helper()
	dir := t.TempDir()
	binary, err := filepath.Abs("../../../optimus")
	if err != nil {
		t.Fatal(err)
	}
	r := recipe{root: "../../..", binary: binary, made: time.Unix(1700000000, 0).UTC()}
	make := func(version string) string {
		r.version = version
		path, err := r.write(dir)
		if err != nil {
			t.Fatalf("%v (`make build` makes the program)", err)
		}
		return path
	}
	first, second = make("v1.0.0"), make("v1.1.0")
	again := make("v1.0.0")
	if a, b := readFile(t, first), readFile(t, again); !bytes.Equal(a, b) {
		t.Error("two builds of the same package differ")
	}
	tree := filepath.Join(dir, "tree")
	command(t, "dpkg-deb", "-R", second, tree)
	settings := filepath.Join(tree, "etc/optimus/optimus.toml")
	control := filepath.Join(tree, "DEBIAN/control")
	writeFile(t, settings, append(readFile(t, settings), "# a later setting\n"...))
	writeFile(t, control, bytes.Replace(readFile(t, control), []byte("Version: 1.1.0"), []byte("Version: 1.2.0"), 1))
	third = filepath.Join(dir, "third.deb")
	command(t, "dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, third)
	return first, second, third
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
}

const (
	wanted     = "/etc/systemd/system/multi-user.target.wants/optimus.service"
	wantedWork = "/etc/systemd/system/multi-user.target.wants/optimus-work.service"
	settings   = "/etc/optimus/optimus.toml"
)

// TestOnDebian takes a package through its life, on a machine without systemd, then with it.
func TestOnDebian(t *testing.T) {
	first, second, third := packages(t)
	m := newMachine(t)
	t.Run("without systemd", func(t *testing.T) {
		m.t = t
		withoutSystemd(t, m, first, second, third)
	})
	t.Run("under systemd", func(t *testing.T) {
		m.t = t
		underSystemd(t, m, first)
	})
}

// withoutSystemd: installed, edited, upgraded, removed, installed again, purged.
func withoutSystemd(t *testing.T, m machine, first, second, third string) {
	before := m.files()

	m.install(first)
	if out := m.run("optimus", "--version"); !strings.Contains(out, "version") {
		t.Errorf("--version says %q", out)
	}
	if !m.has(wanted) || m.has(wantedWork) {
		t.Errorf("enabled: the server %t, want true; the worker %t, want false", m.has(wanted), m.has(wantedWork))
	}
	if out := m.run("optimus", "admin", "config", "check"); !strings.Contains(out, "no faults ("+settings) {
		t.Errorf("config check says %s", out)
	}
	if out := m.run("optimus", "admin", "config", "show", "--changed", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("the installed settings state %s", out)
	}
	for _, unit := range []string{"optimus.service", "optimus-work.service"} {
		// It has no manual pages; the units of systemd itself are not ours to mend.
		out := m.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "/usr/lib/systemd/system/"+unit)
		if strings.Contains(out, "optimus") {
			t.Errorf("%s: %s", unit, out)
		}
	}
	if err := os.RemoveAll(filepath.Join(m.dir, "/run/systemd")); err != nil { // verify's own
		t.Fatal(err)
	}
	m.run("bash", "-c", `source /usr/share/bash-completion/completions/optimus; complete -p optimus;
		COMP_WORDS=(optimus admin im); COMP_CWORD=2; _optimus; [ "${COMPREPLY[*]}" = images ]`)

	// What the administrator has changed stays: silently where the package's own has not changed, else as dpkg is told.
	edited := m.read(settings) + "\n[worker]\nslots = 3\n"
	edited = strings.Replace(edited, "\n[worker]\n", "\n# [worker] moved to the end\n", 1)
	m.write(settings, edited)
	if err := os.Remove(filepath.Join(m.dir, wanted)); err != nil { // systemctl disable
		t.Fatal(err)
	}
	m.install(second)
	if m.read(settings) != edited || m.has(wanted) {
		t.Errorf("an upgrade changed the settings, or enabled what was disabled (%t)", m.has(wanted))
	}
	m.install(third, "--force-confold")
	if m.read(settings) != edited || !strings.Contains(m.read(settings+".dpkg-dist"), "a later setting") {
		t.Error("an upgrade with other settings changed them, or did not bring its own beside them")
	}

	// The way back is an installation of the older version over the newer.
	m.write("/var/lib/optimus/optimus.db", "jobs")
	m.install(first, "--force-confold")
	version := m.run("dpkg-query", "-W", "-f", "${Version}", "optimus")
	if version != "1.0.0" || m.read(settings) != edited || m.read("/var/lib/optimus/optimus.db") != "jobs" {
		t.Errorf("back at version %s, settings or jobs are others", version)
	}
	m.install(third, "--force-confold")

	// A removal keeps settings and jobs, and what is installed again finds them.
	m.write("/etc/optimus/environment", "OPTIMUS_REDIS_URL=redis://:secret@h")
	m.run("dpkg", "-r", "optimus")
	if m.has("/usr/bin/optimus") || m.has("/usr/lib/systemd/system/optimus.service") || m.read(settings) != edited || m.read("/var/lib/optimus/optimus.db") != "jobs" {
		t.Error("a removal left the program, or took settings or jobs")
	}
	m.install(third)
	if m.read(settings) != edited {
		t.Error("what is installed again has lost the settings")
	}

	m.run("dpkg", "-P", "optimus")
	after := m.files()
	for name := range after {
		if before[name] != after[name] {
			t.Errorf("a purge leaves %s: %s, before the installation %q", name, after[name], before[name])
		}
		delete(before, name)
	}
	for name := range before {
		t.Errorf("a purge took %s, which was there before", name)
	}
	if out, err := m.try("dpkg", "-s", "optimus"); err == nil {
		t.Errorf("dpkg still knows %s", out)
	}
}
