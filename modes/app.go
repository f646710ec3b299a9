// Package modes is what the one binary can be: a server (`serve`), and the operator's commands
// (`admin`). It is the only place that wires the other packages together, and the only one that
// knows the command line. The tree of commands takes its actions, so that it can be looked at
// without starting anything.
package modes

import (
	"io"
	"time"

	"github.com/urfave/cli/v2"
)

// Process is what a command is given of the process that it runs in.
type Process struct {
	// Version is the binary's own, such as "v1.2.0".
	Version string
	// Hurry is closed when the user has asked a second time to stop. The first request ends the
	// context that a command is run with.
	Hurry <-chan struct{}
	Stdin io.Reader
	// Stdout takes a command's result alone; everything else goes to Stderr.
	Stdout, Stderr io.Writer
}

// New gives the command tree with the actions of this package.
func New(p Process) *cli.App { return App(p, Actions{}) }

// Actions are what the commands do.
type Actions struct {
	Admin []*cli.Command
}

// App gives the command tree over the actions.
func App(p Process, a Actions) *cli.App {
	app := &cli.App{
		Name:                   "optimus",
		Usage:                  "run untrusted programs, judge them against test cases",
		Version:                p.Version,
		Reader:                 p.Stdin,
		Writer:                 p.Stdout,
		ErrWriter:              p.Stderr,
		HideHelpCommand:        true,
		UseShortOptionHandling: true,
		Suggest:                true,
		Compiled:               time.Time{},
		// The exit code is main's business alone.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		Action:         helpOrUnknown,
		Commands: []*cli.Command{
			{
				Name:        "admin",
				Usage:       "look at and steer jobs, queues, languages, images; judge a local file",
				Subcommands: a.Admin,
				Action:      helpOrUnknown,
			},
		},
	}
	inherit(app.Commands, app.OnUsageError)
	return app
}

// inherit gives every command what the library does not hand down by itself.
func inherit(commands []*cli.Command, onUsageError cli.OnUsageErrorFunc) {
	for _, c := range commands {
		c.HideHelpCommand = true
		if c.OnUsageError == nil {
			c.OnUsageError = onUsageError
		}
		if len(c.Subcommands) > 0 && c.Action == nil {
			c.Action = helpOrUnknown
		}
		inherit(c.Subcommands, onUsageError)
	}
}

// helpOrUnknown is the action of a command that only holds others.
func helpOrUnknown(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%s has no command %q; see %s --help", c.Command.HelpName, c.Args().First(), c.Command.HelpName)
	}
	if err := cli.ShowSubcommandHelp(c); err != nil {
		return err //nolint:wrapcheck // the library only fails to write to stdout
	}
	return nil
}
