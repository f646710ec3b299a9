package modes

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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
				Flags: remoteFlags(
					&cli.StringSliceFlag{Name: "state", Usage: "only jobs in `STATE`: queued, running, completed, failed or cancelled"},
					&cli.StringFlag{Name: "queue", Usage: "only jobs of `QUEUE`"},
					&cli.StringFlag{Name: "tenant", Usage: "only jobs of `TENANT`, an API key's name"},
					&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most `N` jobs"},
				),
				Action: func(c *cli.Context) error {
					query := url.Values{"state": c.StringSlice("state")}
					for _, name := range []string{"queue", "tenant"} {
						if v := c.String(name); v != "" {
							query.Set(name, v)
						}
					}
					return listJobs(c, p, query)
				},
			},
			onJob(p, "show", "show a job with its tests", http.MethodGet, ""),
			onJob(p, "cancel", "cancel a queued or a running job", http.MethodPost, "/cancel"),
			onJob(p, "delete", "forget a job that has ended", http.MethodDelete, ""),
		},
	}
}

func deadLetterCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "dead-letter",
		Usage: "jobs that Optimus itself could not judge: list, show, retry or delete them",
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list dead letters, newest first",
				Flags: remoteFlags(
					&cli.StringFlag{Name: "queue", Usage: "only those of `QUEUE`"},
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
			onJob(p, "show", "show why each attempt failed", http.MethodGet, ""),
			onJob(p, "retry", "put it back into its queue, its attempts counted anew", http.MethodPost, "/redrive"),
			onJob(p, "delete", "forget it", http.MethodDelete, ""),
		},
	}
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

// onJob is a command that does one thing with each job that it is given.
func onJob(p Process, name, usage, method, action string) *cli.Command {
	return &cli.Command{
		Name:      name,
		Usage:     usage,
		ArgsUsage: "JOB…",
		Flags:     remoteFlags(),
		Action: func(c *cli.Context) error {
			cl, err := newClient(c)
			if err != nil {
				return err
			}
			if !c.Args().Present() {
				return usagef("name a job: %s JOB…", c.Command.HelpName)
			}
			for _, text := range c.Args().Slice() {
				id, err := store.ParseID(text)
				if err != nil {
					return usagef("%w; `optimus admin jobs list` shows them", err)
				}
				path := "/v1/jobs/" + id.String() + action
				if method == http.MethodDelete {
					err = cl.call(c.Context, method, path, nil, nil)
				} else {
					var job web.Job
					if err = cl.call(c.Context, method, path, nil, &job); err == nil {
						err = printJob(p.Stdout, &job, c.Bool("json"))
					}
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}
