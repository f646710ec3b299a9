package modes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/modes/worker"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// How long the parts of a node may take to stop, beyond what the settings give them.
const (
	closeStore = 10 * time.Second
	stopSweep  = 10 * time.Second
	stopMargin = 5 * time.Second
	handBack   = 15 * time.Second
)

// stopTime is the longest that a node with all its parts may take to stop.
func stopTime(cfg config.Config) time.Duration {
	parts := []time.Duration{
		2 * stopMonitoring, // its probes, and the profiler
		cfg.Server.ShutdownTimeout + stopMargin,
		stopMargin,     // the list of workers
		stopMargin,     // the warm-up
		2 * stopMargin, // what follows the API keys, and the reloads
		cfg.Worker.Grace + handBack + stopMargin,
		stopSweep, closeRunner, closeIndex, closeDaemon, closeStore,
	}
	if cfg.Monitoring.OTLPEndpoint != "" {
		parts = append(parts, stopTracing+stopMargin)
	}
	var all time.Duration
	for _, part := range parts {
		all += part
	}
	return all
}

// node is what `serve` and `work` have in common: a process of parts that run beside each other, are
// stopped in order, and of which none may end by itself. It may be started again after it was stopped.
type node struct {
	process Process
	config  config.Config
	log     zerolog.Logger
	open    engineOpener
	// storeDir holds the store's file; empty means the store that the settings mean.
	storeDir string

	life lifecycle
	// reloads gets a value when the configuration is to be read again.
	reloads <-chan os.Signal
	// rewarm gets a value when the languages may be others.
	rewarm chan struct{}
	// reloading is held while the configuration is read anew.
	reloading sync.Mutex
	// name tells this process from others; it is its worker's.
	name string
	// ready is what the probes are told.
	ready *readiness
	// failed gets what ended a part that should have gone on.
	failed chan error
}

func newNode(p Process, cfg config.Config, log zerolog.Logger, open engineOpener) node {
	return node{
		process: p, config: cfg, log: log, open: open, life: lifecycle{log: log}, name: workerName(cfg.Worker.Name),
		ready: &readiness{}, rewarm: make(chan struct{}, 1), failed: make(chan error, 1),
	}
}

// run starts the node by begin, and stops it in order once ctx ends or a part of it fails.
func (n *node) run(ctx context.Context, begin func(context.Context) error) error {
	if err := n.life.start(ctx, begin); err != nil {
		if ctx.Err() != nil { // whatever words a call that was cut short has for it
			n.log.Info().Err(err).Msg("stopped while it started")
			return nil
		}
		return containerd.WithRoom(err)
	}
	var err error
	defer n.ready.set(nil)
	select {
	case <-ctx.Done():
		n.ready.set(func(context.Context) error { return errStopping })
		n.log.Info().Msg("stopping: what runs is finished first; ask again to stop at once")
	case err = <-n.failed:
		n.log.Error().Err(err).Msg("stopping, since a part of the process failed")
	}
	return errors.Join(err, n.life.stop(context.WithoutCancel(ctx)))
}

// startSweeper has the store look for what is due, now and again.
func (n *node) startSweeper(ctx context.Context, st store.Store) {
	n.part(ctx, "sweeper", stopSweep, func(ctx context.Context) error {
		ticker := time.NewTicker(n.config.Store.SweepInterval)
		defer ticker.Stop()
		sweep(ctx, st, ticker.C, n.log)
		return nil
	})
}

// startWorker begins to claim jobs of the store and to judge them on the engine, and traces them.
func (n *node) startWorker(ctx context.Context, st store.Store, e *engine, metrics *web.Metrics, traces *tracer) {
	cfg := n.config.Worker
	measured := newWorkMetrics()
	w := worker.New(worker.Options{
		Queue:    st,
		Runner:   e.runner,
		Log:      n.log,
		Name:     n.name,
		Version:  n.process.Version,
		Lanes:    lanes(e.languages, cfg.Languages),
		Queues:   cfg.Queues,
		Slots:    slots(cfg.Slots),
		Lease:    cfg.Lease,
		Poll:     cfg.Poll,
		Grace:    workerGrace(cfg),
		HandBack: handBack,
		Judged:   measured.judged,
		Trace:    traces.follow(),
	})
	measured.register(metrics, w, slots(cfg.Slots), e)
	n.part(ctx, "warm-up", stopMargin, func(ctx context.Context) error {
		for {
			warmUp(ctx, e, n.config.Sandbox.Warm, cfg.Queues, n.log)
			select {
			case <-e.changed:
			case <-n.rewarm:
			case <-ctx.Done():
				return nil
			}
		}
	})
	n.part(ctx, "worker", cfg.Grace+handBack+stopMargin, func(ctx context.Context) error {
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-n.process.Hurry:
				now, cancel := context.WithCancel(ctx)
				cancel()
				w.Stop(now)
			case <-ended:
			}
		}()
		return w.Run(ctx)
	})
}

// part runs a part of the node, and stops it by the end of the context that it is given. A part that
// ends by itself stops the node.
func (n *node) part(ctx context.Context, name string, limit time.Duration, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := run(ctx)
		ended <- err
		if ctx.Err() == nil {
			select {
			case n.failed <- fmt.Errorf("%s ended: %w", name, errors.Join(err, errEnded)):
			default: // another part was first
			}
		}
	}()
	n.life.onStop(name, limit, func(ctx context.Context) error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// errEnded stands for a part that ended without a reason of its own.
var errEnded = errors.New("it should go on until it is stopped")

// workerName gives the name of this process's worker: the stated one, else one that no other
// process has.
func workerName(stated string) string {
	if stated != "" {
		return stated
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "worker"
	}
	return host + "-" + uuid.NewString()[:8]
}

// workerGrace gives the grace in the worker's own terms, where 0 stands for a default.
func workerGrace(c config.Worker) time.Duration { return max(c.Grace, time.Nanosecond) }

// slots gives the number of jobs at once: the stated one, else one for each processor.
func slots(stated int) int {
	if stated > 0 {
		return stated
	}
	return runtime.GOMAXPROCS(0)
}
