package modes

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/store"
	"optimus/web"
)

func jobsCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "jobs",
		Usage: "list, show, cancel or delete jobs of a running server",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list jobs, newest first",
				Description: "--state may be repeated. Times are how long ago; --json has them as they are." +
					examples("optimus admin jobs list", "optimus admin jobs list --state queued --state running --queue default --limit 100"),
				Flags: remoteFlags(
					&cli.StringSliceFlag{Name: "state", Usage: "only jobs in `STATE`: queued, running, completed, failed or cancelled", DefaultText: "all"},
					&cli.StringFlag{Name: "queue", Usage: "only jobs of `QUEUE`", DefaultText: "all"},
					&cli.StringFlag{Name: "tenant", Usage: "only jobs of `TENANT`, an API key's name", DefaultText: "all"},
					&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` jobs"},
				),
				Action: func(c *cli.Context) error {
					for _, state := range c.StringSlice("state") {
						if !slices.Contains(jobStates(), state) {
							return usagef("--state %q: want one of %s", state, strings.Join(jobStates(), ", "))
						}
					}
					query := url.Values{"state": c.StringSlice("state")}
					for _, name := range []string{"queue", "tenant"} {
						if v := c.String(name); v != "" {
							query.Set(name, v)
						}
					}
					return listJobs(c, p, query)
				},
			},
			jobAction{"jobs", "show", "show a job with its tests", http.MethodGet, ""}.command(p),
			jobAction{"jobs", "cancel", "cancel a queued or a running job", http.MethodPost, "/cancel"}.command(p),
			jobAction{"jobs", "delete", "forget a job that has ended", http.MethodDelete, ""}.command(p),
		},
	}
}

func deadLetterCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "dead-letter",
		Usage: "jobs that Optimus itself could not judge: list, show, retry or delete them",
		Subcommands: []*cli.Command{
			{
				Name:        "list",
				Usage:       "list dead letters, newest first",
				Description: "The newest are first." + examples("optimus admin dead-letter list", "optimus admin dead-letter list --queue default --json"),
				Flags: remoteFlags(
					&cli.StringFlag{Name: "queue", Usage: "only those of `QUEUE`", DefaultText: "all"},
					&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N`"},
				),
				Action: func(c *cli.Context) error {
					query := url.Values{"state": {string(store.Failed)}}
					if queue := c.String("queue"); queue != "" {
						query.Set("queue", queue)
					}
					return listJobs(c, p, query)
				},
			},
			jobAction{"dead-letter", "show", "show why each attempt failed", http.MethodGet, ""}.command(p),
			jobAction{"dead-letter", "retry", "put it back into its queue, its attempts counted anew", http.MethodPost, "/redrive"}.command(p),
			jobAction{"dead-letter", "delete", "forget it", http.MethodDelete, ""}.command(p),
		},
	}
}

// jobStates are those that a job can be in.
func jobStates() []string {
	var all []string
	for _, s := range store.States() {
		all = append(all, string(s))
	}
	return all
}

// remoteFlags are the flags of a command that asks a server and prints what it says.
func remoteFlags(more ...cli.Flag) []cli.Flag {
	return append(append(serverFlags(), &cli.BoolFlag{Name: "json", Usage: "print JSON"}), more...)
}

// listJobs asks for pages until there are as many jobs as wanted.
func listJobs(c *cli.Context, p Process, query url.Values) error {
	const page = 1000
	cl, err := newClient(c)
	if err != nil {
		return err
	}
	want := c.Int("limit")
	if want < 1 {
		return usagef("--limit %d: want 1 or more", want)
	}
	jobs := []*web.Job{}
	for len(jobs) < want {
		query.Set("limit", strconv.Itoa(min(want-len(jobs), page)))
		var list web.JobList
		if err := cl.call(c.Context, http.MethodGet, "/v1/jobs?"+query.Encode(), nil, &list); err != nil {
			return err
		}
		jobs = append(jobs, list.Jobs...)
		if list.NextCursor == "" {
			break
		}
		query.Set("cursor", list.NextCursor)
	}
	if c.Bool("json") {
		return writeJSON(p.Stdout, jobs)
	}
	t := newTable("JOB", "STATE", "VERDICT", "LANGUAGE", "QUEUE", "ATTEMPTS", "CREATED").alignRight("ATTEMPTS")
	now := time.Now()
	for _, j := range jobs {
		t.add(j.ID, j.State, j.Verdict, j.Language, j.Queue, fmt.Sprintf("%d/%d", j.Attempts, j.MaxAttempts), ago(now, j.CreatedAt))
	}
	return t.writeTo(p.Stdout)
}

// jobAction is a command of jobs or of dead letters that does one thing with each job that it is given.
type jobAction struct {
	of, name, usage string
	// method and path, below that of the job, are what the server is asked by.
	method, path string
}

func (a jobAction) destroys() bool { return a.method == http.MethodDelete }

func (a jobAction) command(p Process) *cli.Command {
	const id = "01a20ff7-39a8-8000-8000-79dda62a1f34"
	cmd := &cli.Command{
		Name:        a.name,
		Usage:       a.usage,
		Description: "JOB is an id, as `optimus admin " + a.of + " list` shows it." + examples("optimus admin "+a.of+" "+a.name+" "+id),
		ArgsUsage:   "JOB…",
		Flags:       remoteFlags(),
		Action:      func(c *cli.Context) error { return a.do(c, p) },
	}
	if a.destroys() {
		cmd.Flags = append(cmd.Flags, yesFlag())
		cmd.CustomHelpTemplate = helpOfDestroyer()
	}
	return cmd
}

func (a jobAction) do(c *cli.Context, p Process) error {
	cl, err := newClient(c)
	if err != nil {
		return err
	}
	if !c.Args().Present() {
		return usagef("name a job: %s JOB…", c.Command.HelpName)
	}
	var ids []string
	for _, text := range c.Args().Slice() {
		id, err := store.ParseID(text)
		if err != nil {
			return usagef("%w; `optimus admin jobs list` shows them", err)
		}
		ids = append(ids, id.String())
	}
	if a.destroys() {
		if err := confirm(c, p, "forget "+strings.Join(ids, ", ")+", sources and reports included"); err != nil {
			return err
		}
	}
	for _, id := range ids {
		path := "/v1/jobs/" + id + a.path
		if a.destroys() {
			err = cl.call(c.Context, a.method, path, nil, nil)
		} else {
			var job web.Job
			if err = cl.call(c.Context, a.method, path, nil, &job); err == nil {
				err = printJob(p.Stdout, &job, c.Bool("json"))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
