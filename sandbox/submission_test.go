package sandbox_test

import (
	"errors"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"optimus/sandbox"
)

func TestSource(t *testing.T) {
	t.Parallel()
	src := sandbox.Source{Files: []sandbox.File{{Name: "a", Content: []byte("123")}, {Name: "b", Content: []byte("45")}}}
	if src.Main() != "a" || src.Size() != 5 {
		t.Errorf("main %q, size %d", src.Main(), src.Size())
	}
	if empty := (sandbox.Source{}); empty.Main() != "" || empty.Size() != 0 {
		t.Error("a source without files has neither a main file nor a size")
	}
}

func TestValidFileName(t *testing.T) {
	t.Parallel()
	valid := []string{"main.py", "a/b/c.h", ".hidden", "...", "a..b", "größe.txt", "a b", "a-b", strings.Repeat("x", 255), strings.Repeat("d/", 15) + "x"}
	invalid := []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "a/../b", "a/..", "./a", "a/./b", "a//b", "a/", "a\x00b", "a\nb", "\x7f",
		"-o", "a/-o", "--output=x", strings.Repeat("x", 256), strings.Repeat("d/", 16) + "x",
	}
	for _, name := range valid {
		if err := sandbox.ValidFileName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range invalid {
		if err := sandbox.ValidFileName(name); !errors.Is(err, sandbox.ErrFileName) {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

// FuzzValidFileName: what is valid stays below the folder that it is joined to, as it stands.
func FuzzValidFileName(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", "/x", "a\x00", "-x", "a//b", "a/.", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if sandbox.ValidFileName(name) != nil {
			return
		}
		if joined := path.Join("/work", name); joined != "/work/"+name || !filepath.IsLocal(name) || strings.ContainsAny(name, "\x00\n") {
			t.Errorf("%q is valid, and leads to %q", name, joined)
		}
	})
}
