package modes

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

func serveCommand(serve func(context.Context, config.Config) error) *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the API, the queue and a worker in this process",
		Description: "Keeps its jobs in a file below the data folder, and runs programs in containers of containerd:\n" +
			"a running one, else a private one that it starts and stops.\n\n" +
			"The first SIGINT or SIGTERM finishes what runs and stops; the second hands it back to the queue and stops at once.",
		Flags: append(configFlags(),
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the API, such as 127.0.0.1:8080; one beyond loopback needs an API key"},
			&cli.StringFlag{Name: "redis-url", Usage: "`URL` of a Redis-protocol server for the queue"},
		),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("serve takes no arguments, but has %q", c.Args().First())
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			return serve(c.Context, cfg)
		},
	}
}

// serve runs a server until ctx ends or a part of it fails, and stops it in order.
func serve(ctx context.Context, p Process, cfg config.Config) error {
	log, err := newLogger(p.Stderr, cfg.Logging)
	if err != nil {
		return err
	}
	s := newServer(p, cfg, log, openEngine)
	if err := s.start(ctx); err != nil {
		if ctx.Err() != nil { // whatever words a call that was cut short has for it
			log.Info().Err(err).Msg("stopped while it started")
			return nil //nolint:nilerr // as asked
		}
		return err
	}
	select {
	case <-ctx.Done():
		log.Info().Msg("stopping: what runs is finished first; ask again to stop at once")
	case err = <-s.failed:
		log.Error().Err(err).Msg("stopping, since a part of the server failed")
	}
	return errors.Join(err, s.stop(context.WithoutCancel(ctx)))
}

// checkStore refuses a store that this version has not.
func checkStore(cfg config.Config) error {
	if cfg.Store.RedisURL.Empty() {
		return nil
	}
	return fmt.Errorf("store.redis_url (from %s): this version keeps its queue in a file of the data folder alone, "+
		"so it cannot use a Redis-protocol server; leave the setting out (for an environment that has it: REDIS_URL= optimus serve)",
		cfg.Origin("store.redis_url"))
}
