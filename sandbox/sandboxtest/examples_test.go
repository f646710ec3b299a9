package sandboxtest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"optimus/sandbox"
)

// example is a case.json of docs/examples.
type example struct {
	Language string `json:"language"`
	Kind     string `json:"kind"`
	Source   string `json:"source"`
	Tests    []struct {
		Input          string  `json:"input"`
		ExpectedOutput *string `json:"expected_output"`
	} `json:"tests"`
	Limits map[string]int64 `json:"limits"`
	Expect sandbox.Verdict  `json:"expect"`
	Why    string           `json:"why"`
}

func TestExamplesAreWhole(t *testing.T) {
	const folder = "../../docs/examples"
	files, err := filepath.Glob(filepath.Join(folder, "*", "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	covered := make(map[string]bool)
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			e := readExample(t, file)
			covered[e.Language+" "+e.Kind] = true
			if prefix := e.Language + "-" + strings.ReplaceAll(e.Kind, "_", "-"); !strings.HasPrefix(filepath.Base(dir), prefix) {
				t.Errorf("the folder's name should start with %q", prefix)
			}
			if !e.Expect.Valid() || e.Why == "" || len(e.Tests) == 0 {
				t.Errorf("needs a verdict, a why and tests: %+v", e)
			}
			if info, err := os.Stat(filepath.Join(dir, e.Source)); err != nil || info.Size() == 0 {
				t.Errorf("source %q: %v", e.Source, err)
			}
			for name, value := range e.Limits {
				known := strings.HasSuffix(name, "_ms") || strings.HasSuffix(name, "_bytes") || name == "processes" || name == "open_files"
				if !known || value <= 0 {
					t.Errorf("limit %s of %d", name, value)
				}
			}
		})
	}
	for _, language := range mainFiles() {
		for _, kind := range []string{"accepted", "wrong_answer", "compile_error", "time_limit", "memory_limit", "crash", "hostile"} {
			if !covered[language+" "+kind] {
				t.Errorf("no example in %s is %s", language, kind)
			}
		}
	}
}

func readExample(t *testing.T, file string) example {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var e example
	if err := decoder.Decode(&e); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return e
}
