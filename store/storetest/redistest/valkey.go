package redistest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	valkeyName = "valkey-server"
	// valkeySuite is the first of Debian's that has it. On an older one it runs from an unpacked tree.
	valkeySuite = "trixie"
)

// Valkey starts Debian's valkey-server behind a socket.
func Valkey(t *testing.T, more ...string) *Server {
	t.Helper()
	program, err := valkeyProgram(t.Context())
	must(t, err)
	return start(t, program, more...)
}

// valkeyProgram is how to start it: this machine's own, else one that is unpacked with the C library that
// it wants, once, into the folder in which built images are kept too.
func valkeyProgram(ctx context.Context) ([]string, error) {
	if own, err := exec.LookPath(valkeyName); err == nil {
		return []string{own}, nil
	}
	root := filepath.Join(cacheDir(), valkeyName+"-"+valkeySuite)
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		if err := unpack(ctx, root); err != nil {
			return nil, fmt.Errorf("%s of Debian's suite %s: %w", valkeyName, valkeySuite, err)
		}
	}
	loaders, err := filepath.Glob(filepath.Join(root, "usr/lib/*/ld-linux*.so*"))
	if err != nil || len(loaders) == 0 {
		return nil, fmt.Errorf("%s has no C library: remove it, and it is made anew", root)
	}
	return []string{loaders[0], "--library-path", filepath.Dir(loaders[0]), filepath.Join(root, "usr/bin", valkeyName)}, nil
}

func cacheDir() string {
	if dir := os.Getenv("OPTIMUS_CACHE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "optimus")
	}
	return "/var/cache/optimus"
}

// unpack has mmdebstrap unpack the package and what it depends on; none of it is installed.
func unpack(ctx context.Context, root string) error {
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil { //nolint:gosec // others may read what is Debian's
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(root), filepath.Base(root)+".*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	const enough = 5 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, enough)
	defer cancel()
	args := []string{
		"--variant=extract", "--include=" + valkeyName, "--quiet", `--aptopt=Acquire::Retries "3"`,
		"--dpkgopt=path-exclude=/usr/share/*", "--dpkgopt=force-unsafe-io", valkeySuite, part,
	}
	if mirror := debianMirror(ctx); mirror != "" {
		args = append(args, mirror)
	}
	if out, err := exec.CommandContext(ctx, "mmdebstrap", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("mmdebstrap: %w: %s", err, out)
	}
	// Another process may have been faster.
	if err := os.Rename(part, root); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// debianMirror is where the builds of images take packages from too; empty leaves it to mmdebstrap.
func debianMirror(ctx context.Context) string {
	if mirror := os.Getenv("OPTIMUS_DEBIAN_MIRROR"); mirror != "" {
		return mirror
	}
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Origin: Debian", "Label: Debian").Output()
	if err != nil {
		return ""
	}
	site, _, _ := strings.Cut(string(out), "\n")
	return site
}
