package modes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/modes/worker"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/web"
)

// storeFile is the name of the store's file in the data folder.
const storeFile = "optimus.db"

// How long the parts of a server may take to stop, beyond what the settings give them.
const (
	closeStore = 10 * time.Second
	stopSweep  = 10 * time.Second
	stopMargin = 5 * time.Second
	handBack   = 15 * time.Second
)

// server is `optimus serve`: API, store, sweeper and worker in one process. It may be started
// again after it was stopped.
type server struct {
	process Process
	config  config.Config
	log     zerolog.Logger
	open    engineOpener
	// storePath is the store's file.
	storePath string

	life lifecycle
	// address is where the API listens; set by start.
	address string
	// failed gets what ended a part of the server that should have gone on.
	failed chan error
}

func newServer(p Process, cfg config.Config, log zerolog.Logger, open engineOpener) *server {
	return &server{
		process:   p,
		config:    cfg,
		log:       log,
		open:      open,
		storePath: filepath.Join(cfg.Data, storeFile),
		life:      lifecycle{log: log},
		failed:    make(chan error, 1),
	}
}

// start returns when the API answers. What it began is undone where it fails.
func (s *server) start(ctx context.Context) error { return s.life.start(ctx, s.begin) }

// stop stops the API, lets running jobs end within the grace period (none, once the process was
// told to hurry), and lets go of everything.
func (s *server) stop(ctx context.Context) error { return s.life.stop(ctx) }

func (s *server) begin(ctx context.Context) error {
	started := time.Now()
	if err := checkStore(s.config); err != nil {
		return err
	}
	if err := web.CheckListen(s.config.Server.Listen, len(s.config.Keys)); err != nil {
		return err
	}
	if err := makeDataFolder(s.config); err != nil {
		return err
	}
	metrics := web.NewMetrics()
	st, err := s.openStore(metrics)
	if err != nil {
		return err
	}
	s.part(ctx, "sweeper", stopSweep, func(ctx context.Context) error {
		ticker := time.NewTicker(s.config.Store.SweepInterval)
		defer ticker.Stop()
		sweep(ctx, st, ticker.C, s.log)
		return nil
	})
	engine, err := s.open(ctx, &s.life, s.config, s.log)
	if err != nil {
		return err
	}
	if s.config.Worker.Enabled {
		s.startWorker(ctx, st, engine)
	}
	if err := s.startWeb(ctx, st, engine, metrics); err != nil {
		return err
	}
	s.log.Info().Str("address", s.address).Str("data", s.config.Data).Str("version", s.process.Version).
		Dur("took", time.Since(started)).Msg("ready")
	return nil
}

// makeDataFolder makes the folder of everything that is kept.
func makeDataFolder(cfg config.Config) error {
	// Not 0700: below it lie folders that a container in a user namespace must reach.
	if err := os.MkdirAll(cfg.Data, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("data folder: %w: state another with --data", err)
	}
	return nil
}

func (s *server) openStore(m *web.Metrics) (*boltstore.Store, error) {
	o := storeOptions(s.config.Store)
	o.Ended = m.JobEnded
	st, err := boltstore.Open(s.storePath, o)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s.life.onStop("store", closeStore, func(context.Context) error { return st.Close() })
	return st, nil
}

func (s *server) startWorker(ctx context.Context, st store.Store, e *engine) {
	cfg := s.config.Worker
	w := worker.New(worker.Options{
		Queue:    st,
		Runner:   e.runner,
		Log:      s.log,
		Name:     workerName(cfg.Name),
		Version:  s.process.Version,
		Lanes:    lanes(e.languages, cfg.Languages),
		Queues:   cfg.Queues,
		Slots:    slots(cfg.Slots),
		Lease:    cfg.Lease,
		Poll:     cfg.Poll,
		Grace:    workerGrace(cfg),
		HandBack: handBack,
	})
	s.part(ctx, "warm-up", stopMargin, func(ctx context.Context) error {
		for {
			warmUp(ctx, e, s.config.Sandbox.Warm, s.log)
			select {
			case <-e.changed:
			case <-ctx.Done():
				return nil
			}
		}
	})
	s.part(ctx, "worker", cfg.Grace+handBack+stopMargin, func(ctx context.Context) error {
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-s.process.Hurry:
				now, cancel := context.WithCancel(ctx)
				cancel()
				w.Stop(now)
			case <-ended:
			}
		}()
		return w.Run(ctx)
	})
}

func (s *server) startWeb(ctx context.Context, st store.Store, e *engine, m *web.Metrics) error {
	o := webOptions(s.config)
	o.Store, o.Catalogue, o.Ready = st, e.languages, e.ready
	o.Now, o.Log, o.Version, o.Metrics = time.Now, s.log, s.process.Version, m
	w, err := web.New(o) //nolint:contextcheck // each request brings its own
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.config.Server.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w: state another address with --listen", s.config.Server.Listen, err)
	}
	s.address = l.Addr().String()
	s.part(ctx, "http", s.config.Server.ShutdownTimeout+stopMargin, func(ctx context.Context) error { return w.Serve(ctx, l) })
	return nil
}

// part runs a part of the server, and stops it by the end of the context that it is given. A part
// that ends by itself stops the server.
func (s *server) part(ctx context.Context, name string, limit time.Duration, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := run(ctx)
		ended <- err
		if ctx.Err() == nil {
			select {
			case s.failed <- fmt.Errorf("%s ended: %w", name, errors.Join(err, errEnded)):
			default: // another part was first
			}
		}
	}()
	s.life.onStop(name, limit, func(ctx context.Context) error {
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
