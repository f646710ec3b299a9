package modes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/web"
)

// maxLanguages bounds what is read of languages to add, in bytes.
const maxLanguages = 16 << 20

func addLanguageCommand(p Process, name string) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: "add languages, or replace those of the same name and version",
		Description: "FILE (- for standard input) holds a language as in languages.json, or {\"languages\": […]} with several: every field\n" +
			"is in docs/CONFIG.md, and `optimus admin languages show NAME --local --json` prints one to begin with. The flags make a\n" +
			"simple, interpreted language without a file.\n\n" +
			"It changes this installation's languages.json, which is made of the languages in the binary where there is none; a running\n" +
			"server takes that over by SIGHUP. With --server a running server changes its own. All is checked before anything is changed.\n\n" +
			"   optimus admin languages add lua.json\n" +
			"   optimus admin languages add --name lua --ext lua --version 5.4 --base-image lua:5.4 --command 'lua {source}'",
		ArgsUsage: "[FILE|-]",
		Flags: moveFlags(
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the language"},
			&cli.StringFlag{Name: "ext", Aliases: []string{"extension"}, Usage: "`EXTENSION` of its source files, such as lua"},
			&cli.StringFlag{Name: "version", Usage: "`VERSION` of the toolchain", DefaultText: "the image's tag"},
			&cli.StringFlag{Name: "base-image", Aliases: []string{"image"}, Usage: "OCI `IMAGE` that holds the toolchain, such as lua:5.4"},
			&cli.StringFlag{Name: "command", Usage: "`COMMAND` that runs a program, its words separated by spaces; without {source} the source file follows it"},
			&cli.StringFlag{Name: "queue", Usage: "`QUEUE` that its jobs wait in", DefaultText: config.DefaultQueue},
			&cli.StringFlag{Name: "memory", Usage: "memory limit of a test, a `SIZE` such as 256MiB; a bare number is in MiB", DefaultText: config.BaseLimits().Memory.String()},
			&cli.StringFlag{Name: "cpu", Usage: "`PROCESSORS` of its worker pods on Kubernetes, such as 0.5 or 500m"},
			&cli.BoolFlag{Name: "skip-docker", Hidden: true, Usage: "has no effect: no Docker is used; images are built by `optimus admin images build`"},
		),
		Action: func(c *cli.Context) error { return addLanguage(c, p) },
	}
}

func removeLanguageCommand(p Process, name string) *cli.Command {
	return &cli.Command{
		Name:  name,
		Usage: "remove a language; jobs that were submitted are still run",
		Description: "It changes this installation's languages.json, which is made of the languages in the binary where there is none; a running\n" +
			"server takes that over by SIGHUP. With --server a running server changes its own. Its image stays: see `optimus admin images prune`.",
		ArgsUsage: "NAME",
		Flags: moveFlags(yesFlag(),
			&cli.StringFlag{Name: "version", Usage: "remove this `VERSION` alone", DefaultText: "all"},
		),
		Action: func(c *cli.Context) error { return dropLanguage(c, p) },
	}
}

// newLanguages gives what the command line wants added, as JSON, and what it is called in messages.
func newLanguages(c *cli.Context, p Process) (content []byte, source string, err error) {
	described := slices.ContainsFunc([]string{"name", "ext", "version", "base-image", "command", "queue", "memory", "cpu"}, c.IsSet)
	switch {
	case described && c.NArg() > 0:
		return nil, "", usagef("state a file or the flags that describe a language, not both")
	case described:
		l, err := describedLanguage(c)
		if err != nil {
			return nil, "", err
		}
		content, err = json.Marshal(l)
		if err != nil {
			return nil, "", fmt.Errorf("describe the language: %w", err)
		}
		return content, "the command line", nil
	case c.NArg() != 1:
		return nil, "", usagef("name a file, or describe the language with flags: see %s --help", c.Command.HelpName)
	}
	source = c.Args().First()
	from := p.Stdin
	if source == "-" {
		source = "standard input"
	} else {
		f, err := os.Open(source)
		if err != nil {
			return nil, "", fmt.Errorf("read the languages: %w", err)
		}
		defer f.Close()
		from = f
	}
	content, err = io.ReadAll(io.LimitReader(from, maxLanguages+1))
	if err == nil && len(content) > maxLanguages {
		err = fmt.Errorf("it is larger than %d bytes", maxLanguages)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the languages: %s: %w", source, err)
	}
	return content, source, nil
}

