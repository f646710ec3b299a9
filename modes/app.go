// Package modes is what the one binary can be: a server (`serve`), a worker (`work`), and the
// operator's commands (`admin`). It is the only place that wires the other packages together, and the only one that
// knows the command line. The tree of commands takes its actions, so that it can be looked at
// without starting anything.
package modes

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// Process is what a command is given of the process that it runs in.
type Process struct {
	// Version is the binary's own, such as "v1.2.0".
	Version string
	// Hurry is closed when the user has asked a second time to stop. The first request ends the
	// context that a command is run with.
	Hurry <-chan struct{}
	// Reload gives a channel that gets a value when the user asks a process that goes on to read its
	// configuration again, until ctx ends; nil means never.
	Reload func(ctx context.Context) <-chan os.Signal
	Stdin  io.Reader
	// Stdout takes a command's result alone; everything else goes to Stderr.
	Stdout, Stderr io.Writer
}

// Run does what the command line, whose first word is the program's name, says.
func Run(ctx context.Context, p Process, args []string) error {
	app := App(p, Actions{
		Serve: func(ctx context.Context, cfg config.Config) error { return serve(ctx, p, cfg) },
		Work:  func(ctx context.Context, cfg config.Config) error { return work(ctx, p, cfg) },
		Run:   func(ctx context.Context, cfg config.Config, r RunRequest) error { return runLocal(ctx, p, cfg, r) },
		Demo:  func(ctx context.Context, cfg config.Config, r DemoRequest) error { return runDemo(ctx, p, cfg, r) },
		Bench: func(ctx context.Context, cfg config.Config, asJSON bool) error { return runBench(ctx, p, cfg, asJSON) },
	})
	return app.RunContext(ctx, flagsFirst(app, args)) //nolint:wrapcheck // the command's own error
}

// Actions are what the commands do.
type Actions struct {
	Serve func(context.Context, config.Config) error
	Work  func(context.Context, config.Config) error
	Run   func(context.Context, config.Config, RunRequest) error
	Demo  func(context.Context, config.Config, DemoRequest) error
	Bench func(ctx context.Context, cfg config.Config, asJSON bool) error
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
		// A test's text may hold commas.
		DisableSliceFlagSeparator: true,
		Compiled:                  time.Time{},
		// The exit code is main's business alone.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(c *cli.Context, err error, _ bool) error { return usageError{helpFor(c, err)} },
		Action:         helpOrUnknown,
		Description: "Begin with `optimus admin doctor`, which looks at this machine, then `optimus serve`. Each command has --help." +
			examples("sudo optimus admin images build python", "sudo optimus serve", "sudo optimus admin run hello.py --lang python"),
		CustomAppHelpTemplate: cli.AppHelpTemplate + exitText(exitMeanings()),
		Commands: []*cli.Command{
			serveCommand(a.Serve),
			workCommand(a.Work),
			{
				Name:        "admin",
				Usage:       "look at and steer jobs, queues, languages, images, API keys; judge a local file",
				Subcommands: adminCommands(p, a),
				Action:      helpOrUnknown,
			},
			completionCommand(p),
			completeCommand(p),
			manCommand(p),
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
		switch {
		case len(c.Subcommands) > 0 && c.Action == nil:
			c.Action = helpOrUnknown
		case len(c.Subcommands) == 0 && c.ArgsUsage == "":
			c.Action = noArguments(c.Action)
		}
		switch {
		case c.CustomHelpTemplate != "":
		case len(c.Subcommands) > 0:
			c.CustomHelpTemplate = helpTemplate
		default:
			c.CustomHelpTemplate = helpOfAction()
		}
		for _, f := range c.Flags {
			if f, ok := f.(*cli.BoolFlag); ok {
				f.DisableDefaultText = true // "(default: false)" says nothing
			}
		}
		inherit(c.Subcommands, onUsageError)
	}
}

// helpFor says of a wrong flag where the right ones are listed.
func helpFor(c *cli.Context, err error) error {
	name := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		name = c.Command.HelpName
	}
	return fmt.Errorf("%w; see %s --help", usageFault(c, err), name)
}

// helpOrUnknown is the action of a command that only holds others.
func helpOrUnknown(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		var names []string
		for _, sub := range c.Command.Subcommands {
			names = append(names, sub.Name)
		}
		return usagef("%s has no command %q%s; see %s --help",
			c.Command.HelpName, name, didYouMean("", config.Nearest(name, names)), c.Command.HelpName)
	}
	if err := cli.ShowSubcommandHelp(c); err != nil {
		return err //nolint:wrapcheck // the library only fails to write to stdout
	}
	return nil
}

// didYouMean proposes what is most like a name that is not known, if anything is.
func didYouMean(before, near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s%s?", before, near)
}

// adminCommands are what an operator does, one thing each.
func adminCommands(p Process, a Actions) []*cli.Command {
	return append([]*cli.Command{
		runCommand(p, a.Run),
		demoCommand(a.Demo),
		jobsCommand(p),
		queuesCommand(p),
		workersCommand(p),
		deadLetterCommand(p),
		keysCommand(p),
		storeCommand(p),
		languagesCommand(p),
		imagesCommand(p),
		configCommand(p),
		renderCommand(p),
		doctorCommand(p),
		benchCommand(a.Bench),
		capacityCommand(p),
	}, originalCommands(p)...)
}
