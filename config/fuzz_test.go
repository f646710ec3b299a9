package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// addFiles seeds a fuzz target with the fixtures of an extension.
func addFiles(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("no fixtures %s: %v", pattern, err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// refusal checks that an error lists faults that say where and what.
func refusal(t *testing.T, err error) {
	t.Helper()
	all, ok := errors.AsType[*Error](err)
	if !ok || len(all.Faults) == 0 {
		t.Fatalf("error %v lists no faults", err)
	}
	for _, f := range all.Faults {
		if f.Source == "" || f.Problem == "" {
			t.Errorf("fault %+v says too little", f)
		}
	}
}

// Whatever the file: no panic, and what is accepted holds against the same settings stated one by
// one through the environment.
func FuzzSettings(f *testing.F) {
	addFiles(f, "testdata/*.toml")
	f.Add([]byte(Example()))
	f.Add([]byte("server.listen = '127.0.0.1:1'\nworker = {slots = 3, queues = ['a']}\n[[keys]]\nname='a'\n[[keys]]\nname='b'\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "secret_file") {
			return // it would read files
		}
		c := Default()
		var found faults
		c.origins = map[string]Origin{}
		l := &loader{config: c}
		l.decoder("file").structure(parseTOML("optimus.toml", data, &found), "", reflect.ValueOf(&l.config).Elem())
		l.faults = append(l.faults, found...)
		l.originalDefaults()
		l.check()
		if err := l.faults.err("configuration"); err != nil {
			refusal(t, err)
			return
		}
		var env []string
		for _, s := range l.config.Settings() {
			if s.Env != "" && s.Value != Placeholder {
				env = append(env, s.Env+"="+s.Value)
			}
		}
		again, err := Load(LoadOptions{Root: true, Env: env})
		if err != nil {
			t.Fatalf("what a file may say, the environment may not: %v", err)
		}
		if again.Worker.Lease != l.config.Worker.Lease || fmt.Sprint(again.Limits) != fmt.Sprint(l.config.Limits) {
			t.Errorf("the environment says\n%+v\nthe file\n%+v", again, l.config)
		}
	})
}

// Whatever the file: no panic, and what is accepted is the same once written and read again.
func FuzzCatalogue(f *testing.F) {
	addFiles(f, "testdata/*.json")
	f.Add(embeddedCatalogue)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCatalogue("languages.json", data)
		if err != nil {
			refusal(t, err)
			return
		}
		written, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCatalogue("languages.json", written)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(written, twice) {
			t.Errorf("written %s\nthen %s, %v", written, twice, err)
		}
	})
}
