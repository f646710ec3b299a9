package modes

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
				Description: "OLDEST is how long the job at the head has waited; STATE says too where no worker takes from a queue." +
					examples("optimus admin queues list"),
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
		Name:        name,
		Usage:       usage,
		Description: "QUEUE is a name, as `optimus admin queues list` shows it." + examples("optimus admin queues "+name+" default"),
		ArgsUsage:   "QUEUE",
		Flags:       remoteFlags(),
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
