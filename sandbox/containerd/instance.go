package containerd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"golang.org/x/sys/unix"
)

// labelInstance is the label that names the lock file of the process to which a container belongs.
const labelInstance = "optimus/instance"

const (
	lockSuffix   = ".lock"
	halfMadeLock = ".instance-*"
)

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
	f, err := os.CreateTemp(dir, halfMadeLock)
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

// Times of [Runner.reap].
const (
	reapEvery   = 30 * time.Second
	reapTimeout = 15 * time.Second
	// halfMade is the age from which a lock file that has no name yet is nobody's.
	halfMade = time.Minute
)

// reapOnAndOn reaps until ctx ends, since another process on this machine may die at any time, and
// then until there is nothing more.
func (r *Runner) reapOnAndOn(ctx context.Context) {
	ticker := time.NewTicker(reapEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = r.reap(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reapTimeout)
			defer cancel()
			for passes := 0; passes < 3 && r.reap(ctx); passes++ {
			}
			return
		}
	}
}

// reap removes what instances that are gone have left: containers, tasks, cgroups, folders. It
// tells whether there was anything.
//
// Containerd may still be at work on what a process has asked it for before it died. So an
// instance's lock, by which it is found, goes only with a pass that finds nothing more of it.
func (r *Runner) reap(ctx context.Context) (found bool) {
	owned, err := r.owned(ctx)
	errs := []error{err}
	for path, containers := range owned {
		if path == r.instance.name {
			left, err := r.reapOwn(ctx, containers)
			found = found || left
			errs = append(errs, err)
			continue
		}
		release, ok := abandoned(path)
		if !ok {
			continue
		}
		left, err := r.reapInstance(ctx, path, containers)
		release(!left && err == nil)
		found = found || left
		errs = append(errs, err)
	}
	r.reapHalfMade()
	if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
		r.log.Warn().Err(err).Msg("something that a dead process left could not be removed")
	}
	return found
}

// owned gives the containers of each instance of which anything is known, by its lock.
func (r *Runner) owned(ctx context.Context) (map[string][]client.Container, error) {
	owned := map[string][]client.Container{}
	locks, err := filepath.Glob(filepath.Join(r.dir, "*"+lockSuffix))
	errs := []error{wrap("list instances", err)}
	for _, path := range locks {
		owned[path] = nil // it may have left folders and cgroups all the same
	}
	list, err := r.client.Containers(ctx, fmt.Sprintf("labels.%q", labelInstance))
	errs = append(errs, wrap("list containers", err))
	for _, c := range list {
		labels, err := c.Labels(ctx)
		switch {
		case err == nil:
			owned[labels[labelInstance]] = append(owned[labels[labelInstance]], c)
		case !errdefs.IsNotFound(err):
			errs = append(errs, wrap("read container "+c.ID(), err))
		}
	}
	return owned, errors.Join(errs...)
}

func (r *Runner) reapInstance(ctx context.Context, path string, containers []client.Container) (found bool, err error) {
	var errs []error
	for _, c := range containers {
		r.log.Info().Str("container", c.ID()).Msg("removing a container whose process is gone")
		errs = append(errs, removeContainer(ctx, c, r.shimSocket(c.ID())))
	}
	prefix := strings.TrimSuffix(filepath.Base(path), lockSuffix) + "-"
	stray, err := r.strayTasks(ctx, prefix, containers)
	errs = append(errs, err)
	groups, err := r.cgroups.containers()
	errs = append(errs, err)
	groups = slices.DeleteFunc(groups, func(name string) bool { return !strings.HasPrefix(name, prefix) })
	for _, name := range groups {
		errs = append(errs, r.cgroups.remove(name))
	}
	folders, err := filepath.Glob(filepath.Join(filepath.Dir(path), prefix+"*"))
	errs = append(errs, err)
	for _, folder := range folders {
		errs = append(errs, os.RemoveAll(folder))
	}
	return len(containers)+stray+len(groups)+len(folders) > 0, errors.Join(errs...)
}

// reapOwn removes this instance's containers that could not be removed when they ended.
func (r *Runner) reapOwn(ctx context.Context, containers []client.Container) (found bool, err error) {
	var errs []error
	for _, c := range containers {
		if r.lives(c.ID()) {
			continue
		}
		found = true
		r.log.Info().Str("container", c.ID()).Msg("removing a container that could not be removed before")
		errs = append(errs, removeContainer(ctx, c, r.shimSocket(c.ID())), removeTraces(r.cgroups, filepath.Join(r.dir, c.ID())))
	}
	return found, errors.Join(errs...)
}

// strayTasks ends an instance's tasks that have no container: theirs was removed while they were
// being made.
func (r *Runner) strayTasks(ctx context.Context, prefix string, containers []client.Container) (found int, err error) {
	service := r.client.TaskService()
	list, err := service.List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return 0, wrap("list tasks", err)
	}
	var errs []error
	for _, task := range list.GetTasks() {
		id := task.GetID()
		known := slices.ContainsFunc(containers, func(c client.Container) bool { return c.ID() == id })
		if known || !strings.HasPrefix(id, prefix) {
			continue
		}
		found++
		_, err := service.Kill(ctx, &tasks.KillRequest{ContainerID: id, Signal: uint32(unix.SIGKILL), All: true})
		if err == nil || errdefs.IsNotFound(errgrpc.ToNative(err)) {
			// Until it has ended it cannot be deleted: the next pass does.
			_, _ = service.Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: id})
			err = removeShimSocket(r.shimSocket(id))
		}
		errs = append(errs, wrap("end task "+id, err))
	}
	return found, errors.Join(errs...)
}

// reapHalfMade removes the lock files of processes that died before they could name theirs.
func (r *Runner) reapHalfMade() {
	files, _ := filepath.Glob(filepath.Join(r.dir, halfMadeLock))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && r.now().Sub(info.ModTime()) > halfMade {
			_ = os.Remove(file)
		}
	}
}

func (r *Runner) shimSocket(id string) string {
	return shimSocket(r.daemon.Address(), r.client.DefaultNamespace(), id)
}
