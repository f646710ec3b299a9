package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// limitContainer bounds the memory of all of a container: a limit that is no run's own.
func limitContainer(t *testing.T, r *Runner, c *container, bytes int64) {
	t.Helper()
	var knob string
	switch tree := r.cgroups.(type) {
	case *v1Tree:
		knob = filepath.Join(tree.memory, c.id, "memory.limit_in_bytes")
	case *v2Tree:
		knob = filepath.Join(tree.dir, c.id, "memory.max")
	}
	if err := writeKnob(knob, strconv.FormatInt(bytes, 10)); err != nil {
		t.Fatal(err)
	}
}

// TestAKillThatIsNotTheRunsOwnIsNotBilled: where the container, or the machine, is out of memory
// the run fails as Optimus's own, to be retried, whatever the program's status.
func TestAKillThatIsNotTheRunsOwnIsNotBilled(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	c := p.(*Program).place.c
	limitContainer(t, r.Runner, c, 64<<20)
	o, err := p.Run(t.Context(), sandbox.Input{Args: []string{"allocate"}}, probeLimits().Resolved())
	if err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("within a container of 64 MiB a run of 128 MiB ended with %+v, %v", o, err)
	}
	limitContainer(t, r.Runner, c, 1<<30)
	if o := run(t, p, "", "allocate"); o.Verdict() != sandbox.MemoryLimitExceeded {
		t.Errorf("with room the same run ended with %+v", o)
	}
}

// peakMemory resets a process's peak and gives what tells it, in KiB (proc(5), clear_refs and status).
func peakMemory(t *testing.T, pid int) (grown func() int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	read := func() int {
		b, err := os.ReadFile(dir + "status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(b), "VmHWM:")
		kib, err := strconv.Atoi(strings.Fields(after)[0])
		if err != nil {
			t.Fatal(err)
		}
		return kib
	}
	if err := os.WriteFile(dir+"clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	before := read()
	return func() int { return read() - before }
}

// TestEndlessOutputLeavesMemoryFlat: a gibibyte on either stream, of which the limit is kept.
func TestEndlessOutputLeavesMemoryFlat(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, probe(), "x")
	l := probeLimits()
	l.CPU, l.Wall = time.Minute, 2*time.Minute
	host, agent := peakMemory(t, os.Getpid()), peakMemory(t, p.(*Program).AgentPID())
	for stream, want := range map[string]sandbox.Verdict{"stdout": sandbox.OutputLimitExceeded, "stderr": sandbox.Accepted} {
		o, err := p.Run(t.Context(), sandbox.Input{Args: []string{"pour", "1024", stream}}, l.Resolved())
		kept, cut := o.Stdout, o.StdoutTruncated
		if stream == "stderr" {
			kept, cut = o.Stderr, o.StderrTruncated
		}
		if err != nil || o.Verdict() != want || int64(len(kept)) != l.Output || !cut {
			t.Errorf("%s: %s, want %s; %d bytes kept, cut %t, error %v", stream, o.Verdict(), want, len(kept), cut, err)
		}
	}
	for name, grown := range map[string]func() int{"host": host, "agent": agent} {
		if kib := grown(); kib > 64<<10 {
			t.Errorf("the %s's memory has grown by %d KiB", name, kib)
		}
	}
}

// TestForgedMessagesAreNoAnswers: a message for a run that is not there, or of another kind than
// is due, ends the conversation, and with it the container; it never becomes a result.
func TestForgedMessagesAreNoAnswers(t *testing.T) {
	t.Parallel()
	exit := []byte(`{"status": 0}`)
	for name, forged := range map[string]wire.Frame{
		"exit of no run":                {Kind: wire.KindExit, ID: 8, Payload: exit},
		"output of no run":              {Kind: wire.KindOutput, ID: 8, Stream: 1, Payload: []byte("42\n")},
		"greeting during a run":         {Kind: wire.KindReady, ID: 7, Payload: []byte("{}")},
		"answer of a seal during a run": {Kind: wire.KindSealed, ID: 7, Payload: []byte("{}")},
		"exit that is no JSON":          {Kind: wire.KindExit, ID: 7, Payload: []byte("accepted")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, agent := conversation(t)
				a := &active{c: c, id: 7, limits: probeLimits(), group: &v2Run{dir: t.TempDir()}, frames: c.expect(7)}
				go c.hear()
				go func() { _ = agent.Send(forged) }()
				if exit, err := a.watch(t.Context()); !errors.Is(err, errLost) {
					t.Errorf("it is taken for %+v, %v", exit, err)
				}
			})
		})
	}
}
