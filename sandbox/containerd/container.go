package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/rs/zerolog"

	"optimus/sandbox/wire"
)

// Times that a container is given.
const (
	launchTimeout = 30 * time.Second // from create to the agent's ready
	removeTimeout = 15 * time.Second
	agentTimeout  = 10 * time.Second // of an agent that has nothing to wait for
)

// errLost is wrapped by every error of a container that is gone: its agent hung up, died or broke
// the protocol. What it was doing can be done again in another.
var errLost = errors.New("container is lost")

// container is one running container with its agent.
type container struct {
	id      string
	dir     string // of the socket, on the host; the container may write to it
	logFile string // what the agent says, out of the container's reach
	log     zerolog.Logger
	cgroups cgroups
	handle  client.Container
	task    client.Task
	// shimSocket is where its shim listens.
	shimSocket string
	conn       *wire.Conn
	env        []string // the image's environment

	nextID atomic.Uint32 // of runs and programs

	mu      sync.Mutex
	waiting map[uint32]chan wire.Frame

	lost chan struct{} // closed once the conversation has ended
	why  error         // set before lost is closed

	closing sync.Once
	closed  chan struct{}
}

// launch makes a container of the image and waits until its agent is ready.
func (r *Runner) launch(ctx context.Context, image client.Image, runtime, id string) (_ *container, err error) {
	runtime = cmp.Or(runtime, defaultRuntime)
	if err := r.daemon.CheckRuntime(runtime); err != nil {
		return nil, fmt.Errorf("%w (%s)", err, RuntimeFix)
	}
	ctx, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	c := &container{
		id: id, dir: filepath.Join(r.dir, id), logFile: logFile(filepath.Join(r.dir, id)), cgroups: r.cgroups, log: r.log.With().Str("container", id).Logger(),
		shimSocket: r.shimSocket(id),
		waiting:    map[uint32]chan wire.Frame{}, lost: make(chan struct{}), closed: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			c.fail(err)
			c.close(context.WithoutCancel(ctx))
		}
	}()
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, wrap("make container folder", err)
	}
	if err := c.cgroups.create(id); err != nil {
		return nil, err
	}
	reach, err := c.transport(ctx, runtime)
	if err != nil {
		return nil, err
	}
	defer reach.done()
	// Not cut short: of a call that is, containerd leaves half a task behind.
	creating, stop := context.WithTimeout(context.WithoutCancel(ctx), launchTimeout)
	defer stop()
	ended, err := c.create(creating, r, image, runtime, reach)
	if err != nil {
		return nil, err
	}
	ctx, cancelled := whileAlive(ctx, ended)
	defer cancelled()
	if c.conn, err = reach.connect(ctx, c.task.Pid()); err != nil {
		return nil, fmt.Errorf("container %s: %w%s", id, err, c.logTail())
	}
	if err := c.greet(ctx, r.slots); err != nil {
		return nil, fmt.Errorf("container %s: %w%s", id, err, c.logTail())
	}
	go c.hear()
	return c, nil
}

// whileAlive gives a context that also ends with the container's first process.
func whileAlive(ctx context.Context, ended <-chan client.ExitStatus) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case status := <-ended:
			cancel(fmt.Errorf("the agent ended with status %d: %w", status.ExitCode(), errors.Join(errLost, status.Error())))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// create makes and starts the container. The channel tells of the end of its first process, as
// long as ctx lasts.
func (c *container) create(ctx context.Context, r *Runner, image client.Image, runtime string, reach transport) (<-chan client.ExitStatus, error) {
	config, err := r.runtimeConfig(runtime)
	if err != nil {
		return nil, err
	}
	spec := containerSpec(r.agent, filepath.Join(r.cgroupParent, c.id, "agent"))
	// In place of the client's own, which holds for a day what is half made when containerd dies.
	ctx, done, err := r.client.WithLease(ctx, leases.WithRandomID(), leases.WithExpiration(launchTimeout))
	if err != nil {
		return nil, wrap("lease the files of container "+c.id, err)
	}
	defer func() { _ = done(ctx) }() // else it runs out
	c.handle, err = r.client.NewContainer(ctx, c.id, client.WithImage(image),
		client.WithSnapshotter(r.daemon.Snapshotter()),
		client.WithNewSnapshot(c.id, image),
		client.WithContainerLabels(map[string]string{labelInstance: r.instance.name, LabelOwner: "optimus"}),
		client.WithNewSpec(append(spec, reach.spec()...)...), config)
	if err != nil {
		return nil, wrap("create container "+c.id, err)
	}
	if c.task, err = c.handle.NewTask(ctx, reach.io); err != nil {
		return nil, wrap("create task of container "+c.id, err)
	}
	ended, err := c.task.Wait(ctx)
	if err != nil {
		return nil, wrap("watch container "+c.id, err)
	}
	if err := c.task.Start(ctx); err != nil {
		return nil, wrap("start container "+c.id, err)
	}
	return ended, nil
}

