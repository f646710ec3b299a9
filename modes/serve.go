package modes

import (
	"context"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

func serveCommand(serve func(context.Context, config.Config) error) *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the API, the queue and a worker in this process",
		Description: "Keeps its jobs in a file below the data folder, or in a Redis-protocol server that other processes share\n" +
			"(`optimus work` are its workers), and runs programs in containers of containerd: a running one, else a\n" +
			"private one that it starts and stops. With --worker=false it runs none, and needs no containerd.\n\n" +
			"The first SIGINT or SIGTERM finishes what runs and stops; the second hands it back to the queue and stops at once.\n" +
			"SIGHUP has it read its API keys, limits and languages again." +
			examples("optimus serve", "optimus serve --listen :8443 --tls-cert judge.pem --tls-key judge.key",
				"optimus serve --redis-url redis://queue:6379 --worker=false"),
		CustomHelpTemplate: helpOfProcess(),
		Flags: append(configFlags(),
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the API, such as 127.0.0.1:8080; one beyond loopback needs an API key", DefaultText: config.Default().Server.Listen},
			&cli.StringFlag{Name: "tls-cert", Usage: "PEM `FILE` of the API's certificate: it speaks HTTPS, and reads the file anew when it changes", DefaultText: "plain HTTP"},
			&cli.StringFlag{Name: "tls-key", Usage: "PEM `FILE` of the certificate's private key"},
			monitoringFlag(),
			redisFlag(),
			&cli.BoolFlag{Name: "worker", Value: true, Usage: "judge jobs in this process too; --worker=false is the API alone (default: true)"},
		),
		Action: func(c *cli.Context) error {
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
	return s.run(ctx, s.begin)
}
