package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/rs/zerolog"

	"optimus/sandbox"
)

// DefaultUIDBase is the default of [RunnerOptions.UIDBase].
const DefaultUIDBase = 70_000

// RunnerOptions say how a [Runner] works.
type RunnerOptions struct {
	// Daemon is the containerd to use; the Runner does not close it.
	Daemon *Daemon
	// Dir is a folder of the Runner's own on the host: sockets, logs, instance locks.
	Dir string
	// Agent is the binary that becomes the containers' agent; empty means this process's own.
	Agent string
	// Slots is how many runs are carried out at once, at most 1000; 0 means one for each processor.
	Slots int
	// UIDBase is the first of Slots user ids, one for each slot; 0 means DefaultUIDBase. Where other
	// Runners work in Dir, each has a block of a thousand ids, from UIDBase on, of its own.
	UIDBase int
	// CgroupParent is the group in which containers' groups lie, a path from the hierarchy's root.
	// Empty means "optimus": below Optimus's own group where that is delegated to it (version 2),
	// else at the root.
	CgroupParent string
	// PodUID is that of the Kubernetes pod that this process is in, if it is: where CgroupParent is
	// empty, the groups then lie below the pod's.
	PodUID string
	// Pool is how many containers wait, started, for the next job of a dedicated language; with 0
	// each is made when its job asks for it.
	Pool int
	// Idle is how long a container stays that no program is in and that [Runner.Warm] was not told
	// to keep; 0 ends it at once.
	Idle time.Duration
	// Now is the clock, for the log alone; it must be given.
	Now func() time.Time
	Log zerolog.Logger
}

// Runner runs programs in warm containers. It is a [sandbox.Runner].
type Runner struct {
	daemon       *Daemon
	client       *client.Client
	dir          string
	agent        string
	cgroups      cgroups
	cgroupParent string
	instance     *instance
	log          zerolog.Logger
	slots        int
	pool         int
	idle         time.Duration
	uidBase      int
	now          func() time.Time

	free   chan int // indices of free slots
	memory *memoryPool
	ctx    context.Context //nolint:containedctx // of all that spawn starts; ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	started, lost atomic.Int64 // containers

	mu     sync.Mutex
	warm   map[shelfKey]*shelf
	keep   map[shelfKey]bool // what Warm was told last
	serial int
	living map[string]bool // by id: containers that are wanted
	closed bool
}

// slot is a place for one run at a time: a user id, in each container a network namespace, and the
// memory that is reserved for the run.
type slot struct {
	index, uid int
	memory     int64 // in bytes
}

// NewRunner prepares the host and removes what dead processes have left. Containers are started by
// Warm, or by the first job of a language.
func NewRunner(ctx context.Context, o RunnerOptions) (*Runner, error) {
	if o.Daemon == nil || o.Now == nil {
		return nil, errors.New("runner: daemon and clock must be given")
	}
	r := &Runner{
		daemon: o.Daemon, client: o.Daemon.Client(), log: o.Log, slots: cmp.Or(o.Slots, runtime.NumCPU()), pool: o.Pool, idle: o.Idle,
		uidBase: cmp.Or(o.UIDBase, DefaultUIDBase), warm: map[shelfKey]*shelf{}, living: map[string]bool{}, now: o.Now,
	}
	if r.slots > uidsPerInstance {
		return nil, fmt.Errorf("runner: %d slots, at most %d", r.slots, uidsPerInstance)
	}
	err := checkPIDs(ctx, o.Daemon.Address())
	if err != nil {
		return nil, err
	}
	if r.dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, wrap("find the runner's folder", err)
	}
	if err := os.MkdirAll(r.dir, 0o711); err != nil { //nolint:gosec // a container in a user namespace must pass through
		return nil, wrap("make the runner's folder", err)
	}
	if o.Agent == "" {
		if o.Agent, err = os.Executable(); err != nil {
			return nil, wrap("find the agent's binary", err)
		}
	}
	parent, err := parentFor(ctx, r.client, o.CgroupParent, o.PodUID)
	if err != nil {
		return nil, err
	}
	if r.cgroups, r.cgroupParent, err = openCgroups(parent); err != nil {
		return nil, err
	}
	bytes, err := memoryOfRuns(r.cgroupParent)
	if err != nil {
		return nil, err
	}
	r.memory = newMemoryPool(bytes)
	if r.instance, err = newInstance(r.dir); err != nil {
		return nil, err
	}
	// A copy, never the daemon's own inode: a container must not hold, and could not be given by
	// mistake, the file that the host executes. One for each instance: others are of other builds.
	r.agent = r.instance.agent()
	if err := copyFile(o.Agent, r.agent); err != nil {
		r.instance.close()
		return nil, wrap("copy the agent's binary", err)
	}
	_ = r.reap(ctx)
	r.free = make(chan int, r.slots)
	for i := range r.slots {
		r.free <- i
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.spawn(r.reapOnAndOn)
	return r, nil
}

