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
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	os.Exit(sandboxtest.Main(m, func() error { return os.RemoveAll(binary.dir) }))
}

// buildBinary gives the path of the static binary: the test's own is not one that a container
// could start. OPTIMUS_TEST_BINARY names one that is built already, for machines that cannot.
func buildBinary(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("OPTIMUS_TEST_BINARY"); built != "" {
		return built
	}
	binary.once.Do(func() { binary.dir, binary.err = build(context.WithoutCancel(t.Context())) })
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "optimus")
}

func build(ctx context.Context) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "optimus-binary-"); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-X main.version=v0.0.0-test", //nolint:gosec // the folder was just made
		"-o", filepath.Join(dir, "optimus"), "optimus")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build optimus: %w: %s", err, out)
	}
	return dir, nil
}
