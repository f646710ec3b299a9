package modes

import (
	"context"
	"fmt"
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
	// warm has a container of each language ready before its first job, lets go of all others, and
	// gives the error of each language that could not be warmed.
	warm func(ctx context.Context, langs ...sandbox.Language) map[string]error
	// changed gets a value when what warm should be told may be another.
	changed <-chan struct{}
	// containers counts those that the runner has started and lost.
	containers func() containerd.Containers
	// ready tells why nothing can be run, or nil.
	ready func(ctx context.Context) error
}

// languages is the catalogue, with what of it can be run here.
type languages interface {
	knownLanguages
	// Lanes lists what can be run here at the moment.
	Lanes() []store.Lane
}

// knownLanguages is a catalogue that may be read anew.
type knownLanguages interface {
	web.Catalogue
	// Set has the catalogue be another from now on.
	Set(config.Catalogue)
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
	if err := containerd.Unsupported(); err != nil {
		return nil, fmt.Errorf("this machine can't run programs: %w (`optimus admin doctor` examines it)", err)
	}
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
	o := runnerOptions(cfg)
	o.Daemon, o.Now, o.Log = daemon, time.Now, log
	runner, err := containerd.NewRunner(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("prepare this machine for running programs: %w (`optimus admin doctor` examines it)", err)
	}
	life.onStop("containers", closeRunner, runner.Close)
	if check := containerd.CheckMemory(runner.Memory(), runner.Slots(), int64(cfg.Limits.Memory)); check.Status != containerd.StatusOK {
		log.Warn().Str("fix", check.Fix).Msg("memory: " + check.Detail)
	}
	all := newCatalogue(stated, index.present)
	all.usable = daemon.CheckRuntime
	return &engine{
		runner:     runner,
		languages:  all,
		warm:       runner.Warm,
		changed:    index.changed,
		ready:      runner.Ready,
		containers: runner.Containers,
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
