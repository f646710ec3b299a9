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
	// Load keeps every processor busy until what it gives is called.
	Load func(t *testing.T) (stop func())
}

// Run holds a Runner, and the judge above it, to everything that is promised of them: the whole
// catalogue, and the faults. What need not run alone runs as many at once as go test allows.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if _, ok := h.Languages[python]; !ok {
		t.Fatal("the faults' programs are written in Python: the harness has none")
	}
	if h.Load == nil {
		t.Fatal("the harness has no Load")
	}
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	cases = slices.DeleteFunc(cases, func(c Case) bool { return slices.Contains(h.Absent, c.Language) })
	t.Run("together", func(t *testing.T) {
		for _, c := range cases {
			if !c.Exclusive {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					runCase(t, h, c)
				})
			}
		}
	})
	for _, c := range cases {
		if c.Exclusive {
			t.Run("alone/"+c.Name, func(t *testing.T) { runCase(t, h, c) })
		}
	}
	t.Run("under load", func(t *testing.T) {
		stop := h.Load(t)
		defer stop()
		for _, c := range cases {
			if c.Loaded {
				t.Run(c.Name, func(t *testing.T) { runCase(t, h, c) })
			}
		}
	})
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) { f.test(t, h) })
	}
}

func runCase(t *testing.T, h Harness, c Case) {
	t.Helper()
	lang, ok := h.Languages[c.Language]
	if !ok {
		t.Fatalf("language %q is neither present nor declared absent", c.Language)
	}
	if h.OwnKernel {
		c = c.elsewhere()
	}
	if err := c.Run(t.Context(), h.Runner, lang); err != nil {
		t.Errorf("%v\nwhy it matters: %s", err, c.Why)
	}
}
