package modes

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/store"
	"optimus/web"
)

// server is `optimus serve`: the API and the sweeper of a store and, where it has one, a worker.
type server struct {
	node

	// web is the API.
	web *web.Switch
	// languages are those that the API and the worker know.
	languages knownLanguages
	// lasting are the API's options that no setting changes while the process runs.
	lasting web.Options
	// address is where the API listens; set by start.
	address string
}

func newServer(p Process, cfg config.Config, log zerolog.Logger, open engineOpener) *server {
	return &server{node: newNode(p, cfg, log, open)}
}

// start returns when the API answers. What it began is undone where it fails.
func (s *server) start(ctx context.Context) error { return s.life.start(ctx, s.begin) }

// stop stops the API, lets running jobs end within the grace period (none, once the process was
// told to hurry), and lets go of everything.
func (s *server) stop(ctx context.Context) error { return s.life.stop(ctx) }

func (s *server) begin(ctx context.Context) error {
	started := time.Now()
	s.hearReloads(ctx)
	if err := web.CheckListen(s.config.Server.Listen, len(s.config.Keys)); err != nil && !storeIsThere(s.config) {
		return err // before anything is made: no store, no keys in it
	}
	traces, err := s.startTracing(ctx)
	if err != nil {
		return err
	}
	metrics := web.NewMetrics()
	st, err := s.openStore(ctx, true, metrics)
	if err != nil {
		return err
	}
	stored, err := storedKeys(ctx, st)
	if err != nil {
		return err
	}
	if err := web.CheckListen(s.config.Server.Listen, len(s.config.Keys)+len(stored)); err != nil {
		return err
	}
	if err := s.startMonitoring(ctx, st, metrics); err != nil {
		return err
	}
	s.startSweeper(ctx, st)
	s.lasting = web.Options{Store: traces.store(st), Stored: stored, Metrics: metrics, Now: time.Now, Log: s.log, Version: s.process.Version}
	if traces != nil {
		s.lasting.Trace = traces.incoming
	}
	if s.lasting.Ready, err = s.startEngine(ctx, st, metrics, traces); err != nil {
		return err
	}
	s.lasting.Catalogue = s.languages
	s.lasting.Editor = &editor{settings: s.config.Again, reload: func() error { return s.reload(s.apply) }}
	if err := s.startWeb(ctx); err != nil {
		return err
	}
	s.part(ctx, "API keys", stopMargin, func(ctx context.Context) error {
		s.web.FollowKeys(ctx)
		return nil
	})
	s.followReloads(ctx, s.apply)
	s.ready.set(s.lasting.Ready)
	s.log.Info().Str("address", s.address).Str("data", s.config.Data).Str("version", s.process.Version).
		Dur("took", time.Since(started)).Msg("ready")
	return nil
}

// startEngine starts this process's worker, where it has one, and gives what the API says of readiness.
// Without one the API takes jobs of every language, for other workers.
func (s *server) startEngine(ctx context.Context, st store.Store, metrics *web.Metrics, traces *tracer) (func(context.Context) error, error) {
	stated, err := config.LoadCatalogue(s.config.CataloguePath())
	if err != nil {
		return nil, err
	}
	all := newCatalogue(stated, nil)
	all.unworked = !s.config.Worker.Enabled
	shared := s.config.Redis.Present()
	here, ready := languages(all), func(context.Context) error { return nil }
	switch {
	case s.config.Worker.Enabled:
		engine, err := s.open(ctx, &s.life, s.config, s.log)
		if err != nil {
			return nil, err
		}
		s.startWorker(ctx, st, engine, metrics, traces)
		here, ready = engine.languages, engine.ready
	case !shared:
		s.log.Warn().Msg("no worker: jobs are taken and wait, since no other process can judge what is in this folder's queue")
	}
	s.languages = here
	if shared {
		both := &elsewhere{here: here, all: all}
		s.part(ctx, "list of workers", stopMargin, func(ctx context.Context) error {
			both.follow(ctx, st, s.log)
			return nil
		})
		s.languages = both
	}
	return ready, nil
}

// apply has the API hold by other settings, and the worker know other languages. It is all or nothing.
func (s *server) apply(next config.Config, stated config.Catalogue) error {
	next.Server.Listen = s.config.Server.Listen // is not read anew
	if err := web.CheckListen(next.Server.Listen, len(next.Keys)+s.web.StoredKeys()); err != nil {
		return err
	}
	if err := s.web.To(webOptions(s.lasting, next)); err != nil {
		return err
	}
	s.languages.Set(stated)
	return nil
}

func (s *server) startWeb(ctx context.Context) error {
	w, err := web.New(webOptions(s.lasting, s.config)) //nolint:contextcheck // each request brings its own
	if err != nil {
		return err
	}
	s.web = web.NewSwitch(w)
	c := s.config.Server
	var certificate *web.Certificate
	if c.TLSCert != "" {
		if certificate, err = web.LoadCertificate(c.TLSCert, c.TLSKey, time.Now, s.log); err != nil {
			return fmt.Errorf("%w (server.tls_cert, from %s)", err, s.config.Origin("server.tls_cert"))
		}
	}
	l, err := listen(ctx, c.Listen, "server.listen, --listen")
	if err != nil {
		return err
	}
	s.address = l.Addr().String()
	if certificate != nil {
		l = certificate.Listen(l)
	}
	s.part(ctx, "http", s.config.Server.ShutdownTimeout+stopMargin, func(ctx context.Context) error { return s.web.Serve(ctx, l) })
	return nil
}
