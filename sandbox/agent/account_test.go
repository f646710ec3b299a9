package agent

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"optimus/sandbox"
)

// fakeGroup is a group whose kernel is the test.
func fakeGroup(t *testing.T) (g *group, set func(file, text string)) {
	t.Helper()
	g = &group{dir: t.TempDir(), limits: sandbox.Limits{CPU: time.Second, Memory: 1000}, peak: -1, resident: -1}
	return g, func(file, text string) {
		if err := os.WriteFile(filepath.Join(g.dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARunIsKilledAtWhatItsGroupTells(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		memory, cpu string
		spent       bool
		want        string
	}{
		"at the limits":       {"1000\n", "usage_usec 1000000\nuser_usec 5000000\n", true, ""},
		"memory":              {"1001\n", "usage_usec 0\n", false, "memory"},
		"CPU time":            {"0\n", "user_usec 0\nusage_usec 1000001\n", true, "cpu"},
		"CPU time, here only": {"0\n", "usage_usec 1000001\n", false, ""},
		"cannot tell":         {"?\n", "?\n", true, ""},
		"nothing said":        {"", "", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g, set := fakeGroup(t)
				set("memory.current", c.memory)
				set("cpu.stat", c.cpu)
				r := &run{}
				r.spent.Store(c.spent)
				stop := g.watch(r)
				time.Sleep(2 * accountEvery)
				stop()
				if r.killed != c.want {
					t.Errorf("killed for %q, want %q", r.killed, c.want)
				}
			})
		})
	}
}

func TestAPeakIsKept(t *testing.T) {
	t.Parallel()
	g, set := fakeGroup(t)
	if u := g.usage(); u.CPUNS != -1 || u.Memory != -1 || u.Processes != -1 || u.OOMKilled {
		t.Errorf("of a kernel that tells nothing: %+v", u)
	}
	set("memory.current", "700\n")
	g.look()
	set("memory.current", "20\n")
	set("cpu.stat", "usage_usec 1500\n")
	set("pids.peak", "3\n")
	set("memory.events", "oom 1\noom_kill 1\n")
	if u := g.usage(); u.CPUNS != 1_500_000 || u.Memory != 700 || u.Processes != 3 || !u.OOMKilled {
		t.Errorf("usage %+v", u)
	}
	g.resident = 5000
	if u := g.usage(); u.Memory != 1000 {
		t.Errorf("peak %d with a resident set over the limit, want the limit", u.Memory)
	}
	g.resident = -1
	set("memory.peak", "900\n") // kernels that keep it know better
	if u := g.usage(); u.Memory != 900 {
		t.Errorf("peak %d, want the kernel's own", u.Memory)
	}
}
