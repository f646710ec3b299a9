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

// manCommand is `optimus man`, for packages.
func manCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:   "man",
		Usage:  "print the manual page, as roff",
		Hidden: true,
		Action: func(c *cli.Context) error {
			const commands = 1 // of the manual
			text, err := c.App.ToManWithSection(commands)
			if err != nil {
				return fmt.Errorf("manual page: %w", err)
			}
			return printed(io.WriteString(p.Stdout, text+manTail))
		},
	}
}

// manTail is what the library knows nothing of.
const manTail = `
.SH EXIT STATUS
.TP
0
done; a server that was told to stop has stopped in order
.TP
1
failed; the message says what to do
.TP
2
the command line is wrong
.TP
3
a program was judged, and its verdict is not the wanted one
.TP
4
told to stop for the third time: left without tidying up

.SH FILES
.TP
` + config.SystemPath + `
settings, where no \fB--config\fP and no OPTIMUS_CONFIG name others
.TP
/var/lib/optimus
root's data folder: the queue, the catalogue languages.json, a private containerd

.SH ENVIRONMENT
.TP
OPTIMUS_\fISECTION\fP_\fISETTING\fP
any setting: \fIserver.listen\fP is OPTIMUS_SERVER_LISTEN
.TP
OPTIMUS_API_KEY
the key that the admin commands show to a server
`

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
			return nil // a flag's value
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
	return slices.DeleteFunc(all, func(c candidate) bool { return !strings.HasPrefix(c.word, word) })
}

// wantsValue tells whether a flag's value is the next word.
func wantsValue(flags []cli.Flag, word string) bool {
	return flagWords(flags, []string{word, ""}) == 2
}

func flagCandidates(flags []cli.Flag) []candidate {
	all := []candidate{{"--help", "show help"}}
	for _, f := range flags {
		name := f.Names()[0]
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
