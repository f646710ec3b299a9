package modes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"optimus/sandbox"
	"optimus/web"
)

// exampleFile is the name of an example's description in its folder.
const exampleFile = "case.json"

// example is a program with what it is judged by and the verdict that it must get: a folder with
// the source and a [exampleFile].
type example struct {
	// Language is a name or alias in the catalogue.
	Language string `json:"language"`
	// Kind groups examples, such as "crash"; for people.
	Kind string `json:"kind,omitempty"`
	// Source is the name of the main file in the folder.
	Source        string              `json:"source"`
	Args          []string            `json:"args,omitempty"`
	Tests         []web.TestRequest   `json:"tests,omitempty"`
	Limits        *web.LimitsRequest  `json:"limits,omitempty"`
	Checker       *web.CheckerRequest `json:"checker,omitempty"`
	StopOnFailure bool                `json:"stop_on_failure,omitempty"`
	// Expect is the job's verdict.
	Expect sandbox.Verdict `json:"expect"`
	// Why says for people what the example shows.
	Why string `json:"why"`

	name    string
	content string
}

// readExample reads the example that a case.json describes.
func readExample(path string) (example, error) {
	e := example{name: filepath.Base(filepath.Dir(path))}
	text, err := os.ReadFile(path)
	if err != nil {
		return e, fmt.Errorf("read example: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("read example %s: %w", path, err)
	}
	switch {
	case e.Language == "":
		return e, fmt.Errorf("read example %s: it states no language", path)
	case filepath.Base(e.Source) != e.Source || e.Source == "":
		return e, fmt.Errorf("read example %s: source %q: want the name of a file beside it", path, e.Source)
	case !e.Expect.Valid():
		return e, fmt.Errorf("read example %s: expect %q is no verdict", path, e.Expect)
	}
	source, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Source))
	if err != nil {
		return e, fmt.Errorf("read example: %w", err)
	}
	e.content = string(source)
	return e, nil
}

// readExamples reads every example below a folder, by name, or the one that the folder is; its error
// lists every fault.
func readExamples(dir string) ([]example, error) {
	if path := filepath.Join(dir, exampleFile); isFile(path) {
		e, err := readExample(path)
		return []example{e}, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", exampleFile))
	if err != nil {
		return nil, fmt.Errorf("look for examples in %s: %w", dir, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s holds no folder with a %s", dir, exampleFile)
	}
	slices.Sort(paths)
	examples := make([]example, len(paths))
	var faults []error
	for i, path := range paths {
		examples[i], err = readExample(path)
		faults = append(faults, err)
	}
	slices.SortStableFunc(examples, func(a, b example) int { return strings.Compare(a.Language, b.Language) })
	return examples, errors.Join(faults...)
}

func isFile(path string) bool {
	info, err := os.Stat(path) //nolint:gosec // below the folder that the user names
	return err == nil && info.Mode().IsRegular()
}

// request gives the example as the API takes it.
func (e example) request() web.JobRequest {
	return web.JobRequest{
		Language:      e.Language,
		SourceCode:    &e.content,
		Args:          e.Args,
		Tests:         e.Tests,
		Limits:        e.Limits,
		Checker:       e.Checker,
		StopOnFailure: e.StopOnFailure,
		Labels:        map[string]string{"example": e.name},
	}
}
