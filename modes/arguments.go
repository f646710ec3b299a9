package modes

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves a command's flags ahead of its other arguments, so that they may stand on either
// side: the library takes what follows the first argument that is no flag as it is. What follows
// "--" is left alone.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	commands, flags := app.Commands, app.Flags
	at := 1
	for at < len(args) {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			break
		}
		commands, flags = commands[i].Subcommands, commands[i].Flags
		at++
	}
	var first, rest []string
	for tail := args[at:]; len(tail) > 0; {
		n := flagWords(flags, tail)
		switch {
		case tail[0] == "--": // after it come no flags; the library drops it only where flags end
			first = append(first, "--")
			rest = append(rest, tail[1:]...)
			n = len(tail)
		case n > 0:
			first = append(first, tail[:n]...)
		default:
			n = 1
			rest = append(rest, tail[0])
		}
		tail = tail[n:]
	}
	return slices.Concat(args[:at], first, rest)
}

// flagWords tells how many words the flag at the head of args takes: 0 where none stands there.
func flagWords(flags []cli.Flag, args []string) int {
	word := args[0]
	if len(word) < 2 || word[0] != '-' || word == "--" {
		return 0
	}
	name, _, stated := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if stated || len(args) == 1 {
		return 1
	}
	for _, f := range flags {
		if _, isBool := f.(*cli.BoolFlag); !isBool && slices.Contains(f.Names(), name) {
			return 2
		}
	}
	return 1
}
