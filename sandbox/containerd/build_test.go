package containerd

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeDebootstrap puts a mmdebstrap in front of PATH that does what the shell script says.
// $FILES is a tar of one file; $DIR is a folder of the test's own.
func fakeDebootstrap(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var files bytes.Buffer
	tw := tar.NewWriter(&files)
	err := errors.Join(
		tw.WriteHeader(&tar.Header{Name: "etc/hello", Mode: 0o644, Size: 6, ModTime: buildTime()}),
		second(tw.Write([]byte("hello\n"))),
		tw.Close(),
		os.WriteFile(filepath.Join(dir, "files.tar"), files.Bytes(), 0o600),
		os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte("#!/bin/sh\nDIR="+dir+"; FILES=$DIR/files.tar\n"+script), 0o700), //nolint:gosec // a program
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("OPTIMUS_DEBIAN_MIRROR", "http://mirror.test/debian")
	return dir
}

func second(_ int, err error) error { return err }

// wholeBuild is a script that succeeds, and counts how often it was run.
const wholeBuild = `
echo run >>$DIR/runs
for a in "$@"; do echo "$a"; done >$DIR/args
echo "I: extracting archives..." >&2
cat $FILES
`

func buildOptions(t *testing.T) BuildOptions {
	t.Helper()
	return BuildOptions{
		Recipe:   Recipe{Suite: "trixie", Packages: []string{"dash", "g++"}, Hooks: []string{"echo 'it''s'"}},
		Ref:      "optimus.local/made:trixie",
		CacheDir: t.TempDir(),
	}
}

// assertOnlyArchives wants nothing but finished archives in the cache.
func assertOnlyArchives(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), archiveSuffix) {
			t.Errorf("left in the cache: %s", e.Name())
		}
	}
	if len(entries) != want {
		t.Errorf("the cache holds %v, want %d archives", entries, want)
	}
}

func lineCount(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

func TestBuild(t *testing.T) {
	dir := fakeDebootstrap(t, wholeBuild)
	o := buildOptions(t)
	var mu sync.Mutex
	var steps []string
	o.Progress = func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, p.Stage+" "+p.Detail)
	}
	a, err := Build(t.Context(), o)
	if err != nil || a.Cached || a.Size == 0 {
		t.Fatalf("archive %+v, error %v", a, err)
	}
	if !slices.Contains(steps, "build starting") {
		t.Errorf("progress %q", steps)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--include=dash,g++\n", "\ntrixie\n-\nhttp://mirror.test/debian\n", `'echo '\''it'\'''\''s'\'''`} {
		if !strings.Contains(string(args), want) {
			t.Errorf("arguments %q, want %q in them", args, want)
		}
	}
	again, err := Build(t.Context(), o)
	if err != nil || !again.Cached || again.Path != a.Path || again.Size != a.Size {
		t.Errorf("again: archive %+v, error %v", again, err)
	}
	o.Rebuild = true
	before, _ := os.ReadFile(a.Path)
	if _, err := Build(t.Context(), o); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(a.Path); !bytes.Equal(before, after) {
		t.Error("the same files made another archive")
	}
	if n := lineCount(t, filepath.Join(dir, "runs")); n != 2 {
		t.Errorf("built %d times, want 2", n)
	}
	assertOnlyArchives(t, o.CacheDir, 1)
}

func TestBuiltImageIsImported(t *testing.T) {
	fakeDebootstrap(t, wholeBuild)
	options, _ := privateOptions(t)
	images := connect(t, options).Images()
	img, err := images.Build(t.Context(), buildOptions(t))
	if err != nil || img.Ref != "optimus.local/made:trixie" || !img.Unpacked {
		t.Fatalf("image %+v, error %v", img, err)
	}
	config, err := images.Config(t.Context(), img)
	if err != nil || !slices.Equal(config.Env, imageEnv()) || config.WorkingDir != WorkDir {
		t.Errorf("config %+v, error %v", config, err)
	}
}

