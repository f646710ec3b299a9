package containerd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// leastRoom, in bytes, is what a container needs in each of the daemon's folders, amply.
const leastRoom = 4 << 20

// Ready tells whether a container could be made now, and why not: an error wraps
// [sandbox.ErrUnavailable]. Containers that run already may go on all the same.
func (d *Daemon) Ready(ctx context.Context) error {
	if _, err := d.client.Version(ctx); err != nil {
		return fmt.Errorf("%w: containerd at %s does not answer: %w", sandbox.ErrUnavailable, d.address, err)
	}
	for _, dir := range append(d.folders, d.stateFolder()) {
		if err := hasRoom(dir); err != nil {
			return fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
		}
	}
	return nil
}

// writtenFolders lists the folders, and files, to which the daemon's parts say that they write.
func writtenFolders(ctx context.Context, c *client.Client) ([]string, error) {
	plugins, err := c.IntrospectionService().Plugins(ctx)
	if err != nil {
		return nil, fmt.Errorf("list plugins: %w", err)
	}
	var folders []string
	for _, p := range plugins.Plugins {
		for _, path := range []string{p.Exports["root"], p.Exports["path"]} {
			if path != "" && p.InitErr == nil {
				folders = append(folders, path)
			}
		}
	}
	return slices.Compact(folders), nil
}

// stateFolder is where the daemon keeps what it knows of running tasks: by convention that of its
// socket, /run/containerd say.
func (d *Daemon) stateFolder() string {
	if d.private != nil {
		return filepath.Join(d.private.dir, "state")
	}
	return filepath.Dir(d.address)
}

// hasRoom says that a folder's disk is full. A folder that is not seen from here is none of ours.
func hasRoom(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil //nolint:nilerr // see above
	}
	free := fs.Bavail * uint64(fs.Bsize) //nolint:gosec // a block's size is positive
	if free < leastRoom {
		return fmt.Errorf("the disk of containerd's folder %s is full: %d KiB are free; make room, for instance by `optimus admin images prune`", dir, free>>10)
	}
	if fs.Files > 0 && fs.Ffree == 0 {
		return fmt.Errorf("the disk of containerd's folder %s has no inode left: delete files there", dir)
	}
	return nil
}
