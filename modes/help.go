package modes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// exitMeaning says what an exit code stands for.
type exitMeaning struct {
	code    int
	meaning string
}

// exitMeanings are all that there are; docs/OPERATIONS.md has the same.
func exitMeanings() []exitMeaning {
	return []exitMeaning{
		{ExitOK, "done; a server that was told to stop has stopped in order"},
		{ExitFailed, "failed; the message says what to do"},
		{ExitUsage, "the command line is wrong, or what destroys was not confirmed with --yes"},
		{ExitVerdict, "all worked, and a verdict is not the wanted one: run, demo, languages test"},
		{ExitAbandoned, "told to stop for the third time: left without tidying up"},
	}
}

// helpTemplate is the help of a command, whether it holds others or does something itself.
const helpTemplate = `NAME:
   {{template "helpNameTemplate" .}}

USAGE:
   {{.HelpName}}{{if .VisibleCommands}} COMMAND{{end}} [OPTIONS]{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}{{if .Description}}

DESCRIPTION:
   {{template "descriptionTemplate" .}}{{end}}{{if .VisibleCommands}}

COMMANDS:{{template "visibleCommandCategoryTemplate" .}}{{end}}

OPTIONS:{{template "visibleFlagTemplate" .}}
`

// helpWith gives the template with the exit codes of a command.
func helpWith(codes ...exitMeaning) string {
	return helpTemplate + exitText(codes)
}

func exitText(codes []exitMeaning) string {
	var b strings.Builder
	b.WriteString("\nEXIT CODES:\n")
	for _, c := range codes {
		fmt.Fprintf(&b, "   %d  %s\n", c.code, c.meaning)
	}
	return b.String()
}

// helpOfAction is the help of a command that does something; more are the codes that it alone has.
func helpOfAction(more ...exitMeaning) string {
	return helpWith(append([]exitMeaning{{ExitOK, "done"}, {ExitFailed, "failed; the message says what to do"}, {ExitUsage, "the command line is wrong"}}, more...)...)
}

// helpOfProcess is the help of a command that goes on until it is told to stop.
func helpOfProcess() string {
	all := exitMeanings()
	return helpWith(all[0], all[1], exitMeaning{ExitUsage, "the command line is wrong"}, all[4])
}

// helpOfDestroyer is the help of a command that asks first.
func helpOfDestroyer() string {
	all := exitMeanings()
	return helpWith(exitMeaning{ExitOK, "done"}, all[1], all[2])
}

// examples are what the end of a description shows.
func examples(lines ...string) string {
	return "\n\n   " + strings.Join(lines, "\n   ")
}

// noArguments refuses arguments of a command that takes none, before anything is done.
func noArguments(do cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Args().Present() {
			hint := "see " + c.Command.HelpName + " --help"
			if slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "out") }) {
				hint = "--out names where it is written"
			}
			return usagef("%s takes no arguments, but has %q; %s", c.Command.HelpName, c.Args().First(), hint)
		}
		return do(c)
	}
}

// wrongValue is how the library says that a flag's value has the wrong form.
var wrongValue = regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([a-z-]+): `)

// usageFault says what is wrong with a flag in the words of this program.
func usageFault(c *cli.Context, err error) error {
	var flags []cli.Flag
	if c.Command != nil {
		flags = c.Command.Flags
	}
	text := err.Error()
	if flag, unknown := strings.CutPrefix(text, "flag provided but not defined: -"); unknown {
		flag = strings.TrimLeft(flag, "-")
		var names []string
		for _, f := range flags {
			names = append(names, f.Names()...)
		}
		return fmt.Errorf("there is no flag --%s%s", flag, didYouMean("--", config.Nearest(flag, names)))
	}
	if flag, bare := strings.CutPrefix(text, "flag needs an argument: -"); bare {
		return fmt.Errorf("--%s wants a value", strings.TrimLeft(flag, "-"))
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("--%s %s: want %s", m[2], m[1], wantedForm(flags, m[2]))
	}
	return err
}

// wantedForm says what a flag's value looks like.
func wantedForm(flags []cli.Flag, name string) string {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n != name {
				continue
			}
			switch f.(type) {
			case *cli.IntFlag:
				return "a whole number, such as 20"
			case *cli.Float64Flag:
				return "a number, such as 2.5"
			case *cli.DurationFlag:
				return "a time with its unit, such as 500ms or 2s"
			case *cli.BoolFlag:
				return "true or false"
			}
		}
	}
	return "another value"
}