func TestOneBuildWaitsForAnother(t *testing.T) {
	dir := fakeDebootstrap(t, `
echo run >>$DIR/runs
read go <$DIR/go
cat $FILES
`)
	if err := unix.Mkfifo(filepath.Join(dir, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := buildOptions(t)
	waits := make(chan struct{})
	var once sync.Once
	o.Progress = func(p Progress) {
		if p.Stage == "wait" {
			once.Do(func() { close(waits) })
		}
	}
	results := make(chan Archive, 2)
	for range 2 {
		go func() {
			a, err := Build(t.Context(), o)
			if err != nil {
				t.Error(err)
			}
			results <- a
		}()
	}
	select {
	case <-waits:
	case <-time.After(testTimeout):
		t.Fatal("the second build does not wait")
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	one, two := <-results, <-results
	if one.Path != two.Path || one.Cached == two.Cached {
		t.Errorf("archives %+v and %+v: want one built, the other found", one, two)
	}
	if n := lineCount(t, filepath.Join(dir, "runs")); n != 1 {
		t.Errorf("built %d times, want once", n)
	}
}

// stubborn is a build that mounts, and whose processes hear no SIGTERM; they hold $DIR/alive open.
const stubborn = `
exec 3>$DIR/alive
mkdir $TMPDIR/root && mount -t tmpfs none $TMPDIR/root && touch $TMPDIR/root/file
trap '' TERM
setsid sleep 1000 &
echo "I: at work" >&2
wait
`

// aliveIn makes $DIR/alive, and gives what waits until no process has it open for writing any more.
func aliveIn(t *testing.T, dir string) (awaitEnd func()) {
	t.Helper()
	pipe := filepath.Join(dir, "alive")
	err := unix.Mkfifo(pipe, 0o600)
	hold, openErr := os.OpenFile(pipe, os.O_RDWR, 0) // so that nobody waits for another end
	if err := errors.Join(err, openErr); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		r, err := os.Open(pipe)
		if err := errors.Join(err, hold.Close()); err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.SetReadDeadline(time.Now().Add(testTimeout)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("processes of the build still run: %v", err)
		}
	}
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	dir := fakeDebootstrap(t, stubborn)
	awaitEnd := aliveIn(t, dir)
	o := buildOptions(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Detail == "at work" {
			cancel()
		}
	}
	if _, err := Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	assertOnlyArchives(t, o.CacheDir, 0)
	assertNothingLeft(t, o.CacheDir)
	awaitEnd()
}

// envBuild has the test's own binary build into that cache folder.
const envBuild = "OPTIMUS_TEST_BUILD"

// TestKilledBuilderLeavesNothing that runs or is mounted, and what it leaves on the disk the next
// prune removes.
func TestKilledBuilderLeavesNothing(t *testing.T) {
	if cache := os.Getenv(envBuild); cache != "" {
		o := buildOptions(t)
		o.CacheDir = cache
		o.Progress = func(p Progress) { _, _ = os.Stdout.WriteString(p.Detail + "\n") }
		_, err := Build(t.Context(), o)
		t.Fatal(err)
	}
	dir := fakeDebootstrap(t, stubborn)
	awaitEnd, cache := aliveIn(t, dir), t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledBuilderLeavesNothing$")
	cmd.Env = append(os.Environ(), envBuild+"="+cache, "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "at work"; {
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	awaitEnd()
	assertNothingLeft(t, cache)
	if _, err := PruneCache(t.Context(), cache, nil); err != nil {
		t.Error(err)
	}
	assertOnlyArchives(t, cache, 0)
}

func TestFailedBuildSaysWhy(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"mirror":  {"echo 'E: Failed to fetch http://x  Could not resolve host' >&2; exit 1", "OPTIMUS_DEBIAN_MIRROR"},
		"package": {"echo 'E: Unable to locate package nonesuch' >&2; echo 'I: cleaning' >&2; exit 100", "Unable to locate package nonesuch"},
		"silent":  {"exit 3", "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeDebootstrap(t, test.script)
			o := buildOptions(t)
			if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			assertOnlyArchives(t, o.CacheDir, 0)
		})
	}
}

func TestKilledBuildsLeftoversAreRemoved(t *testing.T) {
	fakeDebootstrap(t, wholeBuild)
	o := buildOptions(t)
	left := filepath.Join(o.CacheDir, workPrefix+"123")
	if err := os.MkdirAll(filepath.Join(left, "tmp/root"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", filepath.Join(left, "tmp/root"), "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	assertOnlyArchives(t, o.CacheDir, 1)
}

func TestPruneCache(t *testing.T) {
	fakeDebootstrap(t, wholeBuild)
	keep, drop := buildOptions(t), buildOptions(t)
	drop.CacheDir = keep.CacheDir
	drop.Recipe.Packages = []string{"other"}
	kept, err := Build(t.Context(), keep)
	if err != nil {
		t.Fatal(err)
	}
	dropped, err := Build(t.Context(), drop)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := PruneCache(t.Context(), keep.CacheDir, []BuildOptions{keep})
	if err != nil || !slices.Equal(removed, []string{dropped.Path}) {
		t.Errorf("removed %q, error %v", removed, err)
	}
	if _, err := os.Stat(kept.Path); err != nil {
		t.Error(err)
	}
}

func TestRecipeFaultsAreAllTold(t *testing.T) {
	t.Parallel()
	err := Recipe{Suite: "Trixie!", Packages: []string{"ok", "--evil"}, Hooks: []string{" "}}.Validate()
	for _, want := range []string{`"Trixie!"`, `"--evil"`, `hook " "`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s in it", err, want)
		}
	}
	if err := (Recipe{Suite: "trixie"}).Validate(); err == nil {
		t.Error("a recipe without packages is accepted")
	}
}

func TestRecipeKey(t *testing.T) {
	t.Parallel()
	key := func(r Recipe) string {
		k, err := r.key()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := Recipe{Suite: "trixie", Packages: []string{"a", "b"}}
	same := Recipe{Suite: "trixie", Packages: []string{"b", "a"}, Mirror: "http://elsewhere"}
	if key(base) != key(same) {
		t.Error("the order of packages, or the mirror, changes the key")
	}
	if other := (Recipe{Suite: "trixie", Packages: []string{"a", "b"}, Hooks: []string{"true"}}); key(base) == key(other) {
		t.Error("a hook does not change the key")
	}
	if !slices.Equal(same.Packages, []string{"b", "a"}) {
		t.Error("the recipe was changed")
	}
}

func TestAptMirror(t *testing.T) {
	t.Parallel()
	const targets = "Debian\tDebian-Security\thttp://security.test\nOther\tOther\thttp://other.test\n" +
		"Debian\tDebian\thttp://near.test/debian\nDebian\tDebian\thttp://near.test/debian\n"
	if got := aptMirror(targets); got != "http://near.test/debian" {
		t.Errorf("got %q", got)
	}
	if got := aptMirror("Ubuntu\tUbuntu\thttp://ubuntu.test\n"); got != "" {
		t.Errorf("got %q for a machine that is not Debian", got)
	}
}

func TestCacheDir(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"optimus": {map[string]string{"OPTIMUS_CACHE": "/o", "XDG_CACHE_HOME": "/x"}, "/o"},
		"xdg":     {map[string]string{"XDG_CACHE_HOME": "/x"}, "/x/optimus/images"},
		"root":    {nil, "/var/cache/optimus/images"},
	} {
		got, err := CacheDir(func(k string) string { return test.env[k] })
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	got, err := RenderDockerfile(Recipe{Suite: "trixie", Packages: []string{"g++", "dash"}, Hooks: []string{`test -e "$HOME"`}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"FROM debian:trixie-slim\n", `ENV LANG="C.UTF-8"`, "dash \\\n      g++; \\\n",
		`RUN ["/bin/sh","-ec","test -e \"$HOME\""]`, "WORKDIR /work\n", "path-exclude=/usr/share/doc/*",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Dockerfile\n%s\nwant %q in it", got, want)
		}
	}
	if _, err := RenderDockerfile(Recipe{}); err == nil {
		t.Error("an empty recipe is rendered")
	}
}

func TestBuildStep(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"I: running apt-get update...":                      "running apt-get update",
		"I: running --customize-hook in shell: sh -c 'x' y": "running hooks",
		"I: removing tempdir /x...":                         "",
		"W: something":                                      "",
	} {
		if got, _ := buildStep(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestBuildReport(t *testing.T) {
	t.Parallel()
	r := &buildReport{build: &imageBuild{}}
	for _, part := range []string{"I: on", "e...\rI: two...\nla", "st\n\n"} {
		if _, err := r.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if r.detail != "two" || !slices.Equal(r.last, []string{"I: one...", "I: two...", "last"}) {
		t.Errorf("detail %q, lines %q", r.detail, r.last)
	}
}
