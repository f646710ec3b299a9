package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong in a file, the environment or the command line.
type Fault struct {
	// Source says where it stands: "optimus.toml:12", "environment OPTIMUS_WORKER_SLOTS",
	// "flag --listen", or "default".
	Source string `json:"source"`
	// Field is the setting's path, such as "server.listen"; empty where the whole source is meant.
	Field string `json:"field,omitempty"`
	// Value is what was stated, shortened, or a placeholder for a secret; empty where it says nothing.
	Value string `json:"value,omitempty"`
	// Problem says what is wrong.
	Problem string `json:"problem"`
	// Allowed says what would be right, or what to do.
	Allowed string `json:"allowed,omitempty"`

	line int
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.Source + ": ")
	if f.Field != "" {
		b.WriteString(f.Field)
		if f.Value != "" {
			b.WriteString(" = " + f.Value)
		}
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Allowed != "" {
		b.WriteString("; " + f.Allowed)
	}
	return b.String()
}

// Error lists every fault of a configuration or a catalogue.
type Error struct {
	// What was read: "configuration" or "catalogue".
	What   string
	Faults []Fault
}

func (e *Error) Error() string {
	var b strings.Builder
	noun := "faults"
	if len(e.Faults) == 1 {
		noun = "fault"
	}
	fmt.Fprintf(&b, "the %s has %d %s:", e.What, len(e.Faults), noun)
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// faults collects what is found wrong.
type faults []Fault

func (f *faults) add(at place, field, value, problem, allowed string) {
	*f = append(*f, Fault{
		Source: at.String(), Field: field, Value: value, Problem: problem, Allowed: allowed, line: at.line,
	})
}

// err gives one error of all faults: those of a file in the order of its lines, the others in the
// order found; nil for none.
func (f *faults) err(what string) error {
	if len(*f) == 0 {
		return nil
	}
	sorted := slices.Clone(*f)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		if a.line == 0 || b.line == 0 {
			return cmp.Compare(min(b.line, 1), min(a.line, 1)) // files before what has no lines
		}
		return cmp.Compare(a.line, b.line)
	})
	return &Error{What: what, Faults: sorted}
}

// shown quotes a value for a fault, shortened so that a pasted file does not fill the screen.
func shown(n node) string {
	const most = 60
	var s string
	switch n.kind {
	case kindText, kindWord:
		s = n.text
		if len(s) > most {
			s = strings.ToValidUTF8(s[:most], "") + "…"
		}
		return fmt.Sprintf("%q", s)
	case kindTable, kindList, kindNull:
		return ""
	case kindWhole, kindDecimal, kindTruth, kindOther:
		s = n.text
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}
