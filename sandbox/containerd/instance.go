package containerd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// labelInstance is the label that names the lock file of the process to which a container belongs.
const labelInstance = "optimus/instance"

const lockSuffix = ".lock"

// instance is one process's claim to what it makes on this machine: a lock file, held as long as
// the process lives. All that it makes carries its name, and whoever can take the lock may remove it.
type instance struct {
	name string // the lock file's absolute path
	id   string // the prefix of its containers' ids
	lock *os.File
	// block is which block of user ids is its own, and uids the lock that says so.
	block int
	uids  *os.File
}

// uidsPerInstance is how many user ids a block has: the most slots that a Runner can have.
const uidsPerInstance = 1000

func newInstance(dir string) (*instance, error) {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	id := hex.EncodeToString(b[:])
	path := filepath.Join(dir, id+lockSuffix)
	// Locked before it has its name: another process that reaps must never see it unlocked.
	f, err := os.CreateTemp(dir, ".instance-*")
	if err != nil {
		return nil, wrap("make instance lock", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(wrap("lock "+path, err), os.Remove(f.Name()), f.Close())
	}
	i := &instance{name: path, id: id, lock: f}
	if i.block, i.uids, err = claimUIDs(dir); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

// claimUIDs takes the first block of user ids that no living instance has: what the kernel counts
// by user, from pending signals to inotify watches, must not be shared between two processes' runs.
// The lock files stay, or who opened one that is being removed would share its block.
func claimUIDs(dir string) (block int, lock *os.File, err error) {
	for block = range 100 {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("uids.%d", block)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return 0, nil, wrap("claim user ids", err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return block, f, nil
		}
		_ = f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return 0, nil, wrap("claim user ids", err)
		}
	}
	return 0, nil, fmt.Errorf("claim user ids: 100 processes already use %s: give this one a data folder of its own", dir)
}

// agent is where the instance's copy of the agent's binary lies.
func (i *instance) agent() string { return strings.TrimSuffix(i.name, lockSuffix) + "-agent" }

// gVisorConfig is where the configuration of its containers in gVisor lies, if it has any.
func (i *instance) gVisorConfig() string {
	return strings.TrimSuffix(i.name, lockSuffix) + "-runsc.toml"
}

func (i *instance) close() {
	_ = os.Remove(i.agent())
	_ = os.Remove(i.gVisorConfig())
	_ = i.uids.Close()
	_ = os.Remove(i.name)
	_ = i.lock.Close()
}

// abandoned takes the lock of another instance if nobody holds it. A lock file that is gone was
// removed by its own process or by another reaper, so nobody holds it either. release removes it
// where all that the instance left is gone, else the next start finds it again.
func abandoned(path string) (release func(gone bool), ok bool) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return func(bool) {}, true
	}
	if err != nil {
		return nil, false
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, false
	}
	return func(gone bool) {
		if gone {
			_ = os.Remove(path)
		}
		_ = f.Close()
	}, true
}

// reap removes what instances that are gone have left: containers, cgroups, folders, locks.
func (r *Runner) reap(ctx context.Context) error {
	list, err := r.client.Containers(ctx, fmt.Sprintf("labels.%q", labelInstance))
	if err != nil {
		return wrap("list containers", err)
	}
	var errs []error
	owned := map[string][]client.Container{}
	for _, c := range list {
		labels, err := c.Labels(ctx)
		if err != nil {
			if !errdefs.IsNotFound(err) {
				errs = append(errs, wrap("read container "+c.ID(), err))
			}
			continue
		}
		owned[labels[labelInstance]] = append(owned[labels[labelInstance]], c)
	}
	locks, err := filepath.Glob(filepath.Join(r.dir, "*"+lockSuffix))
	if err != nil {
		return wrap("list instances", err)
	}
	for _, path := range locks {
		if _, ok := owned[path]; !ok {
			owned[path] = nil // it may have left folders and cgroups all the same
		}
	}
	for path, containers := range owned {
		if path == r.instance.name {
			continue
		}
		release, ok := abandoned(path)
		if !ok {
			continue
		}
		err := r.reapInstance(ctx, path, containers)
		release(err == nil)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (r *Runner) reapInstance(ctx context.Context, path string, containers []client.Container) error {
	var errs []error
	for _, c := range containers {
		r.log.Info().Str("container", c.ID()).Msg("removing a container whose process is gone")
		errs = append(errs, removeContainer(ctx, c))
	}
	prefix := strings.TrimSuffix(filepath.Base(path), lockSuffix) + "-"
	groups, err := r.cgroups.containers()
	errs = append(errs, err)
	for _, name := range groups {
		if strings.HasPrefix(name, prefix) {
			errs = append(errs, r.cgroups.remove(name))
		}
	}
	folders, err := filepath.Glob(filepath.Join(filepath.Dir(path), prefix+"*"))
	errs = append(errs, err)
	for _, folder := range folders {
		errs = append(errs, os.RemoveAll(folder))
	}
	return errors.Join(errs...)
}

// removeContainer ends a container and removes it. A shim that is just ending breaks the call that
// asks it to, so it is asked again.
func removeContainer(ctx context.Context, c client.Container) error {
	var err error
	for range 3 {
		if err = tryRemove(ctx, c); err == nil {
			return nil
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
