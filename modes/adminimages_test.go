package modes

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/sandbox/containerd"
)

// imageCommands gives the commands on images over a private containerd and a catalogue of one
// language, "tiny"; mmdebstrap is a script that makes an image of one file.
func imageCommands(t *testing.T) func(args ...string) (stdout, stderr string, err error) {
	t.Helper()
	dir := t.TempDir()
	var files bytes.Buffer
	tw := tar.NewWriter(&files)
	if err := errors.Join(tw.WriteHeader(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}), tw.Close()); err != nil {
		t.Fatal(err)
	}
	catalogue := `{"languages": [{
		"name": "tiny", "version": "1", "image": "optimus.local/tiny:one", "source_file": "main", "run": ["./main"],
		"build": {"suite": "trixie", "packages": ["dash"]}
	}, {
		"name": "pulled", "version": "1", "image": "registry.test/pulled:one", "source_file": "main", "run": ["./main"]
	}]}`
	for name, text := range map[string]string{
		"files.tar":      files.String(),
		"languages.json": catalogue,
		"optimus.toml":   "catalogue = \"" + filepath.Join(dir, "languages.json") + "\"\n[sandbox]\ncontainerd = \"private\"\n",
		"bin/mmdebstrap": "#!/bin/sh\necho 'I: extracting archives...' >&2\ncat " + filepath.Join(dir, "files.tar") + "\n",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o700)); err != nil { //nolint:gosec // one is a program
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	t.Setenv("OPTIMUS_CACHE", filepath.Join(dir, "cache"))
	return func(args ...string) (string, string, error) {
		var stdout, stderr bytes.Buffer
		p := Process{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr}
		app := &cli.App{
			Name: "optimus", Commands: []*cli.Command{imagesCommand(p), doctorCommand(p)},
			Writer: &stderr, ErrWriter: &stderr, ExitErrHandler: func(*cli.Context, error) {},
		}
		inherit(app.Commands, func(_ *cli.Context, err error, _ bool) error { return usageError{err} })
		args = append(args, "--config", filepath.Join(dir, "optimus.toml"), "--data", filepath.Join(dir, "data"))
		err := runApp(t, app, flagsFirst(app, append([]string{"optimus"}, args...)))
		return stdout.String(), stderr.String(), err
	}
}

func rowsOf(t *testing.T, stdout string) []imageRow {
	t.Helper()
	var rows []imageRow
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	return rows
}

func TestImagesCommands(t *testing.T) {
	run := imageCommands(t)
	must := func(args ...string) string {
		t.Helper()
		stdout, stderr, err := run(args...)
		if err != nil {
			t.Fatalf("%q: %v; it says %s", args, err, stderr)
		}
		return stdout
	}
	if out := must("images", "list"); !strings.Contains(out, "missing: optimus admin images build tiny") ||
		!strings.Contains(out, "missing: optimus admin images pull pulled") {
		t.Errorf("list says\n%s", out)
	}
	stdout, stderr, err := run("images", "build", "--all", "--json")
	rows := rowsOf(t, stdout)
	if err != nil || len(rows) != 1 || !rows[0].Present || rows[0].Ref != "optimus.local/tiny:one" || rows[0].Languages[0] != "tiny" {
		t.Errorf("built %+v, error %v", rows, err)
	}
	if !strings.Contains(stderr, "tiny: build: ") {
		t.Errorf("progress %q", stderr)
	}
	digest := rows[0].Digest

	file := filepath.Join(t.TempDir(), "tiny.oci.tar")
	if rows := rowsOf(t, must("images", "export", "tiny", file, "--json")); len(rows) != 1 || rows[0].Digest != digest {
		t.Errorf("exported %+v, want digest %s", rows, digest)
	}
	if out := must("images", "export", "tiny", "-"); len(out) == 0 {
		t.Error("nothing is exported to standard output")
	}
	if rows := rowsOf(t, must("images", "prune", "--json")); len(rows) != 0 {
		t.Errorf("pruned what the catalogue wants: %+v", rows)
	}
	if rows := rowsOf(t, must("images", "import", file, "--json")); len(rows) != 1 || rows[0].Digest != digest {
		t.Errorf("imported %+v, want digest %s", rows, digest)
	}
	rows = rowsOf(t, must("images", "list", "--json"))
	if len(rows) != 2 || !rows[0].Present || rows[1].Present || rows[1].HowToGet == "" {
		t.Errorf("list gives %+v", rows)
	}
	must("images", "prune", "--cache")
	entries, err := os.ReadDir(os.Getenv("OPTIMUS_CACHE"))
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, error %v", entries, err)
	}
	if out := must("images", "build", "--dockerfile", "tiny"); !strings.HasPrefix(out, "FROM debian:trixie-slim\n") {
		t.Errorf("Dockerfile %q", out)
	}
}

