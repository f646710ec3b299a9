package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"optimus/sandbox"
)

// fault is a test that no single program makes.
type fault struct {
	name string
	test func(*testing.T, Harness)
}

func faults() []fault {
	return []fault{
		{"runs/20 at once", manyAtOnce},
		{"runs/live output", liveOutput},
		{"runs/host is out of reach", hostOutOfReach},
		{"runs/two jobs look for each other", lookForEachOther},
		{"runs/cancelled", cancelled},
		{"runs/cancelled compile", cancelledCompile},
		{"runs/ended context", endedContext},
		{"program/closed twice", closedTwice},
		{"program/image is missing", imageMissing},
		{"faults/agent killed in mid-run", agentKilled},
		{"faults/container killed in mid-run", containerKilled},
		{"faults/container killed while idle", killedIdle},
		{"faults/container killed twice", killedTwice},
	}
}

// within bounds what a fault may take, so that a Runner that hangs fails instead.
const within = time.Minute

// program is a source of one Python file.
func program(text string) sandbox.Source {
	return sandbox.Source{Files: []sandbox.File{{Name: "main.py", Content: []byte(text)}}}
}

func prepare(t *testing.T, h Harness, source string) sandbox.Program {
	t.Helper()
	lang := h.Languages[python]
	p, outcome, err := h.Runner.Prepare(t.Context(), lang, program(source), lang.CompileLimits.Or(fallback()).Resolved())
	if err != nil {
		t.Fatal(err)
	}
	if p == nil {
		t.Fatalf("no program: %s", show(outcome))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func limits(h Harness) sandbox.Limits {
	return h.Languages[python].Limits.Or(fallback()).Resolved()
}

func manyAtOnce(t *testing.T, h Harness) {
	t.Helper()
	p := prepare(t, h, "import os, time\ntext = input()\nopen('x', 'w').write(text)\ntime.sleep(0.1)\nprint(open('x').read(), os.listdir('.').count('x'))")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			outcome, err := p.Run(t.Context(), sandbox.Input{Stdin: []byte(strconv.Itoa(i))}, limits(h))
			if want := fmt.Sprintf("%d 1\n", i); err != nil || !outcome.OK() || string(outcome.Stdout) != want {
				t.Errorf("run %d: error %v; want %q\n%s", i, err, want, show(outcome))
			}
		})
	}
	wg.Wait()
}

// recorder takes live output and tells when a text was seen for the nth time.
type recorder struct {
	mu   sync.Mutex
	seen bytes.Buffer
	more chan struct{}
	// void is how much of seen a restart has made void; restarts is how many there were.
	void, restarts int
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{}, 1)} }

func (r *recorder) output(_ sandbox.Stream, p []byte) {
	r.mu.Lock()
	r.seen.Write(p)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *recorder) restarted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.void = r.seen.Len()
	r.restarts++
}

// shown is what a watcher that heeds restarts has in the end.
func (r *recorder) shown() (text string, restarts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.String()[r.void:], r.restarts
}

func (r *recorder) await(ctx context.Context, text string, times int) error {
	for {
		r.mu.Lock()
		n := strings.Count(r.seen.String(), text)
		r.mu.Unlock()
		if n >= times {
			return nil
		}
		select {
		case <-r.more:
		case <-ctx.Done():
			return fmt.Errorf("%q was seen %d times, want %d: %w", text, n, times, context.Cause(ctx))
		}
	}
}

// during runs a program and calls act once the run has printed "started".
func during(t *testing.T, ctx context.Context, h Harness, p sandbox.Program, args []string, act func(*recorder)) (sandbox.Outcome, error) { //nolint:revive // t goes first everywhere in this file
	t.Helper()
	seen := newRecorder()
	acted := make(chan struct{})
	go func() {
		defer close(acted)
		if err := seen.await(ctx, "started", 1); err == nil {
			act(seen)
		}
	}()
	outcome, err := p.Run(ctx, sandbox.Input{Args: args, Output: seen.output, Restarted: seen.restarted}, limits(h))
	<-acted
	return outcome, err
}

const startsAndSleeps = "import time\nprint('started', flush=True)\ntime.sleep(%v)\nprint('ended')"

func liveOutput(t *testing.T, h Harness) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	p := prepare(t, h, fmt.Sprintf(startsAndSleeps, 1))
	var ended, seen time.Time
	outcome, err := during(t, ctx, h, p, nil, func(*recorder) { seen = time.Now() })
	ended = time.Now()
	if err != nil || string(outcome.Stdout) != "started\nended\n" {
		t.Fatalf("error %v\n%s", err, show(outcome))
	}
	if ahead := ended.Sub(seen); ahead < 500*time.Millisecond {
		t.Errorf("output was told %s before the end of a program that slept a second after it", ahead)
	}
}

// hostOutOfReach has a program look for listeners that the test holds.
func hostOutOfReach(t *testing.T, h Harness) {
	t.Helper()
	var config net.ListenConfig
	name := newMarker()
	var addresses []string
	for _, l := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", "@" + name}} {
		listener, err := config.Listen(t.Context(), l[0], l[1])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		addresses = append(addresses, listener.Addr().String())
		go func() {
			if conn, err := listener.Accept(); err == nil {
				t.Errorf("a program has reached %s", conn.LocalAddr())
				_ = conn.Close()
			}
		}()
	}
	_, port, _ := net.SplitHostPort(addresses[0]) // an address of ours
	source := `
import socket, sys
for family, address in (socket.AF_INET, ('127.0.0.1', int(sys.argv[1]))), (socket.AF_UNIX, '\0' + sys.argv[2]):
    try:
        s = socket.socket(family)
        s.settimeout(2)
        s.connect(address)
        print('reached', address)
    except OSError: pass
print('done')
`
	outcome, err := prepare(t, h, source).Run(t.Context(), sandbox.Input{Args: []string{port, name}}, limits(h))
	if err != nil || string(outcome.Stdout) != "done\n" {
		t.Errorf("error %v\n%s", err, show(outcome))
	}
}

