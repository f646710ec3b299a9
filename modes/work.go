package modes

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/web"
)

func workCommand(work func(context.Context, config.Config) error) *cli.Command {
	return &cli.Command{
		Name:  "work",
		Usage: "judge the jobs of a queue that is shared over a Redis-protocol server",
		Description: "Claims jobs of the languages whose image is on this machine, as many at once as it has slots. Any number of\n" +
			"workers may share a queue and a machine; `optimus serve` with the same --redis-url is their API.\n\n" +
			"The first SIGINT or SIGTERM finishes what runs and stops; the second hands it back to the queue and stops at once.\n" +
			"SIGHUP has it read its languages again." +
			examples("optimus work --redis-url redis://queue:6379", "optimus work --redis-url rediss://queue:6379 --monitoring :9100"),
		CustomHelpTemplate: helpOfProcess(),
		Flags:              append(configFlags(), monitoringFlag(), redisFlag()),
		Action: func(c *cli.Context) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			return work(c.Context, cfg)
		},
	}
}

// errNoSharedQueue says that a worker alone has nothing to take jobs from.
var errNoSharedQueue = errors.New("work needs a queue that it shares: state its server with --redis-url, REDIS_URL or redis.url; " +
	"`optimus serve` has a queue and a worker of its own")

// work runs a worker until ctx ends or a part of it fails, and stops it in order.
func work(ctx context.Context, p Process, cfg config.Config) error {
	log, err := newLogger(p.Stderr, cfg.Logging)
	if err != nil {
		return err
	}
	w := newWorkNode(p, cfg, log, openEngine)
	return w.run(ctx, w.begin)
}

// workNode is `optimus work`: a worker of a store that others share.
type workNode struct{ node }

func newWorkNode(p Process, cfg config.Config, log zerolog.Logger, open engineOpener) *workNode {
	return &workNode{newNode(p, cfg, log, open)}
}

func (w *workNode) begin(ctx context.Context) error {
	started := time.Now()
	w.hearReloads(ctx)
	if !w.config.Redis.Present() {
		return errNoSharedQueue
	}
	if err := makeDataFolder(w.config); err != nil {
		return err
	}
	traces, err := w.startTracing(ctx)
	if err != nil {
		return err
	}
	metrics := web.NewMetrics()
	st, err := w.openStore(ctx, false, metrics)
	if err != nil {
		return err
	}
	if err := w.startMonitoring(ctx, st, metrics); err != nil {
		return err
	}
	engine, err := w.open(ctx, &w.life, w.config, w.log)
	if err != nil {
		return err
	}
	w.startWorker(ctx, st, engine, metrics, traces)
	w.followReloads(ctx, func(next config.Config, stated config.Catalogue) error {
		engine.languages.Set(stated)
		return nil
	})
	w.ready.set(engine.ready)
	w.log.Info().Str("data", w.config.Data).Str("version", w.process.Version).Dur("took", time.Since(started)).Msg("ready")
	return nil
}
