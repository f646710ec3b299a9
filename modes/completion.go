package modes

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// completionScripts ask `optimus complete` for what may stand next.
//
//go:embed completion
var completionScripts embed.FS

// shells are those that there is a script for.
func shells() []string { return []string{"bash", "zsh", "fish"} }

// completionCommand is `optimus completion`: a shell's script.
func completionCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "completion",
		Usage: "print a script that completes commands, flags and languages in bash, zsh or fish",
		Description: "The Debian package brings them. Else, for one session:" +
			examples("source <(optimus completion bash)", "source <(optimus completion zsh)", "optimus completion fish | source"),
		ArgsUsage: strings.Join(shells(), "|"),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 || !slices.Contains(shells(), c.Args().First()) {
				return usagef("name a shell: %s %s", c.Command.HelpName, c.Command.ArgsUsage)
			}
			text, err := completionScripts.ReadFile("completion/optimus." + c.Args().First())
			if err != nil {
				return fmt.Errorf("completion: %w", err)
			}
			return printed(p.Stdout.Write(text))
		},
	}
}

// completeCommand is what the scripts call: its arguments are the words of a command line after the
// program's name, the last of which is unfinished.
func completeCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:      "complete",
		Usage:     "print what may stand for the last word, one a line, each with a tab and its meaning",
		ArgsUsage: "-- WORD…",
		Hidden:    true,
		Action: func(c *cli.Context) error {
			var b strings.Builder
			for _, cand := range candidates(c.App, c.Args().Slice()) {
				fmt.Fprintf(&b, "%s\t%s\n", cand.word, cand.usage)
			}
			return printed(io.WriteString(p.Stdout, b.String()))
		},
	}
}

// candidate is a word that may stand next.
type candidate struct{ word, usage string }

// candidates gives what may stand for the last of words.
func candidates(app *cli.App, words []string) []candidate {
	if len(words) == 0 {
		return nil
	}
	before, word := words[:len(words)-1], words[len(words)-1]
	at := &cli.Command{Subcommands: app.Commands, Flags: app.Flags}
	for len(before) > 0 {
		n := flagWords(at.Flags, before)
		i := slices.IndexFunc(at.Subcommands, func(c *cli.Command) bool { return c.HasName(before[0]) })
		switch {
		case before[0] == "--":
			return nil // the program's own arguments
		case n == 1 && len(before) == 1 && wantsValue(at.Flags, before[0]), n > len(before):
			return startingWith(word, valueCandidates(strings.TrimLeft(before[0], "-")))
		case n == 0 && i >= 0:
			at, n = at.Subcommands[i], 1
		}
		before = before[max(n, 1):]
	}
	var all []candidate
	if strings.HasPrefix(word, "-") {
		all = flagCandidates(at.Flags)
	} else {
		for _, c := range at.Subcommands {
			if !c.Hidden {
				all = append(all, candidate{c.Name, c.Usage})
			}
		}
		if strings.Contains(at.ArgsUsage, "LANGUAGE") {
			all = append(all, languageCandidates()...)
		}
		for _, shell := range shells() {
			if at.Name == "completion" {
				all = append(all, candidate{shell, ""})
			}
		}
	}
	return startingWith(word, all)
}

func startingWith(word string, all []candidate) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, word) })
}

// valueCandidates are what a flag's value may be, where there is a choice; nothing means a file, or anything.
func valueCandidates(flag string) (all []candidate) {
	var words []string
	switch flag {
	case "lang", "l":
		return languageCandidates()
	case "state":
		words = jobStates()
	case "role":
		words = roles()
	case "log-level":
		words = choicesOf("logging.level")
	case "log-format":
		words = choicesOf("logging.format")
	case "distribution":
		words = choicesOf("kubernetes.distribution")
	}
	for _, w := range words {
		all = append(all, candidate{w, ""})
	}
	return all
}

// wantsValue tells whether a flag's value is the next word.
func wantsValue(flags []cli.Flag, word string) bool {
	return flagWords(flags, []string{word, ""}) == 2
}

// choicesOf gives what a setting may be, where that is a choice.
func choicesOf(path string) []string {
	for _, s := range config.Default().Settings() {
		if choices, found := strings.CutPrefix(s.Allowed, "one of "); found && s.Path == path {
			return strings.Split(choices, ", ")
		}
	}
	return nil
}

func flagCandidates(flags []cli.Flag) []candidate {
	all := []candidate{{"--help", "show help"}}
	for _, f := range flags {
		name := f.Names()[0]
		if v, ok := f.(cli.VisibleFlag); name == "help" || !ok || !v.IsVisible() {
			continue
		}
		usage := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			usage = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		if len(name) > 1 {
			all = append(all, candidate{"--" + name, usage})
		}
	}
	return all
}

// languageCandidates are the catalogue's languages, where the settings can be read.
func languageCandidates() []candidate {
	cfg, err := config.Load(config.LoadOptions{System: config.SystemPath, Root: true})
	if err != nil {
		return nil
	}
	languages, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return nil
	}
	var all []candidate
	for _, l := range languages.Languages {
		all = append(all, candidate{l.Name, l.DisplayName})
	}
	return all
}
