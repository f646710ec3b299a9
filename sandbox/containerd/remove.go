package containerd

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
)

// removeContainer ends a container and removes it, with its snapshot and the socket of its shim. A
// shim that is just ending breaks the call that asks it to, so it is asked again.
func removeContainer(ctx context.Context, c client.Container, shimSocket string) error {
	var err error
	for range 3 {
		if err = tryRemove(ctx, c); err == nil {
			return removeShimSocket(shimSocket)
		}
	}
	return err
}

func tryRemove(ctx context.Context, c client.Container) error {
	task, err := c.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, client.WithProcessKill)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return wrap("end container "+c.ID(), err)
	}
	if err := c.Delete(ctx, client.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
		return wrap("remove container "+c.ID(), err)
	}
	return nil
}

// collect has containerd remove the folders of a snapshotter's snapshots that are gone. By itself it does so only
// after more changes, which may not come; and one that was killed in the midst of it forgets them, until a snapshot
// of the same snapshotter goes: here one that is made for it, and ends with its lease.
func collect(ctx context.Context, c *client.Client, snapshotter string) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	service := c.LeasesService()
	lease, err := service.Create(ctx, leases.WithRandomID(), leases.WithExpiration(removeTimeout))
	if err == nil {
		_, err = c.SnapshotService(snapshotter).Prepare(leases.WithLease(ctx, lease.ID), lease.ID, "")
		err = errors.Join(err, service.Delete(ctx, lease, leases.SynchronousDelete))
	}
	return wrap("collect what was removed", err)
}

// removeTraces removes what this process has made for a container beside it: its cgroups, its folder,
// by whose name it is known, and its log.
func removeTraces(groups cgroups, dir string) error {
	return errors.Join(groups.remove(filepath.Base(dir)), os.RemoveAll(dir), os.RemoveAll(logFile(dir)))
}

// logFile is where the log lies of the container whose folder is dir: beside it, out of its reach.
func logFile(dir string) string { return dir + ".log" }

// shimSocket is where the shim of a container listens, as containerd names it
// (pkg/shim.SocketAddress). A shim that was killed leaves its socket, and containerd leaves it too.
func shimSocket(address, namespace, id string) string {
	sum := sha256.Sum256([]byte(filepath.Join(address, namespace, id)))
	return fmt.Sprintf("/run/containerd/s/%x", sum)
}

// removeShimSocket removes the socket of a shim that has ended.
func removeShimSocket(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a shim's socket: %w", err)
	}
	return nil
}
