package containerd

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"optimus/sandbox"
)

// tinyProgram is the tests' image: it says hello and, with an argument, waits for its end.
const tinyProgram = `package main

import (
	"os"
	"time"
)

func main() {
	os.Stdout.WriteString("hello from a box\n")
	if len(os.Args) > 1 {
		time.Sleep(time.Hour)
	}
}
`

// tinyArchive makes an OCI archive whose image holds one static program, /hello, and a file
// that makes its digest differ from that of another mark.
func tinyArchive(t *testing.T, ref, mark string) string {
	t.Helper()
	return programArchive(t, ref, mark, tinyProgram)
}

// programArchive is tinyArchive with another program.
func programArchive(t *testing.T, ref, mark, program string) string {
	t.Helper()
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "hello")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test's program: %v: %s", err, out)
	}
	compiled, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "tiny.oci.tar")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newArchiveWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(w)
	for name, content := range map[string][]byte{"hello": compiled, "mark": []byte(mark)} {
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), ModTime: buildTime()}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	config := ocispec.ImageConfig{Env: []string{"PATH=/", "MARK=" + mark}, Entrypoint: []string{"/hello"}, WorkingDir: "/"}
	if err := errors.Join(tw.Close(), w.finish(ref, config), f.Close()); err != nil {
		t.Fatal(err)
	}
	return archive
}

// importOne imports an archive of one image.
func importOne(t *testing.T, images *Images, archive string) Image {
	t.Helper()
	list, err := images.ImportFile(t.Context(), archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("imported %d images, want 1", len(list))
	}
	return list[0]
}

func TestImages(t *testing.T) {
	o, _ := privateOptions(t)
	images := connect(t, o).Images()
	ctx := t.Context()
	const ref = "optimus.local/tiny:one"

	if _, err := images.Get(ctx, ref); !errors.Is(err, sandbox.ErrImageMissing) {
		t.Fatalf("error %v, want ErrImageMissing", err)
	}
	archive := tinyArchive(t, ref, "one")
	var seen []Progress
	list, err := images.ImportFile(ctx, archive, func(p Progress) { seen = append(seen, p) })
	if err != nil {
		t.Fatal(err)
	}
	img := list[0]
	if img.Ref != ref || !img.Unpacked || img.Size < 1<<20 || !strings.HasPrefix(img.Digest, "sha256:") {
		t.Errorf("imported %+v", img)
	}
	info, err := os.Stat(archive)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(seen, func(p Progress) bool { return p.Stage == "import" && p.Done == info.Size() && p.Total == p.Done }) {
		t.Errorf("progress %+v never tells the whole file", seen)
	}
	config, err := images.Config(ctx, img)
	if err != nil || !slices.Contains(config.Env, "MARK=one") || !slices.Equal(config.Entrypoint, []string{"/hello"}) {
		t.Errorf("config %+v, error %v", config, err)
	}
	if label := img.Handle.Labels()[LabelOwner]; label != imageLabel {
		t.Errorf("label %q", label)
	}

	t.Run("again", func(t *testing.T) {
		seen = nil
		again, err := images.ImportFile(ctx, archive, func(p Progress) { seen = append(seen, p) })
		if err != nil || len(again) != 1 || again[0].Digest != img.Digest {
			t.Errorf("imported %+v, error %v", again, err)
		}
		if len(seen) != 0 {
			t.Errorf("what was present was read again: %+v", seen)
		}
	})
	t.Run("moved", func(t *testing.T) {
		moved := importOne(t, images, tinyArchive(t, ref, "two"))
		got, err := images.Get(ctx, ref)
		if err != nil || got.Digest != moved.Digest || got.Digest == img.Digest {
			t.Errorf("got %+v, error %v; want digest %s", got, err, moved.Digest)
		}
	})
	t.Run("stream", func(t *testing.T) {
		f, err := os.Open(archive)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		list, err := images.Import(ctx, f, nil)
		if err != nil || len(list) != 1 || list[0].Digest != img.Digest {
			t.Errorf("imported %+v, error %v", list, err)
		}
	})
}

func TestExportedImageComesBackTheSame(t *testing.T) {
	o, _ := privateOptions(t)
	images := connect(t, o).Images()
	ctx := t.Context()
	img := importOne(t, images, tinyArchive(t, "optimus.local/tiny:one", "one"))

	var archive bytes.Buffer
	if err := images.Export(ctx, img.Ref, &archive); err != nil {
		t.Fatal(err)
	}
	if err := images.Remove(ctx, img.Ref); err != nil {
		t.Fatal(err)
	}
	if err := images.Remove(ctx, img.Ref); !errors.Is(err, sandbox.ErrImageMissing) {
		t.Errorf("removed twice: error %v, want ErrImageMissing", err)
	}
	list, err := images.Import(ctx, &archive, nil)
	if err != nil || len(list) != 1 || list[0].Ref != img.Ref || list[0].Digest != img.Digest {
		t.Errorf("imported %+v, error %v; want %+v", list, err, img)
	}
}

func TestUnwantedImages(t *testing.T) {
	o, _ := privateOptions(t)
	images := connect(t, o).Images()
	ctx := t.Context()
	for _, name := range []string{"one", "two", "three"} {
		importOne(t, images, tinyArchive(t, "optimus.local/tiny:"+name, name))
	}
	unwanted, err := images.Unwanted(ctx, []string{"optimus.local/tiny:two", "optimus.local/absent"})
	if err != nil || len(unwanted) != 2 {
		t.Errorf("unwanted are %+v, error %v", unwanted, err)
	}
	for _, img := range unwanted {
		if err := images.Remove(ctx, img.Ref); err != nil {
			t.Error(err)
		}
	}
	left, err := images.List(ctx)
	if err != nil || len(left) != 1 || left[0].Ref != "optimus.local/tiny:two" || !left[0].Unpacked {
		t.Errorf("left %+v, error %v", left, err)
	}
}

func TestImportRefusesWhatIsNoArchive(t *testing.T) {
	o, _ := privateOptions(t)
	images := connect(t, o).Images()
	whole, err := os.ReadFile(tinyArchive(t, "optimus.local/tiny:one", "one"))
	if err != nil {
		t.Fatal(err)
	}
	for name, archive := range map[string]io.Reader{
		"text":  strings.NewReader("not an archive, but long enough to be looked at\n"),
		"empty": strings.NewReader(""),
		"cut":   bytes.NewReader(whole[:len(whole)/2]),
	} {
		if list, err := images.Import(t.Context(), archive, nil); err == nil {
			t.Errorf("%s: imported %+v", name, list)
		}
	}
	if list, err := images.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("images %+v, error %v", list, err)
	}
}

func TestFullRef(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"python":                       "docker.io/library/python:latest",
		"python:3.13":                  "docker.io/library/python:3.13",
		"optimus.local/python:trixie":  "optimus.local/python:trixie",
		"localhost:5000/a/b":           "localhost:5000/a/b:latest",
		"Not A Reference":              "",
		"":                             "",
		"optimus.local/python:trixie ": "",
	} {
		got, err := FullRef(ref)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("FullRef(%q) = %q, %v; want %q", ref, got, err, want)
		}
	}
}

func TestImagesSurviveTheDaemon(t *testing.T) {
	o, _ := privateOptions(t)
	first := connect(t, o)
	img := importOne(t, first.Images(), tinyArchive(t, "optimus.local/tiny:one", "one"))
	if err := first.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	got, err := connect(t, o).Images().Get(t.Context(), img.Ref)
	if err != nil || got.Digest != img.Digest || !got.Unpacked {
		t.Errorf("got %+v, error %v", got, err)
	}
}
