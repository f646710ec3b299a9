package modes

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"optimus/sandbox/sandboxtest"
)

// binary is the built program, which all tests that need it share.
var binary sharedBinary

type sharedBinary struct {
	once      sync.Once
	dir, path string
	err       error
}

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

// runTests runs all tests, and fails where they leave anything on this machine.
var runTests = func(m *testing.M) int {
	return sandboxtest.Main(m, func() error { return os.RemoveAll(binary.dir) })
}

// buildBinary gives the path of the static binary: the test's own is not one that a container
// could start. OPTIMUS_TEST_BINARY names one that is built already, for machines that cannot.
func buildBinary(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("OPTIMUS_TEST_BINARY"); built != "" {
		return built
	}
	binary.once.Do(func() { binary.err = binary.build(context.WithoutCancel(t.Context())) })
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func (b *sharedBinary) build(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "optimus-binary-"); err == nil {
		b.path, err = build(ctx, b.dir, "v0.0.0-test")
	}
	return err
}

// build builds a version of the binary into a folder, and gives its path. more are flags of `go build`.
func build(ctx context.Context, dir, version string, more ...string) (string, error) {
	path := filepath.Join(dir, "optimus")
	args := append([]string{"build", "-trimpath", "-ldflags", "-X main.version=" + version, "-o", path}, more...)
	cmd := exec.CommandContext(ctx, "go", append(args, "optimus")...) //nolint:gosec // a test states them
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build optimus: %w: %s", err, out)
	}
	return path, nil
}
