package containerd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// config is the daemon's configuration, in the second version of its format: 1.6 and 2.x
// both read it.
func (p *privateDaemon) config() []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by Optimus at each start.")
	line("version = 2")
	line("root = %s", strconv.Quote(filepath.Join(p.dir, "root")))
	line("state = %s", strconv.Quote(filepath.Join(p.dir, "state")))
	line("disabled_plugins = [")
	for _, id := range unusedPlugins() {
		line("  %q,", id)
	}
	line("]")
	line("required_plugins = [")
	for _, id := range requiredPlugins() {
		line("  %q,", id)
	}
	line("]")
	line("[debug]")
	line("  level = \"warn\"")
	line("[grpc]")
	line("  address = %s", strconv.Quote(p.socket))
	// Else it makes /opt/containerd.
	line("[plugins.\"io.containerd.internal.v1.opt\"]")
	line("  path = %s", strconv.Quote(filepath.Join(p.dir, "opt")))
	return []byte(b.String())
}

// unusedPlugins lists what serves Kubernetes or needs a device or a kernel module, in both
// majors; a name that a daemon does not know is ignored by it. Without them it is up in
// 0.1 s instead of 1 s.
func unusedPlugins() []string {
	return []string{
		"io.containerd.grpc.v1.cri",
		"io.containerd.cri.v1.images",
		"io.containerd.cri.v1.runtime",
		"io.containerd.podsandbox.controller.v1.podsandbox",
		"io.containerd.nri.v1.nri",
		"io.containerd.internal.v1.restart",
		"io.containerd.internal.v1.tracing",
		"io.containerd.tracing.processor.v1.otlp",
		"io.containerd.snapshotter.v1.aufs",
		"io.containerd.snapshotter.v1.blockfile",
		"io.containerd.snapshotter.v1.btrfs",
		"io.containerd.snapshotter.v1.devmapper",
		"io.containerd.snapshotter.v1.erofs",
		"io.containerd.snapshotter.v1.zfs",
	}
}

// requiredPlugins lists those without which the daemon would start, yet be of no use.
func requiredPlugins() []string {
	return []string{
		"io.containerd.metadata.v1.bolt",
		"io.containerd.runtime.v2.task",
		"io.containerd.service.v1.images-service",
		"io.containerd.service.v1.tasks-service",
	}
}

// writeConfig brings the file up to date and tells whether it was not.
func (p *privateDaemon) writeConfig() (changed bool, err error) {
	want := p.config()
	have, err := os.ReadFile(p.configFile())
	switch {
	case err == nil && bytes.Equal(have, want):
		return false, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("private containerd: %w", err)
	}
	part := p.configFile() + ".part"
	if err := os.WriteFile(part, want, 0o600); err != nil {
		return false, fmt.Errorf("private containerd: %w", err)
	}
	if err := os.Rename(part, p.configFile()); err != nil {
		return false, fmt.Errorf("private containerd: %w", err)
	}
	return true, nil
}
