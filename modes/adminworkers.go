package modes

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/sandbox"
	"optimus/web"
)

func workersCommand(p Process) *cli.Command {
	list := func(c *cli.Context) error { return listWorkers(c, p) }
	return &cli.Command{
		Name:   "workers",
		Usage:  "list the workers of a running server's queues",
		Flags:  remoteFlags(),
		Action: func(c *cli.Context) error { return elseUnknown(c, list) },
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list workers with what they can run and how busy they are",
				Description: "SEEN is how long ago a worker was last heard of." + examples("optimus admin workers list"), Flags: remoteFlags(), Action: list,
			},
		},
	}
}

// elseUnknown does what a command with commands below it does by itself, unless a word names none
// of these.
func elseUnknown(c *cli.Context, do cli.ActionFunc) error {
	if c.Args().Present() {
		return helpOrUnknown(c)
	}
	return do(c)
}

func listWorkers(c *cli.Context, p Process) error {
	cl, err := newClient(c)
	if err != nil {
		return err
	}
	var list web.WorkerList
	if err := cl.call(c.Context, http.MethodGet, "/v1/workers", nil, &list); err != nil {
		return err
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, list.Workers)
	}
	t := newTable("WORKER", "VERSION", "SLOTS", "BUSY", "SEEN", "STARTED", "QUEUES", "LANGUAGES").alignRight("SLOTS", "BUSY")
	now := time.Now()
	for _, w := range list.Workers {
		lanes := make([]string, len(w.Lanes))
		for i, l := range w.Lanes {
			lanes[i] = strings.TrimSuffix(l, "/"+string(sandbox.Shared))
		}
		t.add(w.Name, w.Version, strconv.Itoa(w.Slots), strconv.Itoa(w.Busy), ago(now, w.SeenAt), ago(now, w.StartedAt), cmp.Or(strings.Join(w.Queues, ", "), "all"), strings.Join(lanes, ", "))
	}
	return t.writeTo(p.Stdout)
}
