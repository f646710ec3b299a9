package containerd

import (
	"context"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Paths inside a container; the agent knows them by the same names.
const (
	innerBase   = "/.optimus"
	innerAgent  = innerBase + "/agent"
	innerHost   = innerBase + "/host"
	innerSocket = innerHost + "/" + socketName
	socketName  = "agent.sock"
)

// agentCapabilities are what the agent needs to make boxes; it has no others, and a box has none.
func agentCapabilities() []string {
	return []string{
		"CAP_SYS_ADMIN",                           // mounts and namespaces
		"CAP_SYS_CHROOT",                          // pivot_root's requirement inside a user namespace
		"CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", // the box's identity, the emptied bounding set
		"CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE", // the program's files
		"CAP_MKNOD", // the box's devices
		"CAP_KILL",  // ending a box
	}
}

// containerSpec is the OCI spec of a warm container: the image's root read-only, the agent as its
// only process, no network interface, the default seccomp filter, no cgroup namespace, no limits. How
// the agent is reached is the transport's part.
func containerSpec(agentBinary, cgroupPath string) []oci.SpecOpts {
	return []oci.SpecOpts{
		oci.WithDefaultSpec(),
		oci.WithDefaultUnixDevices,
		oci.WithRootFSReadonly(),
		oci.WithProcessCwd("/"),
		oci.WithEnv([]string{"PATH=/usr/bin:/bin"}),
		oci.WithCapabilities(agentCapabilities()),
		oci.WithNoNewPrivileges,
		oci.WithCgroup(cgroupPath),
		oci.WithHostname("optimus"),
		seccomp.WithDefaultProfile(),
		allowPivotRoot,
		withNamespaces,
		oci.WithMounts([]specs.Mount{
			tmpfs(innerBase, "mode=0755", "size=64m"),
			bind(agentBinary, innerAgent, "ro"),
			// Mount points of a box, which an image need not have.
			tmpfs(WorkDir, "mode=0755", "size=4k"),
			tmpfs("/tmp", "mode=0755", "size=4k"),
		}),
	}
}

func tmpfs(target string, options ...string) specs.Mount {
	return specs.Mount{
		Destination: target, Type: "tmpfs", Source: "tmpfs",
		Options: append([]string{"nosuid", "nodev"}, options...),
	}
}

func bind(source, target, mode string) specs.Mount {
	return specs.Mount{
		Destination: target, Type: "bind", Source: source,
		Options: []string{"bind", "nosuid", "nodev", "private", mode},
	}
}

// allowPivotRoot adds to the default seccomp profile the one call of the agent that it lacks; the
// box's own filter refuses it again.
func allowPivotRoot(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
	s.Linux.Seccomp.Syscalls = append(s.Linux.Seccomp.Syscalls, specs.LinuxSyscall{
		Names: []string{"pivot_root"}, Action: specs.ActAllow,
	})
	return nil
}

// withNamespaces gives the container namespaces of its own but for cgroup: the agent joins runs'
// cgroups, which lie beside its own.
func withNamespaces(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
	s.Linux.Namespaces = []specs.LinuxNamespace{
		{Type: specs.PIDNamespace},
		{Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace},
		{Type: specs.MountNamespace},
		{Type: specs.NetworkNamespace},
	}
	return nil
}

func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what for
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*")
	if err != nil {
		return err //nolint:wrapcheck // likewise
	}
	defer os.Remove(dst.Name())
	_, err = dst.ReadFrom(src)
	if e := dst.Chmod(0o555); err == nil {
		err = e
	}
	if e := dst.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(dst.Name(), to)
	}
	return err //nolint:wrapcheck // likewise
}
