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
	"syscall"
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

// configured gives what a stage says of how its image is run, as far as this Dockerfile does: any other instruction
// is an error, but for the one that copies the files.
func configured(s instructions.Stage) (v1.Config, error) {
	args := map[string]string{"VERSION": "v1", "REVISION": "abc"} // as testRecipe
	expand := func(word string) string { return os.Expand(word, func(name string) string { return args[name] }) }
	config := v1.Config{WorkingDir: "/", Labels: map[string]string{}, ExposedPorts: map[string]struct{}{}}
	for _, c := range s.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			if c.From != "build" || c.Chmod+c.Chown != "" || !slices.Equal(c.SourcePaths, []string{"/out/root/"}) || c.DestPath != "/" {
				return config, fmt.Errorf("want COPY --from=build /out/root/ /, which keeps modes and owners; have %s", c)
			}
		case *instructions.EnvCommand:
			for _, kv := range c.Env {
				config.Env = append(config.Env, kv.Key+"="+expand(kv.Value))
			}
		case *instructions.LabelCommand:
			for _, kv := range c.Labels {
				config.Labels[strings.Trim(kv.Key, `"`)] = expand(strings.Trim(kv.Value, `"`))
			}
		case *instructions.ExposeCommand:
			for _, port := range c.Ports {
				config.ExposedPorts[port+"/tcp"] = struct{}{}
			}
		case *instructions.UserCommand:
			config.User = c.User
		case *instructions.EntrypointCommand:
			config.Entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			config.Cmd = c.CmdLine
		case *instructions.ArgCommand:
		default:
			return config, fmt.Errorf("the last stage has %s, which make image knows nothing of", c)
		}
	}
	return config, nil
}

func TestDockerfileAndImageAreRunTheSame(t *testing.T) {
	t.Parallel()
	last, stages := stage(t)
	if last.BaseName != "scratch" || len(stages) != 2 || stages[0].Name != "build" {
		t.Errorf("the Dockerfile has %d stages, the last from %s; want build, then scratch", len(stages), last.BaseName)
	}
	said, err := configured(last)
	if err != nil {
		t.Fatal(err)
	}
	img, err := testRecipe(t).build()
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", file.Config), fmt.Sprintf("%+v", said); got != want {
		t.Errorf("make image's configuration is\n%s\nthe Dockerfile's\n%s", got, want)
	}
}

// TestDockerfileAndImageHoldTheSame carries out the instruction of the Dockerfile that puts the image's files together,
// and compares every file and folder with the layer.
func TestDockerfileAndImageHoldTheSame(t *testing.T) {
	t.Parallel()
	r := testRecipe(t)
	out := t.TempDir()
	program, err := os.ReadFile(r.binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "optimus"), program, 0o700); err != nil {
		t.Fatal(err)
	}
	scripts := runs(t)
	script := strings.ReplaceAll(scripts[len(scripts)-1], "/out", out)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, said)
	}
	want := treeOf(t, filepath.Join(out, "root"))
	img, err := r.build()
	if err != nil {
		t.Fatal(err)
	}
	got := layerOf(t, img)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is %s in make image, %s in the Dockerfile", name, got[name], want[name])
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is in make image, and not in the Dockerfile", name)
	}
	if len(want) < 15 {
		t.Errorf("the Dockerfile has only %d files and folders", len(want))
	}
}

// runs gives the commands of the Dockerfile's first stage.
func runs(t *testing.T) []string {
	t.Helper()
	_, stages := stage(t)
	var all []string
	for _, c := range stages[0].Commands {
		if run, ok := c.(*instructions.RunCommand); ok {
			all = append(all, strings.Join(run.CmdLine, " "))
		}
	}
	return all
}

// facts is what two files of the same path have in common where they are the same.
func facts(folder bool, mode fs.FileMode, uid, gid int, data []byte) string {
	return fmt.Sprintf("folder %t, mode %s, owner %d:%d, %d bytes %x", folder, mode, uid, gid, len(data), sha256.Sum256(data))
}

// treeOf gives the facts of all files in a folder.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var data []byte
		if info.Mode().IsRegular() {
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		owner := info.Sys().(*syscall.Stat_t)
		found[strings.TrimPrefix(path, dir+"/")] = facts(info.IsDir(), info.Mode()&^fs.ModeDir, int(owner.Uid), int(owner.Gid), data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestDockerfileBuildsTheSameProgram holds the program's flags and the list of authorities to those of make.
func TestDockerfileBuildsTheSameProgram(t *testing.T) {
	t.Parallel()
	script := strings.Join(runs(t), "\n")
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
		if e.from != "" && e.from[0] != '(' {
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

// layerOf gives the facts of all files of the image, as whoever unpacks it sees them.
func layerOf(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	files := mutate.Extract(img)
	defer files.Close()
	found := map[string]string{}
	r := tar.NewReader(files)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s is of %s: no time but the commit's may be in an image", h.Name, h.ModTime)
		}
		info := h.FileInfo()
		found[strings.TrimSuffix(h.Name, "/")] = facts(info.IsDir(), info.Mode()&^fs.ModeDir, h.Uid, h.Gid, data)
	}
}
