package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected errors in testdata anew")

// Each file in testdata holds one mistake, which its name says, in the form that its extension
// says; beside it, with .want, stands the error.
func TestFaults(t *testing.T) {
	t.Parallel()
	readers := map[string]func(path, content string) error{
		".toml": func(path, _ string) error {
			_, err := Load(LoadOptions{Root: true, Path: path})
			return err
		},
		".env": func(_, content string) error {
			_, err := Load(LoadOptions{Root: true, Env: strings.Split(content, "\n")})
			return err
		},
		".flags": func(_, content string) error {
			flags := map[string]string{}
			for line := range strings.Lines(content) {
				path, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				flags[path] = value
			}
			_, err := Load(LoadOptions{Root: true, Flags: flags, FlagNames: map[string]string{"server.listen": "--listen"}})
			return err
		},
		".json": func(path, _ string) error {
			_, err := LoadCatalogue(path)
			return err
		},
	}
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata: %v", err)
	}
	for _, path := range files {
		read, ok := readers[filepath.Ext(path)]
		if !ok {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			err = read(path, string(content))
			if err == nil {
				t.Fatal("no fault was found")
			}
			golden(t, path+".want", err.Error()+"\n")
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if strings.Contains(got, "hunter2") {
		t.Errorf("the error gives a secret away:\n%s", got)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./config -run TestFaults -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
