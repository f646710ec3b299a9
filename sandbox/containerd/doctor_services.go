package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// Bounds of the free space of the data folder's disk, in bytes: an image of a language and
// its unpacked files are up to 1 GiB.
const (
	lowSpace  = 5 << 30
	leastFree = 1 << 30
)

// checkTools looks in search for the programs that are called. A containerd that answers at a socket of k3s, k0s
// or MicroK8s, or whose own program is not here (a container sees its host's), has its runc with it.
func checkTools(ctx context.Context, root fs.FS, search, socket string) []Check {
	_, absent := lookUp(search, "containerd")
	var checks []Check
	if elsewhere := socket != "" && (absent != nil || slices.Contains(SystemSockets()[1:], socket)); !elsewhere {
		checks = append(checks, checkTool(ctx, search, "runc", failed, "apt-get install runc"))
	}
	get := "apt-get install mmdebstrap debian-archive-keyring"
	if _, noDebian := lookUp(search, "apt-get"); noDebian != nil {
		get = "build images on a Debian machine, and bring them here by optimus admin images export and import"
	}
	build := checkTool(ctx, search, "mmdebstrap", warned, get)
	if build.Status == StatusOK && !hasKeyring(root) {
		build = warned("mmdebstrap", "Debian's keys are missing, so that packages can't be verified",
			"apt-get install debian-archive-keyring")
	}
	return append(checks, build)
}

// checkTool asks a program for its version.
func checkTool(ctx context.Context, search, name string, report func(name, detail, fix string) Check, fix string) Check {
	file, err := lookUp(search, name)
	if err != nil {
		return report(name, err.Error(), fix)
	}
	out, err := exec.CommandContext(ctx, file, "--version").Output()
	if err != nil {
		return report(name, fmt.Sprintf("%s --version: %v", file, err), fix)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return passed(name, first)
}

func hasKeyring(root fs.FS) bool {
	for _, pattern := range []string{"usr/share/keyrings/debian-archive-*", "etc/apt/trusted.gpg.d/debian-archive-*"} {
		if found, _ := fs.Glob(root, pattern); len(found) > 0 {
			return true
		}
	}
	return false
}

// CheckDataDir looks at the data folder, or at the nearest one above it that exists.
func CheckDataDir(dir string) []Check {
	const folder, space = "data folder", "disk space"
	abs, err := filepath.Abs(dir)
	if err != nil {
		return []Check{failed(folder, err.Error(), "give another by --data")}
	}
	near, err := nearestFolder(abs)
	if err != nil {
		return []Check{failed(folder, err.Error(), "give another by --data")}
	}
	writable := passed(folder, abs+" can be written to")
	switch err := unix.Access(near, unix.W_OK|unix.X_OK); {
	case err != nil:
		writable = failed(folder, fmt.Sprintf("%s: can't be written to: %v", near, err), "run as root, or give another by --data")
	case near != abs:
		writable.Detail = abs + " will be made"
	}
	var fsinfo unix.Statfs_t
	if err := unix.Statfs(near, &fsinfo); err != nil {
		return []Check{writable, warned(space, fmt.Sprintf("%s: %v", near, err), "give another folder by --data")}
	}
	return []Check{writable, spaceCheck(space, near, fsinfo.Bavail*uint64(fsinfo.Bsize))} //nolint:gosec // a block's size is positive
}

func nearestFolder(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return dir, nil
		case err == nil:
			return "", fmt.Errorf("%s is not a folder", dir)
		case !errors.Is(err, fs.ErrNotExist) || dir == "/":
			return "", err //nolint:wrapcheck // names operation and folder
		}
		dir = filepath.Dir(dir)
	}
}

func spaceCheck(name, dir string, free uint64) Check {
	detail := fmt.Sprintf("%.1f GiB free at %s", float64(free)/(1<<30), dir)
	const fix = "optimus admin images prune, or give a folder on a larger disk by --data"
	switch {
	case free < leastFree:
		return failed(name, detail, fix)
	case free < lowSpace:
		return warned(name, detail, fix)
	}
	return passed(name, detail)
}

// checkContainerd connects, and looks at each image. It also gives the socket.
func checkContainerd(ctx context.Context, o DoctorOptions) (checks []Check, socket string) {
	const name = "containerd"
	d, err := Connect(ctx, o.Daemon)
	if err != nil {
		fix := "apt-get install containerd runc"
		if _, missing := lookUp(searchPath(os.Getenv("PATH")), name); missing == nil {
			fix = "mend what it says, or set [sandbox] containerd to the socket of one that runs"
		}
		return []Check{failed(name, err.Error(), fix)}, ""
	}
	defer func() {
		if err := d.Close(context.WithoutCancel(ctx)); err != nil {
			checks = append(checks, warned(name, err.Error(), "see its log below "+o.Daemon.Dir))
		}
	}()
	kind := "of this system"
	if d.Private() {
		kind = "private"
	}
	checks = append(checks, passed(name, fmt.Sprintf("%s, %s, at %s", d.Version(), kind, d.Address())), snapshotterCheck(d.Snapshotter()),
		pidCheck(ctx, d.Address()))
	checks = append(checks, memoryCheck(ctx, d, o)...)
	for _, image := range o.Images {
		checks = append(checks, imageCheck(ctx, d.Images(), image))
	}
	for _, want := range o.Runtimes {
		checks = append(checks, d.runtimeCheck(want))
	}
	return checks, d.Address()
}

// memoryCheck says what runs may have, in a pod also of where their groups are.
func memoryCheck(ctx context.Context, d *Daemon, o DoctorOptions) []Check {
	parent, err := parentFor(ctx, d.Client(), o.CgroupParent, o.PodUID)
	if err != nil {
		return []Check{failed("cgroup of the pod", err.Error(), "set OPTIMUS_SANDBOX_POD_UID to the pod's metadata.uid, and use the socket of the node's containerd")}
	}
	var checks []Check
	if o.PodUID != "" {
		checks = append(checks, passed("cgroup of the pod", "runs are below "+parent))
	}
	if bytes, err := memoryOfRuns(parent); err == nil { // else the check of cgroups says why
		checks = append(checks, CheckMemory(bytes, o.Slots, o.LargestRun))
	}
	return checks
}

func snapshotterCheck(snapshotter string) Check {
	if snapshotter == "overlayfs" {
		return passed("snapshotter", snapshotter)
	}
	return warned("snapshotter", snapshotter+": each container gets a full copy of its image",
		"put the data folder on a file system that can carry overlayfs, such as ext4 or xfs")
}

func pidCheck(ctx context.Context, socket string) Check {
	const name = "process numbers"
	if err := checkPIDs(ctx, socket); err != nil {
		return failed(name, err.Error(), "hostPID: true in a pod, --pid=host for a container")
	}
	return passed(name, "the same here as in containerd")
}

func imageCheck(ctx context.Context, images *Images, want LanguageImage) Check {
	name := "image of " + want.Language
	img, err := images.Get(ctx, want.Ref)
	switch {
	case errors.Is(err, sandbox.ErrImageMissing):
		return warned(name, want.Ref+" is not present", want.HowToGet)
	case err != nil:
		return failed(name, err.Error(), want.HowToGet)
	}
	return passed(name, fmt.Sprintf("%s, %d MB, %s", img.Ref, img.Size/1_000_000, img.Digest))
}
