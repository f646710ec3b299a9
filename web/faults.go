package web

import (
	"fmt"
	"strings"
)

// faults collects the faults of a body, at most [maxFaults] of them.
type faults struct {
	// prefix is the pointer of what the paths given to add are relative to, such as "/jobs/3".
	prefix string
	list   []Fault
	more   int
}

func (f *faults) full() bool { return len(f.list) >= maxFaults }

// add notes a fault at a JSON Pointer. What lies at or below a pointer that already has a fault is
// not noted again: it was not decoded.
func (f *faults) add(pointer, format string, args ...any) {
	pointer = "#" + f.prefix + pointer
	for _, known := range f.list {
		if pointer == known.Pointer || strings.HasPrefix(pointer, known.Pointer+"/") {
			return
		}
	}
	if f.full() {
		f.more++
		return
	}
	f.list = append(f.list, Fault{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

// beside adds the faults to a problem that has ended the search for more.
func (f *faults) beside(p *Problem) *Problem {
	p.Errors = f.list
	return p
}

// problem is nil without faults.
func (f *faults) problem() *Problem {
	if len(f.list) == 0 {
		return nil
	}
	p := invalid(f.list)
	if f.more > 0 || f.full() {
		p.Detail = fmt.Sprintf("%d faults and more; see errors for the first ones", len(f.list))
	}
	return p
}
