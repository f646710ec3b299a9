package modes

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/web"
)

func languagesCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "languages",
		Usage: "list, show, test, add or remove the languages that programs may be written in",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list languages, and how to get those that are not available",
				Description: "Asks a running server what it has. With --local it reads this installation's languages.json, or what is in the\n" +
					"binary where there is none; --json then prints it in the form that `languages add` takes.",
				Flags:  languageFlags(),
				Action: func(c *cli.Context) error { return listLanguages(c, p) },
			},
			{
				Name:        "show",
				Usage:       "show a language with its limits",
				Description: "Asks a running server, or with --local reads this installation's languages.json.",
				ArgsUsage:   "LANGUAGE",
				Flags:       languageFlags(),
				Action:      func(c *cli.Context) error { return showLanguage(c, p) },
			},
			addLanguageCommand(p, "add"),
			removeLanguageCommand(p, "remove"),
			testLanguagesCommand(p),
		},
	}
}

// languageFlags are those of a command that looks at a server's languages or at a file's.
func languageFlags() []cli.Flag {
	return append(remoteFlags(&cli.BoolFlag{Name: "local", Usage: "read languages.json here instead of asking a server"}), configFlags()...)
}

// localCatalogue reads the languages.json that the settings mean.
func localCatalogue(c *cli.Context) (config.Catalogue, error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return config.Catalogue{}, err
	}
	return config.LoadCatalogue(cfg.CataloguePath())
}

func listLanguages(c *cli.Context, p Process) error {
	if c.Args().Present() {
		return usagef("list takes no arguments, but has %q", c.Args().First())
	}
	if c.Bool("local") {
		return listLocal(c, p)
	}
	list, err := remoteLanguages(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, list)
	}
	t := newTable("LANGUAGE", "VERSION", "ALIASES", "TIER", "STATE")
	for _, l := range list {
		state := stateOf(l)
		if !l.Available {
			state = "get it with: " + l.HowToGet
		}
		t.add(l.Name, l.Version, strings.Join(l.Aliases, ", "), l.Tier, state)
	}
	return t.writeTo(p.Stdout)
}

// stateOf says in words where a language is run.
func stateOf(l web.LanguageInfo) string {
	switch web.LanguageState(l.State) {
	case web.LanguageElsewhere:
		return "run by another worker"
	case web.LanguageNoWorker:
		return "taken, but no worker runs it now"
	case web.LanguageAvailable, web.LanguageMissing:
	}
	return "available"
}

func listLocal(c *cli.Context, p Process) error {
	all, err := localCatalogue(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, all)
	}
	t := newTable("LANGUAGE", "VERSION", "ALIASES", "TIER", "IMAGE")
	for _, e := range newCatalogue(all, nil).entries() {
		t.add(e.lang.Name, e.lang.Version, strings.Join(e.config.Aliases, ", "), e.config.Tier, e.lang.Image)
	}
	return t.writeTo(p.Stdout)
}

func remoteLanguages(c *cli.Context) ([]web.LanguageInfo, error) {
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	var list web.LanguageList
	if err := cl.call(c.Context, http.MethodGet, "/v1/languages", nil, &list); err != nil {
		return nil, err
	}
	return list.Languages, nil
}

func showLanguage(c *cli.Context, p Process) error {
	if c.NArg() != 1 {
		return usagef("name one language: %s LANGUAGE", c.Command.HelpName)
	}
	if c.Bool("local") {
		return showLocal(c, p)
	}
	list, err := remoteLanguages(c)
	if err != nil {
		return err
	}
	name := c.Args().First()
	for _, l := range list {
		if l.Name == name || containsFold(l.Aliases, name) {
			return printLanguage(c, p, l)
		}
	}
	return fmt.Errorf("the server has no language %q: `optimus admin languages list` shows what it has", name)
}

func showLocal(c *cli.Context, p Process) error {
	all, err := localCatalogue(c)
	if err != nil {
		return err
	}
	known := newCatalogue(all, nil)
	e, err := known.find(c.Args().First(), "")
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, e.config)
	}
	return printLanguage(c, p, web.ViewLanguage(web.Language{
		Language: e.lang, Aliases: e.config.Aliases, DisplayName: displayName(e.config), HowToGet: howToGet(e.config), State: web.LanguageAvailable,
	}))
}

func containsFold(all []string, one string) bool {
	for _, s := range all {
		if strings.EqualFold(s, one) {
			return true
		}
	}
	return false
}

func printLanguage(c *cli.Context, p Process, l web.LanguageInfo) error {
	if c.Bool("json") {
		return writeJSON(p.Stdout, l)
	}
	t := newTable("LIMIT", "TEST", "COMPILE").alignRight("TEST", "COMPILE")
	row := func(name string, test, compile *int64, show func(int64) string) {
		cell := func(v *int64) string {
			if v == nil {
				return "-"
			}
			return show(*v)
		}
		t.add(name, cell(test), cell(compile))
	}
	ms := func(v int64) string { return milliseconds(time.Duration(v) * time.Millisecond) }
	count := func(v int64) string { return strconv.FormatInt(v, 10) }
	a, b := l.Limits, l.CompileLimits
	row("CPU", a.CPU, b.CPU, ms)
	row("wall", a.Wall, b.Wall, ms)
	row("memory", a.Memory, b.Memory, megabytes)
	row("output", a.Output, b.Output, megabytes)
	row("processes", a.Processes, b.Processes, count)
	row("file size", a.FileSize, b.FileSize, megabytes)
	row("open files", a.OpenFiles, b.OpenFiles, count)
	row("stack", a.Stack, b.Stack, megabytes)
	row("disk", a.Disk, b.Disk, megabytes)
	state := stateOf(l)
	switch {
	case c.Bool("local"):
		state = "whether its image is here is what `optimus admin images list` shows"
	case !l.Available:
		state = "not available; get it with: " + l.HowToGet
	}
	if _, err := fmt.Fprintf(p.Stdout, "%s (%s), %s tier, queue %s\n%s\naliases: %s\n\n", l.DisplayName, l.Name, l.Tier, l.Queue,
		state, strings.Join(l.Aliases, ", ")); err != nil {
		return fmt.Errorf("write the language: %w", err)
	}
	return t.writeTo(p.Stdout)
}
