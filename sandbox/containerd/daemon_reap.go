package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"golang.org/x/sys/unix"
)

// endContainers kills and deletes every container of every namespace, with its snapshot, and what an earlier
// end has left of others.
func (p *privateDaemon) endContainers(ctx context.Context, c *client.Client, snapshotter string) error {
	spaces, err := c.NamespaceService().List(ctx)
	if err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	var errs []error
	for _, space := range spaces {
		ctx := namespaces.WithNamespace(ctx, space)
		containers, err := c.Containers(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("list containers of %s: %w", space, err))
		}
		for _, container := range containers {
			if err := removeContainer(ctx, container, shimSocket(p.socket, space, container.ID())); err != nil {
				errs = append(errs, fmt.Errorf("namespace %s: %w", space, err))
			}
		}
		errs = append(errs, endLeases(ctx, c), collect(ctx, c, snapshotter))
	}
	return errors.Join(errs...)
}

// endLeases lets go of what dead processes had begun to make.
func endLeases(ctx context.Context, c *client.Client) error {
	all, err := c.LeasesService().List(ctx)
	if err != nil {
		return fmt.Errorf("list leases: %w", err)
	}
	var errs []error
	for _, lease := range all {
		errs = append(errs, c.LeasesService().Delete(ctx, lease))
	}
	return errors.Join(errs...)
}

// cleanUp removes what containerd could not be asked to end: shims of tasks that were only
// half made, their containers, mounts and folders. The daemon must have ended.
func (p *privateDaemon) cleanUp(ctx context.Context) error {
	err := errors.Join(p.killShims(ctx), p.deleteContainers(ctx))
	// What is mounted on one of the folders itself is a disk that the machine's owner gives it.
	var mounted error
	for _, dir := range []string{filepath.Join(p.dir, "state"), filepath.Join(p.dir, "root"), p.runscRoot()} {
		mounted = errors.Join(mounted, unmountBelow(dir))
	}
	if mounted != nil {
		return errors.Join(err, mounted) // what is mounted in a task's folder must not be removed with it
	}
	// gVisor's sandboxes end with their shims, and leave files.
	return errors.Join(err, p.removeBundles(), os.RemoveAll(p.runscRoot()))
}

// removeBundles removes the folders of tasks. One that was being made when the daemon was killed
// lacks files without which containerd itself cannot remove it.
func (p *privateDaemon) removeBundles() error {
	var errs []error
	for _, dir := range []string{"state", "root"} {
		left, err := filepath.Glob(filepath.Join(p.dir, dir, "io.containerd.runtime.v2.task", "*", "*")) // namespace, container
		if err != nil {
			return fmt.Errorf("list tasks' folders: %w", err)
		}
		for _, bundle := range left {
			errs = append(errs, removeShimSocket(shimSocket(p.socket, filepath.Base(filepath.Dir(bundle)), filepath.Base(bundle))))
			if err := os.RemoveAll(bundle); err != nil {
				errs = append(errs, fmt.Errorf("remove a task's folder: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// killShims ends the shims that serve this daemon, which are known by its socket.
func (p *privateDaemon) killShims(ctx context.Context) error {
	pids, err := findProcesses(p.dir, func(args []string) bool {
		return strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") && slices.Contains(args, p.socket)
	})
	errs := []error{err}
	for _, pid := range pids {
		shim, err := openProcess(pid)
		if err == nil {
			err = shim.stop(ctx)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("end a left-over shim: %w", err))
		}
	}
	return errors.Join(errs...)
}

// deleteContainers ends the containers that runc still knows: a killed shim leaves its own.
func (p *privateDaemon) deleteContainers(ctx context.Context) error {
	left, err := filepath.Glob(filepath.Join(p.runcRoot(), "*", "*")) // namespace, container
	if err != nil {
		return fmt.Errorf("list runc's containers: %w", err)
	}
	var errs []error
	for _, dir := range left {
		root, id := filepath.Split(dir)
		runc, err := lookUp(p.path, "runc")
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, runc, "--root", root, "delete", "--force", id)
		if out, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("runc delete %s: %w: %s", id, err, strings.TrimSpace(string(out))))
		}
	}
	return errors.Join(errs...)
}

// unmountBelow undoes every mount below dir, the deepest first.
func unmountBelow(dir string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	var errs []error
	for _, point := range mountPointsBelow(string(text), dir) {
		if unix.Unmount(point, unix.UMOUNT_NOFOLLOW) == nil {
			continue
		}
		if err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			errs = append(errs, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}

// mountPointsBelow reads the mount points below dir out of a mountinfo, the latest first.
func mountPointsBelow(mountinfo, dir string) []string {
	octal := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if point := octal.Replace(fields[4]); strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points
}