func cancelled(t *testing.T, h Harness) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	p := prepare(t, h, fmt.Sprintf(startsAndSleeps, 30))
	marker := newMarker()
	var asked time.Time
	_, err := during(t, ctx, h, p, []string{marker}, func(*recorder) {
		asked = time.Now()
		cancel()
	})
	if took := time.Since(asked); err == nil || took > 3*time.Second {
		t.Errorf("error %v, %s after the cancellation", err, took)
	}
	if err := noProcess(marker); err != nil {
		t.Error(err)
	}
}

func cancelledCompile(t *testing.T, h Harness) {
	t.Helper()
	lang := h.Languages[python]
	lang.Compile = append([]string{lang.Run[0]}, "-c", "import time; time.sleep(30)")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	started := time.Now()
	p, _, err := h.Runner.Prepare(ctx, lang, program("x"), fallback().Resolved())
	if err == nil || p != nil || time.Since(started) > 5*time.Second {
		t.Errorf("program %v, error %v after %s", p, err, time.Since(started))
	}
}

func endedContext(t *testing.T, h Harness) {
	t.Helper()
	p := prepare(t, h, "print('done')")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if outcome, err := p.Run(ctx, sandbox.Input{}, limits(h)); err == nil {
		t.Errorf("no error, but %s", show(outcome))
	}
	if outcome, err := p.Run(t.Context(), sandbox.Input{}, limits(h)); err != nil || !outcome.OK() {
		t.Errorf("the program is spoilt for the next run: %v\n%s", err, show(outcome))
	}
}

func closedTwice(t *testing.T, h Harness) {
	t.Helper()
	p := prepare(t, h, "print('done')")
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if outcome, err := p.Run(t.Context(), sandbox.Input{}, limits(h)); err == nil {
		t.Errorf("it ran after its end: %s", show(outcome))
	}
}

func imageMissing(t *testing.T, h Harness) {
	t.Helper()
	lang := h.Languages[python]
	lang.Image, lang.Digest = "optimus.local/no-such-image:none", ""
	p, _, err := h.Runner.Prepare(t.Context(), lang, program("print(1)"), fallback().Resolved())
	if p != nil {
		_, err = p.Run(t.Context(), sandbox.Input{}, limits(h))
		_ = p.Close()
	}
	if !errors.Is(err, sandbox.ErrImageMissing) {
		t.Errorf("error %v, want one that wraps %q", err, sandbox.ErrImageMissing)
	}
}

type killer func(context.Context, sandbox.Program) error

func agentKilled(t *testing.T, h Harness) {
	t.Helper()
	killedOnce(t, h, "KillAgent", h.KillAgent)
}

func containerKilled(t *testing.T, h Harness) {
	t.Helper()
	killedOnce(t, h, "KillContainer", h.KillContainer)
}

func killedOnce(t *testing.T, h Harness, hook string, kill killer) {
	t.Helper()
	if kill == nil {
		t.Fatalf("the harness has no %s", hook)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	p := prepare(t, h, fmt.Sprintf(startsAndSleeps, 1))
	marker := newMarker()
	var seen *recorder
	outcome, err := during(t, ctx, h, p, []string{marker}, func(r *recorder) {
		seen = r
		if err := kill(ctx, p); err != nil {
			t.Error(err)
		}
	})
	if err != nil || !outcome.OK() || string(outcome.Stdout) != "started\nended\n" || outcome.Wall > 3*time.Second {
		t.Errorf("error %v; want the run repeated, unseen\n%s", err, show(outcome))
	}
	if seen == nil {
		t.Fatal("the program told nothing")
	}
	if text, restarts := seen.shown(); text != "started\nended\n" || restarts != 1 {
		t.Errorf("a watcher has %q after %d restarts; want the repeated run's output after one", text, restarts)
	}
	if err := noProcess(marker); err != nil {
		t.Error(err)
	}
}

func killedIdle(t *testing.T, h Harness) {
	t.Helper()
	if h.KillContainer == nil {
		t.Fatal("the harness has no KillContainer")
	}
	p := prepare(t, h, "print('done')")
	for range 2 {
		outcome, err := p.Run(t.Context(), sandbox.Input{}, limits(h))
		if err != nil || string(outcome.Stdout) != "done\n" {
			t.Fatalf("error %v\n%s", err, show(outcome))
		}
		if err := h.KillContainer(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func killedTwice(t *testing.T, h Harness) {
	t.Helper()
	if h.KillContainer == nil {
		t.Fatal("the harness has no KillContainer")
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	p := prepare(t, h, fmt.Sprintf(startsAndSleeps, 2))
	outcome, err := during(t, ctx, h, p, nil, func(seen *recorder) {
		for n := range 2 {
			if err := seen.await(ctx, "started", n+1); err != nil {
				t.Error(err)
				return
			}
			if err := h.KillContainer(ctx, p); err != nil {
				t.Error(err)
			}
		}
	})
	if err == nil || ctx.Err() != nil {
		t.Errorf("error %v; want one for a container that was lost twice\n%s", err, show(outcome))
	}
	if outcome, err := p.Run(ctx, sandbox.Input{}, limits(h)); err != nil || !outcome.OK() {
		t.Errorf("the next run must work again: %v\n%s", err, show(outcome))
	}
}
