package containerd

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDebianBuild builds with the real mmdebstrap from the machine's mirror, once: later runs
// find the archive in the cache.
func TestDebianBuild(t *testing.T) {
	o := BuildOptions{
		Recipe: Recipe{Suite: "trixie", Packages: []string{"dash"}, Hooks: []string{"echo made >/etc/made"}},
		Ref:    "optimus.local/base:trixie",
	}
	a, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MB at %s, cached %v", a.Size/1_000_000, a.Path, a.Cached)
	names := layerFiles(t, a.Path)
	for _, want := range []string{"./usr/bin/dash", "./work/", "./etc/made"} {
		if !slices.Contains(names, want) {
			t.Errorf("the image has no %s", want)
		}
	}
	for _, name := range names {
		unwanted := strings.HasPrefix(name, "./usr/share/doc/") || strings.HasPrefix(name, "./usr/share/man/") ||
			strings.HasPrefix(name, "./var/lib/apt/lists/")
		if unwanted && !strings.HasSuffix(name, "/") && !strings.HasSuffix(name, "/lock") {
			t.Errorf("the image has %s", name)
		}
	}
	options, _ := privateOptions(t)
	images := connect(t, options).Images()
	img, err := images.Build(t.Context(), o)
	if err != nil || !img.Unpacked {
		t.Errorf("image %+v, error %v", img, err)
	}
}

// layerFiles lists the files of a built archive's layer.
func layerFiles(t *testing.T, archive string) []string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	outer := tar.NewReader(f)
	for {
		h, err := outer.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			break // the layer is the first blob
		}
	}
	var names []string
	for layer := tar.NewReader(outer); ; {
		h, err := layer.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}
