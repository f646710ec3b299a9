package containerd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/v2/client"
)

// The runtimes that are known by name. Any other that containerd has a shim for is started with its
// own defaults. Only the default one is taken to run containers on this machine's own kernel, so that
// a unix socket and descriptors reach into them.
const (
	defaultRuntime = "io.containerd.runc.v2"
	runtimeGVisor  = "io.containerd.runsc.v1"
)

// runtimeConfig is containerd's option for a container of the runtime.
func (r *Runner) runtimeConfig(runtime string) (client.NewContainerOpts, error) {
	switch runtime {
	case defaultRuntime:
		return client.WithRuntime(runtime, &runcoptions.Options{Root: r.daemon.RuncRoot()}), nil
	case runtimeGVisor:
		file, err := r.gVisorConfig()
		if err != nil {
			return nil, err
		}
		return client.WithRuntime(runtime, &runtimeoptions.Options{ConfigPath: file}), nil
	default:
		return client.WithRuntime(runtime, nil), nil
	}
}

// gVisorConfig writes what the shim of gVisor reads, and gives its path.
func (r *Runner) gVisorConfig() (string, error) {
	file := r.instance.gVisorConfig()
	text := "# Written by Optimus.\n"
	if r.daemon.Private() {
		text += "root = " + strconv.Quote(r.daemon.private.runscRoot()) + "\n"
	}
	// systrap works in a virtual machine too; a kernel of its own accounts to each run what it uses.
	text += "[runsc_config]\n  platform = \"systrap\"\n  network = \"none\"\n  in-sandbox-cgroup = \"v2\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", wrap("write gVisor's configuration", err)
	}
	return file, nil
}

// errRuntimeUnusable is wrapped by the error of a container whose runtime this machine lacks.
var errRuntimeUnusable = errors.New("runtime can't be used")

// CheckRuntime tells beforehand what containerd would only say in its own words: that the runtime's
// shim is missing, or that this containerd is too old for it. Only a private daemon is sure to look
// for shims where this process does.
func (d *Daemon) CheckRuntime(runtime string) error {
	if runtime == runtimeGVisor && majorVersion(d.version) < 2 {
		return fmt.Errorf("%w: %s: containerd %s is too old for it: it needs containerd 2", errRuntimeUnusable, runtime, d.version)
	}
	shim := shimOf(runtime)
	if shim == "" || !d.Private() {
		return nil
	}
	if _, err := lookUp(d.private.path, shim); err != nil {
		return fmt.Errorf("%w: %s: %w", errRuntimeUnusable, runtime, err)
	}
	return nil
}

// shimOf is the command that containerd starts for a runtime's containers: "io.containerd.runsc.v1"
// is containerd-shim-runsc-v1. It is empty where the name does not say.
func shimOf(runtime string) string {
	parts := strings.Split(runtime, ".")
	if len(parts) < 2 {
		return ""
	}
	return "containerd-shim-" + strings.Join(parts[len(parts)-2:], "-")
}

// majorVersion reads "1.6.20~ds1" or "v2.4.2"; 0 where it can't.
func majorVersion(version string) int {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, _ := strconv.Atoi(major)
	return n
}

func (d *Daemon) runtimeCheck(want LanguageRuntime) Check {
	name := "runtime of " + want.Language
	if err := d.CheckRuntime(want.Runtime); err != nil {
		return warned(name, err.Error(), RuntimeFix)
	}
	return passed(name, want.Runtime)
}

// RuntimeFix is what mends a missing runtime.
const RuntimeFix = "deploy/runtimes.sh (compiles containerd 2 and gVisor); then start Optimus with the folder that it prints first on PATH"
