package modes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/sandbox/sandboxtest"
)

// TestRunnerSuite holds the real Runner, with the shipped catalogue's languages in images that are
// built here where they are not in the cache, to all that is promised of one. Its containers are of
// runc, or of the runtime that OPTIMUS_TEST_RUNTIME names, as `make test-gvisor` does; where
// OPTIMUS_TEST_SLOWER says how many times slower this machine is, only two languages are tried, as
// `make test-cgroup2` does.
func TestRunnerSuite(t *testing.T) {
	own := os.Getenv("OPTIMUS_TEST_RUNTIME")
	slower, err := strconv.Atoi(cmp.Or(os.Getenv("OPTIMUS_TEST_SLOWER"), "1"))
	if err != nil {
		t.Fatalf("OPTIMUS_TEST_SLOWER: %v", err)
	}
	h := sandboxtest.Harness{
		KillAgent: killAgent,
		// With its first process the whole container ends, whatever the kernel's order.
		KillContainer: killAgent, Load: loadProcessors, Slower: slower,
	}
	names := []string{"python", "cpp", "java", "rust"}
	h.OwnKernel = strings.Contains(own, "runsc")
	if h.OwnKernel || slower > 1 {
		// They show all that the kernel changes.
		names, h.Absent = []string{"python", "cpp"}, []string{"java", "rust"}
	}
	h.Runner, h.Languages = realRunner(t, names, own)
	sandboxtest.Run(t, h)
}

// realRunner is a runner on a private daemon, which ends with the test, and languages of it in
// containers of the runtime of that name.
func realRunner(t *testing.T, names []string, own string) (*containerd.Runner, map[string]sandbox.Language) {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
	daemon, err := containerd.Connect(ctx, containerd.DaemonOptions{Mode: containerd.ModePrivate, Dir: filepath.Join(dir, "containerd"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, "daemon", daemon.Close)
	runner, err := containerd.NewRunner(ctx, containerd.RunnerOptions{
		Daemon: daemon, Dir: filepath.Join(dir, "runner"), Agent: buildBinary(t), Now: time.Now, Log: log,
		CgroupParent: sandboxtest.Cgroup("runner"),
		Slots:        max(2, runtime.NumCPU()),
	})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, "runner", runner.Close)
	languages := map[string]sandbox.Language{}
	for _, name := range names {
		lang := buildLanguage(t, daemon, name)
		lang.Runtime = own
		languages[name] = lang
	}
	for name, err := range runner.Warm(ctx, slices.Collect(maps.Values(languages))...) {
		t.Errorf("warm %s: %v", name, err)
	}
	return runner, languages
}

// loadProcessors keeps every processor busy, by processes, as other programs of the machine would.
func loadProcessors(t *testing.T) (stop func()) {
	t.Helper()
	var busy []*exec.Cmd
	for range runtime.NumCPU() {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		busy = append(busy, cmd)
	}
	return func() {
		for _, cmd := range busy {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}
	}
}

func cleanUp(t *testing.T, what string, closing func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		if err := closing(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close %s: %v", what, err)
		}
	})
}

func buildLanguage(t *testing.T, daemon *containerd.Daemon, name string) sandbox.Language {
	t.Helper()
	stated, err := config.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	all := newCatalogue(stated, nil)
	lang, err := all.Resolve(name, "")
	if err != nil {
		t.Fatal(err)
	}
	recipe, ok := all.recipe(lang.Image, "")
	if !ok {
		t.Fatalf("language %s has no recipe", name)
	}
	img, err := daemon.Images().Build(t.Context(), containerd.BuildOptions{Recipe: recipe, Ref: lang.Image})
	if err != nil {
		t.Fatal(err)
	}
	lang.Digest = img.Digest
	return lang
}

// killAgent kills the first process of a program's container and waits until it is gone.
func killAgent(ctx context.Context, p sandbox.Program) error {
	program, ok := p.(*containerd.Program)
	if !ok {
		return fmt.Errorf("program is a %T", p)
	}
	pid := program.AgentPID()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return fmt.Errorf("kill agent %d: %w", pid, err)
	}
	for !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}
