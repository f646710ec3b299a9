package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/store"
)

// configCommand is `optimus admin config`: what holds, what is wrong, and a file to begin with.
func configCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "show or check the settings, print an example",
		Subcommands: []*cli.Command{
			{
				Name:  "show",
				Usage: "show every setting that holds, and where it comes from; secrets are not shown",
				Description: "A setting comes from its default, optimus.toml, the environment or a flag; the last of these holds." +
					examples("optimus admin config show --changed", "OPTIMUS_WORKER_SLOTS=3 optimus admin config show"),
				Flags: append(configFlags(),
					&cli.BoolFlag{Name: "json", Usage: "print JSON"},
					&cli.BoolFlag{Name: "changed", Usage: "show only what is not a default"}),
				Action: func(c *cli.Context) error { return showConfig(c, p) },
			},
			{
				Name:  "check",
				Usage: "check the settings and the catalogue; every fault is listed",
				Description: "Without files it checks those that a server would read, and what the environment and the flags state." +
					examples("optimus admin config check", "optimus admin config check optimus.toml languages.json"),
				ArgsUsage: "[optimus.toml] [languages.json]",
				Flags:     configFlags(),
				Action:    func(c *cli.Context) error { return checkConfig(c, p) },
			},
			{
				Name:        "example",
				Usage:       "print an optimus.toml that states and explains every default",
				Description: "A file is needed only for what differs." + examples("optimus admin config example > /etc/optimus/optimus.toml"),
				Action: func(*cli.Context) error {
					return printed(io.WriteString(p.Stdout, config.Example()))
				},
			},
		},
	}
}

func showConfig(c *cli.Context, p Process) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	settings := cfg.Settings()
	if c.Bool("changed") {
		settings = slices.DeleteFunc(settings, func(s config.Setting) bool { return s.Origin.Kind == "default" })
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, settings)
	}
	t := newTable("SETTING", "VALUE", "FROM")
	for _, s := range settings {
		t.add(s.Path, s.Value, s.Origin.String())
	}
	return t.writeTo(p.Stdout)
}

// checkConfig loads all that there is and says what is wrong. Files named as arguments stand in
// for those that the settings name.
func checkConfig(c *cli.Context, p Process) error {
	languages := ""
	for _, arg := range c.Args().Slice() {
		switch {
		case strings.HasSuffix(arg, ".json"):
			languages = arg
		case strings.HasSuffix(arg, ".toml"):
			if err := c.Set("config", arg); err != nil {
				return fmt.Errorf("check %s: %w", arg, err)
			}
		default:
			return usagef("%s: name an optimus.toml or a languages.json", arg)
		}
	}
	cfg, faults := loadConfig(c)
	if faults == nil {
		faults = checkKeys(c.Context, cfg)
	} else {
		cfg = config.Default()
	}
	if languages == "" {
		languages = cfg.CataloguePath()
	}
	all, err := config.LoadCatalogue(languages)
	if err == nil {
		err = cfg.Limits.CheckCatalogue(all)
	}
	if faults = errors.Join(faults, err); faults != nil {
		return faults
	}
	return printed(fmt.Fprintf(p.Stdout, "settings: no faults (%s)\nlanguages: no faults (%s)\n",
		settingsSource(c.String("config")), orEmbedded(languages)))
}

// checkKeys is [config.Config.CheckListen] with the API keys of the store. A file that a server has open
// is that server's to check: it has.
func checkKeys(ctx context.Context, cfg config.Config) error {
	fault := cfg.CheckListen(0)
	if fault == nil || !storeIsThere(cfg) {
		return fault
	}
	st, err := openStore(ctx, cfg, storeOptions(cfg.Store), false)
	switch {
	case errors.Is(err, store.ErrUnavailable) && !cfg.Redis.Present():
		return nil
	case err != nil:
		return errors.Join(fault, fmt.Errorf("whether the store has API keys is not known: %w", err))
	}
	keys, err := storedKeys(ctx, st)
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	return cfg.CheckListen(len(keys))
}

// settingsSource names the file that the settings come from.
func settingsSource(path string) string {
	if path == "" {
		path = os.Getenv("OPTIMUS_CONFIG")
	}
	if path == "" {
		if _, err := os.Stat(config.SystemPath); err == nil {
			path = config.SystemPath
		}
	}
	if path == "" {
		return "defaults, no file"
	}
	return path
}

func orEmbedded(path string) string {
	if path == "" {
		return "those in the binary"
	}
	return path
}

// printed wraps the error of a write to standard output.
func printed(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
