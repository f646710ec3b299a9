package modes

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/store"
	"optimus/web"
)

func queuesCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "queues",
		Usage: "list, show, pause, drain or resume queues of a running server",
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
			{
				Name:      "show",
				Usage:     "show a queue, and what happened in it in each minute of the last hour",
				ArgsUsage: "QUEUE",
				Flags:     remoteFlags(),
				Action:    func(c *cli.Context) error { return showQueue(c, p) },
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
			q, err := cl.queue(c, http.MethodPost, "/"+name)
			if err != nil {
				return err
			}
			return printQueues(c, p, []web.Queue{q})
		},
	}
}

// queue asks something of the queue that the command names; then is the end of the path.
func (c *client) queue(command *cli.Context, method, then string) (q web.Queue, err error) {
	if command.NArg() != 1 {
		return q, usagef("name one queue: %s QUEUE", command.Command.HelpName)
	}
	return q, c.call(command.Context, method, "/v1/queues/"+url.PathEscape(command.Args().First())+then, nil, &q)
}

// showQueue prints a queue and the minutes in which something happened.
func showQueue(c *cli.Context, p Process) error {
	cl, err := newClient(c)
	if err != nil {
		return err
	}
	q, err := cl.queue(c, http.MethodGet, "")
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, q)
	}
	if err := printQueues(c, p, []web.Queue{q}); err != nil {
		return err
	}
	t := newTable("MINUTE", "SUBMITTED", "CLAIMED", "COMPLETED", "FAILED", "CANCELLED", "RETRIED", "LEASES LOST", "REFUSED")
	t.alignRight(t.header[1:]...)
	for _, m := range q.PerMinute {
		n := m.Counters
		if n == (store.Counters{}) {
			continue
		}
		cells := []string{m.Minute.UTC().Format("15:04")}
		for _, count := range []uint64{n.Submitted, n.Claimed, n.Completed, n.Failed, n.Cancelled, n.Retried, n.LeasesLost, n.RejectedFull} {
			cells = append(cells, strconv.FormatUint(count, 10))
		}
		t.add(cells...)
	}
	if len(t.rows) == 0 {
		return printed(io.WriteString(p.Stdout, "\nNothing happened in it in the last hour.\n"))
	}
	return errors.Join(printed(io.WriteString(p.Stdout, "\n")), t.writeTo(p.Stdout))
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
