package containerd

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The oldest kernel that has all that a box needs, such as close_range's CLOSE_RANGE_CLOEXEC.
const (
	minKernelMajor = 5
	minKernelMinor = 11
)

func checkUser(uid int) Check {
	if uid == 0 {
		return passed("user", "root")
	}
	return failed("user", fmt.Sprintf("uid %d: boxes are made by root", uid), "run it as root: sudo optimus …")
}

func checkArch(arch string) Check {
	if arch == "amd64" || arch == "arm64" {
		return passed("architecture", arch)
	}
	return failed("architecture", arch, "use a machine of amd64 or arm64")
}

func checkRelease(root fs.FS) Check {
	release := procLine(root, "proc/sys/kernel/osrelease")
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return warned("kernel", fmt.Sprintf("release %q can't be read", release), "make sure that it is Linux 5.11 or later")
	}
	if major < minKernelMajor || major == minKernelMajor && minor < minKernelMinor {
		return failed("kernel", "Linux "+release, fmt.Sprintf("install Linux %d.%d or later", minKernelMajor, minKernelMinor))
	}
	return passed("kernel", "Linux "+release)
}

func checkNamespaces(root fs.FS) Check {
	entries, err := fs.ReadDir(root, "proc/self/ns")
	if err != nil {
		return failed("namespaces", err.Error(), "mount /proc")
	}
	var missing []string
	for _, want := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"} {
		has := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == want })
		if !has || procLine(root, "proc/sys/user/max_"+want+"_namespaces") == "0" {
			missing = append(missing, want)
		}
	}
	if len(missing) > 0 {
		return failed("namespaces", "not allowed: "+strings.Join(missing, ", "),
			"sysctl user.max_"+missing[0]+"_namespaces=10000, or a kernel that has them")
	}
	return passed("namespaces", "cgroup, ipc, mnt, net, pid, uts")
}

// checkUserNamespaces only warns: containers in a user namespace are an extra layer.
func checkUserNamespaces(root fs.FS) Check {
	const name, fix = "user namespaces", "sysctl user.max_user_namespaces=10000"
	if _, err := fs.Stat(root, "proc/sys/user/max_user_namespaces"); err != nil {
		return warned(name, "the kernel has none", "a kernel with CONFIG_USER_NS")
	}
	if procLine(root, "proc/sys/user/max_user_namespaces") == "0" {
		return warned(name, "switched off", fix)
	}
	return passed(name, "allowed")
}

// checkCgroups wants what measures and bounds a run.
func checkCgroups(root fs.FS) Check {
	const name = "cgroups"
	if unifiedHierarchy(root) {
		dir := ownCgroup(root)
		have := strings.Fields(procLine(root, path.Join(dir, "cgroup.controllers")))
		if missing := lacking(v2Controllers(), have); len(missing) > 0 {
			return failed(name, fmt.Sprintf("version 2, without %s in /%s", strings.Join(missing, ", "), dir),
				"delegate them: systemctl set-property with Delegate=yes on this service, or run it outside of a restricted slice")
		}
		return passed(name, "version 2 with memory, pids")
	}
	have := mountedControllers(root)
	if len(have) == 0 {
		return failed(name, "none is mounted", "mount -t cgroup2 none /sys/fs/cgroup")
	}
	if missing := lacking([]string{"cpuacct", "memory", "pids"}, have); len(missing) > 0 {
		return failed(name, "version 1, without "+strings.Join(missing, ", "),
			"boot with cgroup_enable=memory, and mount each below /sys/fs/cgroup")
	}
	return passed(name, "version 1 with cpuacct, memory, pids")
}

// unifiedHierarchy tells whether /sys/fs/cgroup itself is version 2.
func unifiedHierarchy(root fs.FS) bool {
	_, err := fs.Stat(root, "sys/fs/cgroup/cgroup.controllers")
	return err == nil
}

// ownCgroup is the folder of this process's own cgroup of version 2.
func ownCgroup(root fs.FS) string {
	const top = "sys/fs/cgroup"
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	dir := path.Join(top, ownV2(string(text)))
	if _, err := fs.Stat(root, dir); err == nil && strings.HasPrefix(dir, top) {
		return dir
	}
	return top
}

// mountedControllers lists the controllers of version 1 that are mounted.
func mountedControllers(root fs.FS) []string {
	text, _ := fs.ReadFile(root, "proc/self/mountinfo")
	var have []string
	for line := range strings.Lines(string(text)) {
		_, kind, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(kind); len(fields) == 3 && fields[0] == "cgroup" {
			have = append(have, strings.Split(fields[2], ",")...)
		}
	}
	return have
}

