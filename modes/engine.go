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
	// warm has a container of each language ready before its first job; it returns when they
	// are, or with ctx.
	warm func(ctx context.Context, langs []sandbox.Language) error
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
)

// openEngine connects containerd, and opens a runner on it.
func openEngine(ctx context.Context, life *lifecycle, cfg config.Config, log zerolog.Logger) (*engine, error) {
	daemon, err := containerd.Connect(ctx, containerd.DaemonOptions{
		Mode: cfg.Sandbox.Containerd,
		Dir:  filepath.Join(cfg.Data, "containerd"),
		Log:  log,
	})
	if err != nil {
		return nil, err
	}
	life.onStop("containerd", closeDaemon, daemon.Close)
	log.Info().Str("socket", daemon.Address()).Str("version", daemon.Version()).Bool("private", daemon.Private()).Msg("containerd is there")
	return nil, fmt.Errorf("to be wired")
}
