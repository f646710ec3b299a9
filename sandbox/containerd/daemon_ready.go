package containerd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"

	"optimus/sandbox"
)

// leastRoom, in bytes, is what a container needs in each folder of the daemon's and the Runner's, amply.
const leastRoom = 4 << 20

// Ready tells whether a container could be made now, and why not: an error wraps
// [sandbox.ErrUnavailable]. Containers that run already may go on all the same.
func (r *Runner) Ready(ctx context.Context) error {
	d := r.daemon
	if _, err := d.client.Version(ctx); err != nil {
		return fmt.Errorf("%w: containerd at %s does not answer: %w", sandbox.ErrUnavailable, d.address, err)
	}
	for _, dir := range slices.Concat(d.folders, []string{d.stateFolder(), r.dir}) {
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
		return fmt.Errorf("the disk of the folder %s is full: %d KiB are free; %s", dir, free>>10, makeRoom)
	}
	if fs.Files > 0 && fs.Ffree == 0 {
		return fmt.Errorf("the disk of the folder %s has no inode left: delete files there", dir)
	}
	return nil
}

// makeRoom is what to do about a full disk.
const makeRoom = "make room, for instance by `optimus admin images prune`"

// isFull tells whether an error speaks of a full disk.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) ||
		// From other processes errors come as texts.
		err != nil && strings.Contains(err.Error(), unix.ENOSPC.Error())
}

// WithRoom adds to an error that speaks of a full disk what to do about it, unless it says so already.
func WithRoom(err error) error {
	if !isFull(err) || strings.Contains(err.Error(), "make room") {
		return err
	}
	return fmt.Errorf("%w; %s", err, makeRoom)
}

// hint is what to do about an error: make room, or else what is given.
func hint(err error, otherwise string) string {
	if isFull(err) {
		return makeRoom
	}
	return otherwise
}
