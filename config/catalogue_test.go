package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestShippedCatalogue(t *testing.T) {
	t.Parallel()
	c, err := LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range c.Languages {
		names = append(names, l.Name)
		if l.Sample == "" || l.Build == nil || !strings.HasPrefix(l.Image, "optimus.local/") {
			t.Errorf("%s: every shipped language has a sample and a recipe for an image of its own", l.Name)
		}
	}
	for _, name := range []string{"python", "cpp", "java", "rust"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing in %v", name, names)
		}
	}
	if err := Default().Limits.CheckCatalogue(c); err != nil {
		t.Errorf("with the default maxima: %v", err)
	}
}

func TestCheckCatalogue(t *testing.T) {
	t.Parallel()
	c, err := ParseCatalogue("x", []byte(`{"languages": [{"name": "x", "version": "1", "image": "a.b/x", "source_file": "m.x", "run": ["x"],
		"limits": {"stack": "2GiB", "memory": "4GiB", "disk": "3GiB"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	err = Default().Limits.CheckCatalogue(c)
	if err == nil {
		t.Fatal("limits above the maxima were let through")
	}
	for _, want := range []string{
		"3 faults", "language x 1: limits.memory = 4GiB: is above limits.memory of optimus.toml; must be at most 2GiB",
		"limits.stack = 2GiB", "limits.disk = 3GiB",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
	// A base limit counts as well.
	limits := Default().Limits
	limits.Processes = 10
	c.Languages[0].Limits = RunLimits{}
	if err := limits.CheckCatalogue(c); err == nil || !strings.Contains(err.Error(), "limits.processes = 64") {
		t.Errorf("a base limit above the maxima: %v", err)
	}
}

func TestRunLimitsOr(t *testing.T) {
	t.Parallel()
	got := RunLimits{Memory: MiB, Stack: KiB}.Or(BaseLimits())
	want := BaseLimits()
	want.Memory, want.Stack = MiB, KiB
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestCatalogueSaves(t *testing.T) {
	t.Parallel()
	c, err := LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "languages.json")
	for range 2 { // over nothing, and over a file
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	back, err := LoadCatalogue(path)
	if err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("what was saved reads as %+v, %v", back, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Languages[0].Run = nil
	if err := c.Save(path); err == nil {
		t.Error("a catalogue with a fault was saved")
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused save changed the file: %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := back.Save(filepath.Join(folder, "missing", "languages.json")); err == nil {
		t.Error("saved into a folder that is not there")
	}
}

func TestLoadCatalogueMissing(t *testing.T) {
	t.Parallel()
	_, err := LoadCatalogue("/nonexistent/languages.json")
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/languages.json: cannot be read: no such file") {
		t.Errorf("error %v", err)
	}
}

func TestCataloguePath(t *testing.T) {
	t.Parallel()
	c := Config{Data: t.TempDir()}
	if got := c.CataloguePath(); got != "" {
		t.Errorf("nothing is there: %q", got)
	}
	inData := filepath.Join(c.Data, "languages.json")
	if err := os.WriteFile(inData, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.CataloguePath(); got != inData {
		t.Errorf("in the data folder: %q", got)
	}
	c.Catalogue = "/etc/languages.json"
	if got := c.CataloguePath(); got != c.Catalogue {
		t.Errorf("stated: %q", got)
	}
}

func TestFileTooLarge(t *testing.T) {
	t.Parallel()
	path := file(t, "languages.json", strings.Repeat(" ", maxFile+1))
	if _, err := LoadCatalogue(path); err == nil || !strings.Contains(err.Error(), "is over") {
		t.Errorf("error %v", err)
	}
}
