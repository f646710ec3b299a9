package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Submission is a program with the tests that it is to be judged by.
type Submission struct {
	Language Language `json:"language"`
	Source   Source   `json:"source"`
	// Args are given to the program in every test.
	Args []string `json:"args,omitempty"`
	// Limits hold for every test that states none of its own.
	Limits Limits `json:"limits"`
	// Checker holds for every test that states none of its own; its zero value is CheckTrim.
	Checker Checker    `json:"checker"`
	Tests   []TestCase `json:"tests"`
	// StopOnFailure skips what has not started once a test is not accepted.
	StopOnFailure bool `json:"stop_on_failure,omitempty"`
}

// TestCase is one input with what is expected of it.
type TestCase struct {
	// ID names the test in the report; unique in a submission.
	ID string `json:"id"`
	// Input is the standard input.
	Input []byte `json:"input,omitempty"`
	// Expected is what the checker compares standard output with. A nil Expected
	// accepts any output of a program that ends well.
	Expected *Text `json:"expected,omitempty"`
	// Weight is what an accepted test adds to the score; 0 or more.
	Weight float64 `json:"weight"`
	// Limits override the submission's.
	Limits Limits `json:"limits"`
	// Checker overrides the submission's where its Kind is not empty.
	Checker Checker `json:"checker"`
}

// CheckerKind names a way to compare output with what is expected.
type CheckerKind string

// The checkers.
const (
	// CheckExact compares byte for byte.
	CheckExact CheckerKind = "exact"
	// CheckTrim, the default, ignores white space at the end of lines and of the output.
	CheckTrim CheckerKind = "trim"
	// CheckTokens compares words, whatever the white space between them.
	CheckTokens CheckerKind = "tokens"
	// CheckFloat compares words; two that both read as numbers match within
	// Absolute or within Relative times the expected one.
	CheckFloat CheckerKind = "float"
)

// CheckerKinds lists the checkers.
func CheckerKinds() []CheckerKind {
	return []CheckerKind{CheckExact, CheckTrim, CheckTokens, CheckFloat}
}

// Checker says how output is compared. The zero value stands for "not stated".
type Checker struct {
	Kind CheckerKind `json:"kind,omitempty"`
	// Absolute and Relative are the tolerances of CheckFloat, 0 or more; both 0 means 1e-6 each.
	Absolute float64 `json:"absolute,omitempty"`
	Relative float64 `json:"relative,omitempty"`
}

// Source is the files of a program; the first is the main one.
type Source struct {
	Files []File `json:"files"`
}

// File is one source file.
type File struct {
	// Name is a slash-separated path below the working folder: see [ValidFileName].
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

// Main is the name of the main file; empty without files.
func (s Source) Main() string {
	if len(s.Files) == 0 {
		return ""
	}
	return s.Files[0].Name
}

// Size is the sum of the files' bytes.
func (s Source) Size() int64 {
	var n int64
	for _, f := range s.Files {
		n += int64(len(f.Content))
	}
	return n
}

// Bounds of file names: those of Linux file systems, and a depth that no honest program needs more of.
const (
	maxNameBytes = 255
	maxNameDepth = 16
)

// ErrFileName is wrapped by every error of [ValidFileName].
var ErrFileName = errors.New("invalid file name")

// ValidFileName refuses a name that is not a plain relative path: absolute, empty, with
// "." or "..", doubled or trailing slashes, NUL or other control characters, a part that
// starts with "-" (a compiler would take it for an option), or over 255 bytes or 16 parts.
func ValidFileName(name string) error {
	switch {
	case name == "" || name == ".":
		return fmt.Errorf("%w: empty", ErrFileName)
	case len(name) > maxNameBytes:
		return fmt.Errorf("%w: over %d bytes", ErrFileName, maxNameBytes)
	case strings.HasPrefix(name, "/"):
		return fmt.Errorf("%w %q: must be relative", ErrFileName, name)
	case path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../"):
		return fmt.Errorf("%w %q: must be a plain path below the working folder", ErrFileName, name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w %q: control characters", ErrFileName, name)
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxNameDepth {
		return fmt.Errorf("%w %q: over %d folders deep", ErrFileName, name, maxNameDepth)
	}
	for _, p := range parts {
		if strings.HasPrefix(p, "-") {
			return fmt.Errorf("%w %q: a part starts with '-'", ErrFileName, name)
		}
	}
	return nil
}
