package modes

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// engine is what runs programs, with the languages that it can run.
type engine struct {
	runner    sandbox.Runner
	languages languages
	// warm has a container of each language ready before its first job, and gives the error of
	// each language that could not be warmed.
	warm func(ctx context.Context, langs ...sandbox.Language) map[string]error
	// ready tells why nothing can be run, or nil.
	ready func(ctx context.Context) error
}

// languages is the catalogue, with what of it can be run here.
type languages interface {
	web.Catalogue
	// Lanes lists what can be run here at the moment.
	Lanes() []store.Lane
}

// engineOpener opens an engine and registers with the lifecycle how to close it.
type engineOpener func(context.Context, *lifecycle, config.Config, zerolog.Logger) (*engine, error)

// How long letting go of containers and of containerd may take.
const (
	closeRunner = 30 * time.Second
	closeDaemon = 30 * time.Second
	closeIndex  = 5 * time.Second
)

// openEngine connects containerd and opens a runner on it, with the catalogue's languages.
func openEngine(ctx context.Context, life *lifecycle, cfg config.Config, log zerolog.Logger) (*engine, error) {
	stated, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return nil, err
	}
	daemon, err := connect(ctx, life, cfg, log)
	if err != nil {
		return nil, err
	}
	index, err := followImages(ctx, life, daemon, log)
	if err != nil {
		return nil, err
	}
	runner, err := containerd.NewRunner(ctx, containerd.RunnerOptions{
		Daemon:       daemon,
		Dir:          filepath.Join(cfg.Data, "runner"),
		Slots:        slots(cfg.Worker.Slots),
		UIDBase:      cfg.Sandbox.UIDBase,
		CgroupParent: cfg.Sandbox.CgroupParent,
		Pool:         cfg.Sandbox.DedicatedPool,
		Now:          time.Now,
		Log:          log,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare this machine for running programs: %w (`optimus admin doctor` examines it)", err)
	}
	life.onStop("containers", closeRunner, runner.Close)
	return &engine{
		runner:    runner,
		languages: newCatalogue(stated, index.present),
		warm:      runner.Warm,
		ready:     daemon.Ready,
	}, nil
}

// connect gives the containerd that the settings ask for.
func connect(ctx context.Context, life *lifecycle, cfg config.Config, log zerolog.Logger) (*containerd.Daemon, error) {
	daemon, err := containerd.Connect(ctx, daemonOptions(cfg, log))
	if err != nil {
		return nil, err
	}
	life.onStop("containerd", closeDaemon, daemon.Close)
	log.Info().Str("socket", daemon.Address()).Str("version", daemon.Version()).Bool("private", daemon.Private()).
		Msg("containerd is there")
	return daemon, nil
}
