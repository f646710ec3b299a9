package modes

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox/containerd"
)

// settingFlags are the settings that the command line may state, by flag.
func settingFlags() map[string]string {
	return map[string]string{
		"data":       "data",
		"listen":     "server.listen",
		"tls-cert":   "server.tls_cert",
		"tls-key":    "server.tls_key",
		"monitoring": "monitoring.listen",
		"redis-url":  "redis.url",
		"worker":     "worker.enabled",
		"log-level":  "logging.level",
		"log-format": "logging.format",
	}
}

// configFlags are the flags of every command that reads the configuration.
func configFlags() []cli.Flag {
	d := config.Default()
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "read settings from `FILE`", DefaultText: config.SystemPath + ", where it exists"},
		&cli.StringFlag{Name: "data", Usage: "keep everything in `FOLDER`", DefaultText: "/var/lib/optimus for root, else ~/.local/share/optimus"},
		&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the least that is logged: debug, info, warn or error", DefaultText: d.Logging.Level},
		&cli.StringFlag{Name: "log-format", Usage: "`FORMAT` of the log: text, json, or auto (text on a terminal)", DefaultText: d.Logging.Format},
	}
}

// redisFlag names the store of several processes.
func redisFlag() cli.Flag {
	return &cli.StringFlag{Name: "redis-url", Usage: "`URL` of a Redis-protocol server that holds the queue, such as redis://queue:6379; one with a password belongs into OPTIMUS_REDIS_URL"}
}

// monitoringFlag is for the processes that go on.
func monitoringFlag() cli.Flag {
	return &cli.StringFlag{Name: "monitoring", Usage: "`ADDRESS` of /health, /ready and /metrics without an API key, such as :9100", DefaultText: "none"}
}

// loadConfig reads the configuration, with what the command line states over the rest.
func loadConfig(c *cli.Context) (config.Config, error) {
	return loadConfigOf(c, os.Geteuid() == 0, nil)
}

// loadConfigOf is loadConfig with the defaults that root, or another user, has.
//
// more are flags of this command alone that state settings, by flag.
func loadConfigOf(c *cli.Context, root bool, more map[string]string) (config.Config, error) {
	o := config.LoadOptions{
		Path:      c.String("config"),
		System:    config.SystemPath,
		Env:       os.Environ(),
		EnvKnown:  []string{envKey, containerd.EnvCache, containerd.EnvMirror},
		Flags:     map[string]string{},
		FlagNames: map[string]string{},
		Root:      root,
	}
	flags := settingFlags()
	maps.Copy(flags, more)
	for flag, path := range flags {
		if c.IsSet(flag) {
			o.Flags[path] = fmt.Sprint(c.Value(flag))
		}
		o.FlagNames[path] = "--" + flag
	}
	cfg, err := config.Load(o)
	return cfg, flagFault(err)
}

// flagFault makes what is wrong on the command line alone a mistake there.
func flagFault(err error) error {
	faulty, ok := errors.AsType[*config.Error](err)
	if !ok || slices.ContainsFunc(faulty.Faults, func(f config.Fault) bool { return !strings.HasPrefix(f.Source, "flag ") }) {
		return err
	}
	return usageError{err}
}