// checkSwap: without accounting a run may use swap beyond its memory limit.
func checkSwap(root fs.FS) Check {
	const name = "swap accounting"
	text, _ := fs.ReadFile(root, "proc/swaps")
	if strings.Count(strings.TrimSpace(string(text)), "\n") == 0 {
		return passed(name, "no swap")
	}
	file := "sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"
	if unifiedHierarchy(root) {
		// The root cgroup has no such file, and nothing to be bounded by it.
		dir := ownCgroup(root)
		if dir == "sys/fs/cgroup" {
			return passed(name, "swap is used, and counted by cgroup version 2")
		}
		file = path.Join(dir, "memory.swap.max")
	}
	if _, err := fs.Stat(root, file); err != nil {
		return warned(name, "swap is used, but not counted: a run can exceed its memory limit by it",
			"swapoff -a, or boot with swapaccount=1")
	}
	return passed(name, "swap is used, and counted")
}

func checkSeccomp(root fs.FS) Check {
	actions := strings.Fields(procLine(root, "proc/sys/kernel/seccomp/actions_avail"))
	if missing := lacking([]string{"kill_process", "errno", "allow"}, actions); len(missing) > 0 {
		return failed("seccomp", "not available: "+strings.Join(missing, ", "), "a kernel with CONFIG_SECCOMP_FILTER")
	}
	return passed("seccomp", "filters")
}

func checkOverlay(root fs.FS) Check {
	text, _ := fs.ReadFile(root, "proc/filesystems")
	if slices.Contains(strings.Fields(string(text)), "overlay") {
		return passed("overlayfs", "available")
	}
	release := procLine(root, "proc/sys/kernel/osrelease")
	modules, _ := fs.Glob(root, path.Join("lib/modules", release, "kernel/fs/overlayfs/overlay.ko*"))
	if len(modules) > 0 {
		return passed("overlayfs", "a module, loaded when it is needed")
	}
	return warned("overlayfs", "not available: each container gets a full copy of its image", "modprobe overlay")
}

// Numbers of capabilities, as linux/capability.h has them.
const (
	capChown = iota
	capDacOverride
	_
	_
	_
	capKill
	capSetgid
	capSetuid
	capNetAdmin    = 12
	capSysChroot   = 18
	capSysAdmin    = 21
	capSysResource = 24
	capMknod       = 27
)

func checkCapabilities(root fs.FS) Check {
	have, err := effectiveCapabilities(root)
	if err != nil {
		return failed("capabilities", err.Error(), "mount /proc")
	}
	var missing []string
	for _, want := range []struct {
		number int
		name   string
	}{
		{capChown, "CAP_CHOWN"},
		{capDacOverride, "CAP_DAC_OVERRIDE"},
		{capKill, "CAP_KILL"},
		{capSetgid, "CAP_SETGID"},
		{capSetuid, "CAP_SETUID"},
		{capNetAdmin, "CAP_NET_ADMIN"},
		{capSysChroot, "CAP_SYS_CHROOT"},
		{capSysAdmin, "CAP_SYS_ADMIN"},
		{capMknod, "CAP_MKNOD"},
	} {
		if have&(1<<want.number) == 0 {
			missing = append(missing, want.name)
		}
	}
	if len(missing) > 0 {
		return failed("capabilities", "missing: "+strings.Join(missing, ", "),
			"run it as root, and in a container with --privileged")
	}
	return passed("capabilities", "all that are needed")
}

// checkResourceCapability only warns: limits then can be lowered, never raised.
func checkResourceCapability(root fs.FS) Check {
	const name = "CAP_SYS_RESOURCE"
	have, err := effectiveCapabilities(root)
	if err == nil && have&(1<<capSysResource) != 0 {
		return passed(name, "held")
	}
	return warned(name, "missing: hard limits (open files, stack) can't be raised above this process's own, "+
		"nor a process be spared by the out-of-memory killer",
		"give it to this service where higher limits are wanted; all else works without")
}

func effectiveCapabilities(root fs.FS) (uint64, error) {
	text, err := fs.ReadFile(root, "proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if hex, found := strings.CutPrefix(line, "CapEff:"); found {
			mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if err != nil {
				return 0, fmt.Errorf("read capabilities: %w", err)
			}
			return mask, nil
		}
	}
	return 0, fmt.Errorf("read capabilities: no CapEff in /proc/self/status")
}

// procLine gives the text of a small file without its end of line; empty where there is none.
func procLine(root fs.FS, name string) string {
	text, _ := fs.ReadFile(root, name)
	return strings.TrimSpace(string(text))
}

// lacking gives what is wanted and not had.
func lacking(wanted, have []string) []string {
	return slices.DeleteFunc(wanted, func(s string) bool { return slices.Contains(have, s) })
}