// describedLanguage makes a language of the flags.
func describedLanguage(c *cli.Context) (config.Language, error) {
	for _, flag := range []string{"name", "ext", "base-image", "command"} {
		if strings.TrimSpace(c.String(flag)) == "" {
			return config.Language{}, usagef("--%s is missing: a language is described by --name, --ext, --base-image and --command", flag)
		}
	}
	image, err := containerd.FullRef(c.String("base-image"))
	if err != nil {
		return config.Language{}, usagef("--base-image %q: %w", c.String("base-image"), err)
	}
	l := config.Language{
		Name: strings.ToLower(c.String("name")), Version: c.String("version"), Image: image, Queue: c.String("queue"),
		SourceFile: "main." + strings.TrimPrefix(c.String("ext"), "."), Run: strings.Fields(c.String("command")),
	}
	if l.Version == "" {
		_, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
		if !found || tag == "latest" {
			return l, usagef("--version is missing, and the image's tag does not tell it")
		}
		l.Version, _, _ = strings.Cut(tag, "@")
	}
	if !slices.ContainsFunc(l.Run, func(w string) bool { return strings.Contains(w, "{") }) {
		l.Run = append(l.Run, "{source}")
	}
	if text := c.String("memory"); text != "" {
		if _, err := strconv.ParseUint(text, 10, 32); err == nil {
			text += "MiB"
		}
		if l.Limits.Memory, err = config.ParseSize(text); err != nil {
			return l, usagef("--memory: %w", err)
		}
	}
	l.Resources.Limits.CPU = c.String("cpu")
	return l, nil
}

func addLanguage(c *cli.Context, p Process) error {
	content, source, err := newLanguages(c, p)
	if err != nil {
		return err
	}
	// Faults are told with the names of the user's own file, whoever keeps the catalogue.
	added, err := parseLanguages(source, content)
	if err != nil {
		return err
	}
	if c.IsSet("server") {
		cl, err := newClient(c)
		if err != nil {
			return err
		}
		var done web.ChangedLanguages
		if err := cl.call(c.Context, http.MethodPost, "/v1/languages", config.Catalogue{Languages: added}, &done); err != nil {
			return err
		}
		return printChanged(c, p, "added", done, "on "+cl.base, added)
	}
	return editLocal(c, p, "added", func(all *config.Catalogue) ([]web.LanguageVersion, error) {
		addLanguages(all, added)
		return versionsOf(added), nil
	}, added)
}

func dropLanguage(c *cli.Context, p Process) error {
	name, version := c.Args().First(), c.String("version")
	if stated := c.String("name"); stated != "" && c.NArg() == 0 { // as the original has it
		name = stated
	} else if c.NArg() != 1 {
		return usagef("name one language: %s NAME", c.Command.HelpName)
	}
	what := "language " + name
	if version != "" {
		what += " " + version
	}
	if err := confirm(c, p, "remove "+what); err != nil {
		return err
	}
	if c.IsSet("server") {
		cl, err := newClient(c)
		if err != nil {
			return err
		}
		path := "/v1/languages/" + url.PathEscape(name)
		if version != "" {
			path += "?version=" + url.QueryEscape(version)
		}
		var done web.ChangedLanguages
		if err := cl.call(c.Context, http.MethodDelete, path, nil, &done); err != nil {
			return err
		}
		return printChanged(c, p, "removed", done, "on "+cl.base, nil)
	}
	return editLocal(c, p, "removed", func(all *config.Catalogue) ([]web.LanguageVersion, error) {
		return removeLanguage(all, name, version)
	}, nil)
}

// editLocal changes this installation's file, and says who has yet to learn of it.
func editLocal(c *cli.Context, p Process, did string, change func(*config.Catalogue) ([]web.LanguageVersion, error), added []config.Language) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	var done []web.LanguageVersion
	path, err := editCatalogue(cfg, func(all *config.Catalogue) (err error) {
		done, err = change(all)
		return err
	})
	if _, ok := errors.AsType[*unknownLanguageError](err); ok {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Stderr, "a running server takes this over when it gets SIGHUP (systemctl reload optimus, or kill -HUP)")
	return printChanged(c, p, did, web.ChangedLanguages{Languages: done}, "in "+path, added)
}

// printChanged says what was changed, and how the images of what was added come here.
func printChanged(c *cli.Context, p Process, did string, changed web.ChangedLanguages, where string, added []config.Language) error {
	if c.Bool("json") {
		return writeJSON(p.Stdout, changed)
	}
	var b strings.Builder
	for _, l := range changed.Languages {
		fmt.Fprintf(&b, "%s %s %s %s\n", did, l.Name, l.Version, where)
	}
	for _, l := range added {
		fmt.Fprintf(&b, "its image, where it is missing: %s\n", howToGet(l))
	}
	if changed.Note != "" {
		fmt.Fprintln(p.Stderr, changed.Note)
	}
	return printed(io.WriteString(p.Stdout, b.String()))
}