func TestPruneAsksFirst(t *testing.T) {
	run := imageCommands(t)
	if _, _, err := run("images", "build", "tiny"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "languages.json")
	other := `{"languages": [{"name": "other", "version": "1", "image": "registry.test/other:one", "source_file": "main", "run": ["./main"]}]}`
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OPTIMUS_CATALOGUE", file)
	if _, _, err := run("images", "prune"); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "remove optimus.local/tiny:one") {
		t.Errorf("unasked, prune gives %v", err)
	}
	present := func() int {
		stdout, _, err := run("images", "list", "--json")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(stdout, `"present": true`)
	}
	if n := present(); n != 1 {
		t.Errorf("%d images are there after a prune that was not confirmed", n)
	}
	stdout, _, err := run("images", "prune", "--yes", "--json")
	if rows := rowsOf(t, stdout); err != nil || len(rows) != 1 || rows[0].Ref != "optimus.local/tiny:one" {
		t.Errorf("pruned %+v, error %v", rows, err)
	}
	if n := present(); n != 0 {
		t.Errorf("%d images are left", n)
	}
}

func TestImagesCommandErrors(t *testing.T) {
	run := imageCommands(t)
	for _, test := range []struct {
		args  string
		usage bool
		want  string
	}{
		{"images build", true, "--all"},
		{"images prune tiny", true, `takes no arguments, but has "tiny"`},
		{"images build tiny --all", true, "--all"},
		{"images build tyni", false, `did you mean "tiny"`},
		{"images build pulled", false, "optimus admin images pull pulled"},
		{"images build --dockerfile", true, "name one language"},
		{"images pull", true, "name what to pull"},
		{"images pull nonesuch", false, "registry"},
		{"images import", true, "name the archives"},
		{"images import /absent.tar", false, "no such file"},
		{"images export tiny", true, "name an image and a file"},
		{"images export tiny /tmp/never-written.tar", false, "optimus admin images"},
	} {
		_, _, err := run(strings.Fields(test.args)...)
		if err == nil || !strings.Contains(err.Error(), test.want) || (ExitCode(err) == ExitUsage) != test.usage {
			t.Errorf("%s: error %v with exit code %d; want %q, usage %v", test.args, err, ExitCode(err), test.want, test.usage)
		}
	}
	if left, _ := filepath.Glob("/tmp/*never-written.tar*"); len(left) > 0 {
		t.Errorf("a failed export leaves %q", left)
	}
}

func TestDoctorCommand(t *testing.T) {
	run := imageCommands(t)
	stdout, _, err := run("doctor", "--json")
	var checks []containerd.Check
	if jsonErr := json.Unmarshal([]byte(stdout), &checks); jsonErr != nil || len(checks) < 10 {
		t.Fatalf("%v in %q", jsonErr, stdout)
	}
	if (err != nil) != containerd.Failed(checks) {
		t.Errorf("error %v with %+v", err, checks)
	}
	stdout, _, _ = run("doctor")
	for _, want := range []string{"ok    kernel", "image of tiny", "→ optimus admin images build tiny"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("doctor says\n%s\nwant %q in it", stdout, want)
		}
	}
}

func TestDoctorFails(t *testing.T) {
	t.Parallel()
	app := &cli.App{Flags: configFlags(), ExitErrHandler: func(*cli.Context, error) {}, Action: func(c *cli.Context) error {
		return examine(c, Process{Stdout: io.Discard, Stderr: io.Discard}, func(_ context.Context, o containerd.DoctorOptions) []containerd.Check {
			if len(o.Images) == 0 || o.DataDir == "" || o.Daemon.Dir == "" {
				t.Errorf("options %+v", o)
			}
			return []containerd.Check{{Name: "kernel", Status: containerd.StatusFail, Detail: "old", Fix: "new"}}
		})
	}}
	err := runApp(t, app, []string{"optimus", "--data", t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "1 of 1") {
		t.Errorf("error %v", err)
	}
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var out bytes.Buffer
	l := &progressLine{w: &out, now: func() time.Time { return now }}
	tell := l.of("cpp")
	building := containerd.Progress{Stage: "build", Detail: "extracting archives"}
	tell(building)
	now = now.Add(4 * time.Second)
	tell(building) // too soon to say it again
	now = now.Add(2 * time.Second)
	tell(building)
	tell(containerd.Progress{Stage: "import", Done: 5e6, Total: 10e6})
	const want = "cpp: build: extracting archives, 0s\ncpp: build: extracting archives, 6s\ncpp: import: 5.0 MB of 10.0 MB, 6s\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	l.terminal = true
	tell(building)
	l.clear()
	l.clear()
	if want := "\r\x1b[Kcpp: build: extracting archives, 6s\r\x1b[K"; out.String() != want {
		t.Errorf("on a terminal got %q, want %q", out.String(), want)
	}
}
