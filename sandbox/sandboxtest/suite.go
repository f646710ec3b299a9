package sandboxtest

import (
	"context"
	"slices"
	"testing"

	"optimus/sandbox"
)

// Harness is a Runner under test with what the suite needs to know of it.
type Harness struct {
	Runner sandbox.Runner
	// Languages that are present, by name: "python", which must be, and "cpp", "java", "rust".
	Languages map[string]sandbox.Language
	// Absent names the languages that this harness is known not to have; the suite fails where a
	// language is neither present nor listed here, so that none is left out unseen.
	Absent []string
	// OwnKernel: the programs run on a kernel that is not this machine's, such as gVisor's. What may
	// differ then stands beside each case: see [Difference]. Also, no process of a run is seen from
	// this machine: that none is left ([Case.Marked]) is then for the kernel alone to keep.
	OwnKernel bool
	// KillAgent kills, as kill -9 does, the process that runs programs in the container behind p,
	// and KillContainer everything in it. Both return once it is dead.
	KillAgent     func(ctx context.Context, p sandbox.Program) error
	KillContainer func(ctx context.Context, p sandbox.Program) error
}

// Run holds a Runner to everything that is promised of one: every case of [Cases], and the
// faults. It runs one case after the other, since many of them measure.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if _, ok := h.Languages[python]; !ok {
		t.Fatal("the suite's programs are written in Python: the harness has none")
	}
	for _, c := range Cases() {
		lang, ok := h.Languages[c.Language]
		if !ok && slices.Contains(h.Absent, c.Language) {
			continue
		}
		if h.OwnKernel && c.OwnKernel != nil {
			c.Want = c.OwnKernel.Want
		}
		t.Run(c.Name, func(t *testing.T) {
			if !ok {
				t.Fatalf("language %q is neither present nor declared absent", c.Language)
			}
			if err := c.Run(t.Context(), h.Runner, lang); err != nil {
				t.Errorf("%v\nwhy it matters: %s", err, c.Why)
			}
		})
	}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) { f.test(t, h) })
	}
}
