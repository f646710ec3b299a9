package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const root = "../../.."

// small is a static program that takes no time to build.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, "optimus"), source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "optimus")
}

func testRecipe(t *testing.T) recipe {
	t.Helper()
	return recipe{root: root, binary: small(t), version: "v1", revision: "abc", made: time.Unix(1700000000, 0).UTC()}
}

// stage is the Dockerfile's last one, read by BuildKit's own parser.
func stage(t *testing.T) (instructions.Stage, []instructions.Stage) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range tree.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	stages, _, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages[len(stages)-1], stages
}

// described is what the last stage of a Dockerfile comes to.
type described struct {
	files  []entry
	config v1.Config
}

// read follows a stage's instructions, as far as this Dockerfile has them: any other is an error.
func read(s instructions.Stage) (described, error) {
	args := map[string]string{"VERSION": "v1", "REVISION": "abc"} // as testRecipe
	expand := func(word string) string { return os.Expand(word, func(name string) string { return args[name] }) }
	d := described{config: v1.Config{WorkingDir: "/", Labels: map[string]string{}, ExposedPorts: map[string]struct{}{}}}
	for _, c := range s.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			mode, err := strconv.ParseInt(c.Chmod, 8, 64)
			owner, _, _ := strings.Cut(c.Chown, ":")
			uid, uidErr := strconv.Atoi(owner)
			if err != nil || uidErr != nil || c.Chown != owner+":"+owner || len(c.SourcePaths) != 1 {
				return d, fmt.Errorf("%s: want one source, --chown=N:N and --chmod", c)
			}
			d.files = append(d.files, entry{
				path: c.DestPath, mode: mode, owner: uid, from: c.SourcePaths[0], dir: c.SourcePaths[0] == "/out/empty",
			})
		case *instructions.EnvCommand:
			for _, kv := range c.Env {
				d.config.Env = append(d.config.Env, kv.Key+"="+expand(kv.Value))
			}
		case *instructions.LabelCommand:
			for _, kv := range c.Labels {
				d.config.Labels[strings.Trim(kv.Key, `"`)] = expand(strings.Trim(kv.Value, `"`))
			}
		case *instructions.ExposeCommand:
			for _, port := range c.Ports {
				d.config.ExposedPorts[port+"/tcp"] = struct{}{}
			}
		case *instructions.UserCommand:
			d.config.User = c.User
		case *instructions.EntrypointCommand:
			d.config.Entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			d.config.Cmd = c.CmdLine
		case *instructions.ArgCommand:
		default:
			return d, fmt.Errorf("the last stage has %s, which make image knows nothing of", c)
		}
	}
	return d, nil
}

func TestDockerfileAndImageAreTheSame(t *testing.T) {
	t.Parallel()
	last, stages := stage(t)
	if last.BaseName != "scratch" || len(stages) != 2 || stages[0].Name != "build" {
		t.Errorf("the Dockerfile has %d stages, the last from %s; want build, then scratch", len(stages), last.BaseName)
	}
	said, err := read(last)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(said.files, entries()) {
		t.Errorf("the Dockerfile copies\n%+v\nmake image has\n%+v", said.files, entries())
	}
	img, err := testRecipe(t).build()
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", file.Config), fmt.Sprintf("%+v", said.config); got != want {
		t.Errorf("make image's configuration is\n%s\nthe Dockerfile's\n%s", got, want)
	}
	// The layer itself, not the list that it was made from.
	for _, e := range said.files {
		h, ok := layerOf(t, img)[strings.TrimPrefix(e.path, "/")]
		if !ok || h.Mode != e.mode || h.Uid != e.owner || h.Gid != e.owner || (h.Typeflag == tar.TypeDir) != e.dir {
			t.Errorf("%s is in the layer as %+v", e.path, h)
		}
	}
}

// TestDockerfileBuildsTheSameProgram holds the program's flags and the list of authorities to those of make.
func TestDockerfileBuildsTheSameProgram(t *testing.T) {
	t.Parallel()
	_, stages := stage(t)
	var runs []string
	for _, c := range stages[0].Commands {
		if run, ok := c.(*instructions.RunCommand); ok {
			runs = append(runs, strings.Join(run.CmdLine, " "))
		}
	}
	script := strings.Join(runs, "\n")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for makes, docker := range map[string]string{
		"CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'": "CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags ",
		"LDFLAGS := -s -w -X main.version=$(VERSION)":                            `"-s -w -X main.version=$VERSION"`,
	} {
		if !strings.Contains(string(makefile), makes) || !strings.Contains(script, docker) {
			t.Errorf("want %q in the Makefile and %q in the Dockerfile, which has\n%s", makes, docker, script)
		}
	}
	if !strings.Contains(script, authorities) {
		t.Errorf("the Dockerfile takes other authorities than %s:\n%s", authorities, script)
	}
}