func (c *container) greet(ctx context.Context, slots int) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	if err := c.conn.SendJSON(wire.KindHello, 0, wire.Hello{Slots: slots, Cgroups: !c.conn.PassesFiles()}); err != nil {
		return fmt.Errorf("greet the agent: %w", err)
	}
	f, err := c.conn.Read()
	if err != nil {
		return fmt.Errorf("greet the agent: %w", err)
	}
	var ready wire.Ready
	if f.Kind != wire.KindReady {
		return fmt.Errorf("greet the agent: %w: kind %d", wire.ErrProtocol, f.Kind)
	}
	if err := f.JSON(&ready); err != nil {
		return fmt.Errorf("greet the agent: %w", err)
	}
	if ready.Error != "" {
		return fmt.Errorf("the agent cannot make boxes: %s", ready.Error)
	}
	return nil
}

// hear hands each frame to whoever waits for its id, until the conversation ends.
func (c *container) hear() {
	for {
		f, err := c.conn.Read()
		if err != nil {
			c.fail(fmt.Errorf("the agent hung up: %w", err))
			return
		}
		c.mu.Lock()
		to := c.waiting[f.ID]
		c.mu.Unlock()
		if to == nil {
			c.fail(fmt.Errorf("%w: kind %d for id %d, which nobody waits for", wire.ErrProtocol, f.Kind, f.ID))
			return
		}
		to <- f // its reader takes all until idle, so this does not block for long
	}
}

// fail declares the container lost.
func (c *container) fail(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.lost:
	default:
		c.why = why
		close(c.lost)
	}
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// lostError is the error of whoever was waiting.
func (c *container) lostError() error {
	<-c.lost
	return fmt.Errorf("%w: %s: %w", errLost, c.id, c.why)
}

// send sends a frame or declares the container lost, also where the agent takes none: who sends
// must not wait for it for ever.
func (c *container) send(f wire.Frame) error {
	impatience := time.AfterFunc(agentTimeout, func() {
		c.fail(fmt.Errorf("the agent has taken no frame for %s", agentTimeout))
	})
	defer impatience.Stop()
	if err := c.conn.Send(f); err != nil {
		c.fail(err)
		return c.lostError()
	}
	return nil
}

// expect registers a channel for an id's frames; forget takes it back.
func (c *container) expect(id uint32) chan wire.Frame {
	ch := make(chan wire.Frame, 16)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[id] = ch
	return ch
}

func (c *container) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// close ends the container and removes all of it. Whoever calls again waits for the first.
func (c *container) close(ctx context.Context) {
	c.closing.Do(func() {
		c.fail(errors.New("closed"))
		ctx, cancel := context.WithTimeout(ctx, removeTimeout)
		defer cancel()
		var err error
		if c.handle != nil {
			err = removeContainer(ctx, c.handle, c.shimSocket)
		}
		if err := errors.Join(err, removeTraces(c.cgroups, c.dir)); err != nil {
			c.log.Warn().Err(err).Msg("container was not removed whole; it is tried again later")
		}
		close(c.closed)
	})
	<-c.closed
}

// logTail is what the agent said last, for an error's text.
func (c *container) logTail() string {
	b, err := os.ReadFile(c.logFile)
	if err != nil || len(b) == 0 {
		return ""
	}
	return ": " + string(b[max(0, len(b)-500):])
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno == syscall.EACCES {
		return fmt.Errorf("%s: %w (Optimus must run as root)", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
