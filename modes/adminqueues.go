package modes

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/web"
)

func queuesCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "queues",
		Usage: "list, pause, drain or resume queues of a running server",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list queues with what waits in them",
				Flags: remoteFlags(),
				Action: func(c *cli.Context) error {
					cl, err := newClient(c)
					if err != nil {
						return err
					}
					var list web.QueueList
					if err := cl.call(c.Context, http.MethodGet, "/v1/queues", nil, &list); err != nil {
						return err
					}
					return printQueues(c, p, list.Queues)
				},
			},
			onQueue(p, "pause", "take nothing more from a queue; submissions and running jobs go on"),
			drainCommand(p),
			onQueue(p, "resume", "end a queue's pause or drain"),
		},
	}
}

// onQueue is a command that does with a queue what its name says.
func onQueue(p Process, name, usage string) *cli.Command {
	return &cli.Command{
		Name:      name,
		Usage:     usage,
		ArgsUsage: "QUEUE",
		Flags:     remoteFlags(),
		Action: func(c *cli.Context) error {
			cl, err := newClient(c)
			if err != nil {
				return err
			}
			if c.NArg() != 1 {
				return usagef("name one queue: %s QUEUE", c.Command.HelpName)
			}
			var q web.Queue
			path := "/v1/queues/" + url.PathEscape(c.Args().First()) + "/" + name
			if err := cl.call(c.Context, http.MethodPost, path, nil, &q); err != nil {
				return err
			}
			return printQueues(c, p, []web.Queue{q})
		},
	}
}

func printQueues(c *cli.Context, p Process, queues []web.Queue) error {
	if c.Bool("json") {
		return writeJSON(p.Stdout, queues)
	}
	t := newTable("QUEUE", "READY", "DELAYED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "OLDEST", "STATE").
		alignRight("READY", "DELAYED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
	now := time.Now()
	for _, q := range queues {
		t.add(q.Name, strconv.Itoa(q.Ready), strconv.Itoa(q.Delayed), strconv.Itoa(q.Running), strconv.Itoa(q.Completed),
			strconv.Itoa(q.Failed), strconv.Itoa(q.Cancelled), ago(now, q.OldestReady), q.State)
	}
	err := t.writeTo(p.Stdout)
	for _, q := range queues {
		if q.Unserved != "" {
			_, printErr := fmt.Fprintf(p.Stdout, "\nQueue %s is not served: %s.\n", q.Name, q.Unserved)
			err = errors.Join(err, printErr)
		}
	}
	return err
}

func languagesCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "languages",
		Usage: "list or show the languages of a running server",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list languages, and how to get those that are not available",
				Flags: remoteFlags(),
				Action: func(c *cli.Context) error {
					list, err := remoteLanguages(c)
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return writeJSON(p.Stdout, list)
					}
					t := newTable("LANGUAGE", "VERSION", "ALIASES", "TIER", "STATE")
					for _, l := range list {
						state := "available"
						if !l.Available {
							state = "get it with: " + l.HowToGet
						}
						t.add(l.Name, l.Version, strings.Join(l.Aliases, ", "), l.Tier, state)
					}
					return t.writeTo(p.Stdout)
				},
			},
			{
				Name:      "show",
				Usage:     "show a language with its limits",
				ArgsUsage: "LANGUAGE",
				Flags:     remoteFlags(),
				Action:    func(c *cli.Context) error { return showLanguage(c, p) },
			},
		},
	}
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
	state := "available"
	if !l.Available {
		state = "not available; get it with: " + l.HowToGet
	}
	if _, err := fmt.Fprintf(p.Stdout, "%s (%s), %s tier, queue %s\n%s\naliases: %s\n\n", l.DisplayName, l.Name, l.Tier, l.Queue,
		state, strings.Join(l.Aliases, ", ")); err != nil {
		return fmt.Errorf("write the language: %w", err)
	}
	return t.writeTo(p.Stdout)
}