// TestContextHoldsWhatIsBuilt looks up what .dockerignore leaves: every file of the binary's packages, and what
// is copied from there.
func TestContextHoldsWhatIsBuilt(t *testing.T) {
	t.Parallel()
	f, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		`{{if and .Module .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}`, ".")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	repository, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{"go.mod", "go.sum"}
	for _, e := range entries() {
		if !strings.HasPrefix(e.from, "/") {
			needed = append(needed, e.from)
		}
	}
	for path := range strings.FieldsSeq(string(out)) {
		needed = append(needed, strings.TrimPrefix(path, repository+"/"))
	}
	if len(needed) < 100 {
		t.Errorf("only %d files are needed", len(needed))
	}
	for _, path := range needed {
		if skip, err := ignored.MatchesOrParentMatches(path); err != nil || skip {
			t.Errorf(".dockerignore leaves out %s, which is needed (%v)", path, err)
		}
	}
	for _, path := range []string{".git/HEAD", "optimus", "dist/optimus-image.tar", "modes/app_test.go", "secrets/api_key", ".tools/go.mod"} {
		if skip, err := ignored.MatchesOrParentMatches(path); err != nil || !skip {
			t.Errorf(".dockerignore lets %s in (%v)", path, err)
		}
	}
}

func TestSameSourcesGiveTheSameImage(t *testing.T) {
	t.Parallel()
	r := testRecipe(t)
	dir := t.TempDir()
	var sums [2][sha256.Size]byte
	for i := range sums {
		r.binary = small(t) // built anew, elsewhere
		file := filepath.Join(dir, strconv.Itoa(i), "image.tar")
		if err := run(r, "registry.example/optimus:v1", file); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(data)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds give %x and %x", sums[0], sums[1])
	}
	r.version = "v2"
	other := filepath.Join(dir, "other.tar")
	if err := run(r, "registry.example/optimus:v1", other); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(other); err != nil || sha256.Sum256(data) == sums[0] {
		t.Errorf("another version gives the same image (%v)", err)
	}
}

func TestEveryAuthorityIsThere(t *testing.T) {
	t.Parallel()
	data, err := readAuthorities(authorities)
	if err != nil || bytes.Count(data, []byte("BEGIN CERTIFICATE")) < 50 {
		t.Errorf("%d certificates, error %v", bytes.Count(data, []byte("BEGIN CERTIFICATE")), err)
	}
	if _, err := readAuthorities(filepath.Join(t.TempDir(), "*.crt")); err == nil {
		t.Error("no certificates at all are no error")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	if err := run(testRecipe(t), "optimus", filepath.Join(t.TempDir(), "a.tar")); err == nil || !strings.Contains(err.Error(), "registry and tag") {
		t.Errorf("a name without registry gives %v", err)
	}
	r := testRecipe(t)
	r.binary = "/bin/sh"
	if _, err := r.build(); err == nil || !strings.Contains(err.Error(), "not static") {
		t.Errorf("a program with a loader gives %v", err)
	}
}

// layerOf reads the image's files as whoever unpacks it.
func layerOf(t *testing.T, img v1.Image) map[string]*tar.Header {
	t.Helper()
	files := mutate.Extract(img)
	defer files.Close()
	found := map[string]*tar.Header{}
	r := tar.NewReader(files)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if !fs.ValidPath(strings.TrimSuffix(h.Name, "/")) {
			t.Errorf("the layer has %q", h.Name)
		}
		if !h.ModTime.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s is of %s: no time but the commit's may be in an image", h.Name, h.ModTime)
		}
		found[strings.TrimSuffix(h.Name, "/")] = h
	}
}

func TestLayerHoldsNothingElse(t *testing.T) {
	t.Parallel()
	img, err := testRecipe(t).build()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, e := range entries() {
		for _, dir := range append(parents(e.path), e.path) {
			want[strings.TrimPrefix(dir, "/")] = true
		}
	}
	got := slices.Sorted(maps.Keys(layerOf(t, img)))
	if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("the layer has %q", got)
	}
}
