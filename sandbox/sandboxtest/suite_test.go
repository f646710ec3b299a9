package sandboxtest

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
)

func modelHarness(m model) Harness {
	languages := make(map[string]sandbox.Language)
	for _, name := range mainFiles() {
		languages[name] = sandbox.Language{Name: name, Run: []string{name}}
		if name != python {
			languages[name] = sandbox.Language{Name: name, Run: []string{name}, Compile: []string{"compile"}}
		}
	}
	kill := func(_ context.Context, p sandbox.Program) error {
		if p, ok := p.(*modelProgram); ok {
			p.kill()
		}
		return nil
	}
	return Harness{Runner: m, Languages: languages, KillAgent: kill, KillContainer: kill, Load: func(*testing.T) func() { return func() {} }}
}

func allCases(t *testing.T) []Case {
	t.Helper()
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestSuiteAcceptsARightRunner(t *testing.T) {
	Run(t, modelHarness(model{cases: allCases(t)}))
}

// TestSuiteRefusesWrongRunners breaks the right Runner, one way at a time.
func TestSuiteRefusesWrongRunners(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(c Case, run int, o *sandbox.Outcome)
		fails []string
	}{
		{"loses the status", func(_ Case, _ int, o *sandbox.Outcome) { o.ExitCode = 0 }, []string{"verdicts/status-1/python", "ends/status-beside-output", "compile/error/cpp"}},
		{"shows signals as a shell does", func(_ Case, _ int, o *sandbox.Outcome) {
			if o.Signal != 0 {
				o.ExitCode, o.Signal = 128+o.Signal, 0
			}
		}, []string{"ends/sigsegv/cpp", "ends/sigabrt/cpp", "ends/sigkill-by-itself/python"}},
		{"takes 137 for the memory limit", func(_ Case, _ int, o *sandbox.Outcome) {
			if o.ExitCode == 137 || o.Signal == 9 {
				o.Exceeded = sandbox.MemoryLimit
			}
		}, []string{"ends/status-137", "ends/sigkill-by-itself/python"}},
		{"does not say that output was cut", func(_ Case, _ int, o *sandbox.Outcome) { o.StdoutTruncated, o.StderrTruncated = false, false }, []string{"io/endless-output", "io/much-standard-error"}},
		{"keeps too much", func(_ Case, _ int, o *sandbox.Outcome) { o.Stdout = append(o.Stdout, '\n') }, []string{"io/binary/cpp", "io/endless-output", "io/output-at-its-limit"}},
		{"mixes up the streams", func(_ Case, _ int, o *sandbox.Outcome) { o.Stdout, o.Stderr = o.Stderr, o.Stdout }, []string{"io/streams-apart", "compile/error/rust"}},
		{"counts the start", func(_ Case, _ int, o *sandbox.Outcome) { o.Wall += 4 * time.Second }, []string{"measure/sleep/python"}},
		{"counts the main process alone", func(_ Case, _ int, o *sandbox.Outcome) { o.CPU = 0 }, []string{"measure/cpu/cpp", "measure/cpu-of-children", "time/busy-children"}},
		{"counts the container's memory", func(_ Case, _ int, o *sandbox.Outcome) { o.Memory = 1 << 30 }, []string{"measure/memory/cpp", "memory/below-the-limit"}},
		{"counts its own init", func(_ Case, _ int, o *sandbox.Outcome) { o.Processes += 2 }, []string{"measure/processes"}},
		{"takes each limit for another", func(_ Case, _ int, o *sandbox.Outcome) {
			if o.Exceeded == sandbox.CPULimit {
				o.Exceeded = sandbox.WallLimit
			} else {
				o.Exceeded = sandbox.CPULimit
			}
		}, []string{"time/busy-loop/python", "time/sleep/cpp", "memory/at-once/rust"}},
		{"knows no limits", func(_ Case, _ int, o *sandbox.Outcome) { o.Exceeded = sandbox.NoLimit }, []string{"memory/a-child-only", "time/stopped", "processes/fork-bomb"}},
		{"isolates too little", func(_ Case, _ int, o *sandbox.Outcome) {
			o.Stdout = append([]byte("runs as root: Uid 0\n"), o.Stdout...)
		}, []string{"identity/no-privileges", "network/none", "view/secrets", "kernel/what-is-refused"}},
		{"leaves things to the next run", func(_ Case, run int, o *sandbox.Outcome) {
			if run > 1 {
				o.Stdout = []byte("found /tmp/x\ndone\n")
			}
		}, []string{"leftovers/nothing-is-found", "compile/same-file-in-every-run"}},
		{"shows what root can read", func(_ Case, _ int, o *sandbox.Outcome) { o.Stderr = append(o.Stderr, "root:*:"...) }, []string{"compile/includes-a-secret"}},
	}
	cases := allCases(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := modelHarness(model{cases: cases, spoil: tt.spoil})
			for _, name := range tt.fails {
				i := slices.IndexFunc(cases, func(c Case) bool { return c.Name == name })
				if i < 0 {
					t.Fatalf("there is no case %q", name)
				}
				c := cases[i]
				if err := c.Run(t.Context(), h.Runner, h.Languages[c.Language]); err == nil {
					t.Errorf("the case %q does not notice", name)
				}
			}
		})
	}
}

func TestNoProcessFindsAMarkedProcess(t *testing.T) {
	t.Parallel()
	marker := newMarker()
	if err := noProcess(marker); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "read line; :", marker)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := noProcess(marker); err == nil {
		t.Error("a process is alive, and is not seen")
	}
	_ = in.Close()
	_ = cmd.Wait() // its status says nothing
	if err := noProcess(marker); err != nil {
		t.Error(err)
	}
}

func TestFakeRefusesUnknownCommands(t *testing.T) {
	t.Parallel()
	f := NewFake()
	p, _, err := f.Prepare(t.Context(), sandbox.Language{}, Script("jump 3"), sandbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), sandbox.Input{}, sandbox.Limits{}); err == nil || !strings.Contains(err.Error(), "jump") {
		t.Errorf("error %v", err)
	}
	if got := f.Stats(); got.Open != 1 || got.Runs != 1 || got.Active != 0 {
		t.Errorf("stats %+v", got)
	}
}