// spawn runs f in a goroutine that Close waits for; its context ends with Close. After Close,
// f finds its context ended and every container refused, and nobody waits for it.
func (r *Runner) spawn(f func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spawnLocked(f)
}

// spawnLocked is spawn for who holds the lock.
func (r *Runner) spawnLocked(f func(context.Context)) {
	if r.closed {
		go f(r.ctx)
		return
	}
	r.work.Go(func() { f(r.ctx) })
}

// Containers counts the containers of a [Runner] since it was made.
type Containers struct {
	// Started became ready.
	Started int64
	// Lost ended though they were wanted, such as by the end of their agent.
	Lost int64
}

// Containers gives the counts so far.
func (r *Runner) Containers() Containers {
	return Containers{Started: r.started.Load(), Lost: r.lost.Load()}
}

// Slots is how many runs are carried out at once.
func (r *Runner) Slots() int { return r.slots }

// Memory is how many bytes the runs under way may have together; those that do not fit wait.
func (r *Runner) Memory() int64 { return r.memory.bytes }

// slotFor waits for a free slot and then for the memory of a run with these limits.
func (r *Runner) slotFor(ctx context.Context, l sandbox.Limits) (slot, error) {
	var s slot
	select {
	case s.index = <-r.free:
	case <-ctx.Done():
		return slot{}, fmt.Errorf("wait for a slot: %w", context.Cause(ctx))
	}
	s.uid = r.uidBase + r.instance.block*uidsPerInstance + s.index
	var err error
	if s.memory, err = r.memory.take(ctx, l.Memory); err != nil {
		r.release(s)
		return slot{}, err
	}
	return s, nil
}

func (r *Runner) release(s slot) {
	r.memory.put(s.memory)
	r.free <- s.index
}

// image finds a language's image on this machine.
func (r *Runner) image(ctx context.Context, lang sandbox.Language) (client.Image, error) {
	img, err := r.client.GetImage(ctx, lang.Image)
	switch {
	case err == nil && (lang.Digest == "" || img.Target().Digest.String() == lang.Digest):
		return img, nil
	case err != nil && !errdefs.IsNotFound(err):
		return nil, wrap("look for image "+lang.Image, err)
	case lang.Digest == "":
		return nil, fmt.Errorf("%w: %s (get it with: optimus admin images build %s)", sandbox.ErrImageMissing, lang.Image, lang.Name)
	}
	list, err := r.client.ListImages(ctx, "target.digest=="+lang.Digest)
	if err != nil {
		return nil, wrap("look for image "+lang.Digest, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %s with digest %s", sandbox.ErrImageMissing, lang.Image, lang.Digest)
	}
	return list[0], nil
}

// unavailable marks the errors that speak of the machine, not of what was asked for.
func unavailable(err error) error {
	if isFull(err) || errdefs.IsUnavailable(err) || errdefs.IsDeadlineExceeded(err) {
		return fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	return err
}

// nextContainer names a container.
func (r *Runner) nextContainer() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return "", errRunnerClosed
	}
	r.serial++
	// The last letter, since no id may be the beginning of another: gVisor's runsc takes such a beginning
	// for the container itself.
	id := fmt.Sprintf("%s-%dc", r.instance.id, r.serial)
	r.living[id] = true
	return id, nil
}

// dead says that a container has been removed, or should have been: where containerd was away, it is
// reaped later.
func (r *Runner) dead(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.living, id)
}

func (r *Runner) lives(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.living[id]
}

var errRunnerClosed = errors.New("runner is closed")

// Close ends every container and removes all that the Runner has made. Runs under way fail.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	made := r.serial > 0 // any container
	shelves := slices.Collect(maps.Values(r.warm))
	for _, s := range shelves {
		s.stay()
	}
	r.mu.Unlock()
	r.daemon.awaitBack(ctx)
	r.cancel()
	var wg sync.WaitGroup
	for _, s := range shelves {
		wg.Go(func() { s.close(ctx) })
	}
	wg.Wait()
	r.work.Wait()
	if made {
		if err := collect(ctx, r.client, r.daemon.Snapshotter()); err != nil {
			r.log.Debug().Err(err).Msg("snapshots that are gone are left to containerd")
		}
	}
	r.cgroups.end()
	r.instance.close()
	return nil
}
