package modes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// drainEvery is how often a queue that is drained is looked at.
const drainEvery = time.Second

func drainCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "drain",
		Usage: "take no more submissions into a queue, and wait until what it holds is finished",
		Description: "Submissions get 503 until the queue is resumed. To be told to stop ends the wait alone: the queue stays as it is.\n" +
			"A job that waits for a retry is waited for.",
		ArgsUsage: "QUEUE",
		Flags:     remoteFlags(&cli.BoolFlag{Name: "no-wait", Usage: "do not wait until the queue is empty"}),
		Action:    func(c *cli.Context) error { return drainQueue(c, p) },
	}
}

func drainQueue(c *cli.Context, p Process) error {
	cl, err := newClient(c)
	if err != nil {
		return err
	}
	q, err := cl.queue(c, http.MethodPost, "/drain")
	if err != nil {
		return err
	}
	if !c.Bool("no-wait") {
		if q, err = cl.untilEmpty(c.Context, q, newProgressLine(p.Stderr)); err != nil {
			return err
		}
	}
	return printQueues(c, p, []web.Queue{q})
}

// untilEmpty waits until a queue that is drained holds no unfinished job.
func (c *client) untilEmpty(ctx context.Context, q web.Queue, progress *progressLine) (web.Queue, error) {
	defer progress.clear()
	show := progress.of("queue " + q.Name)
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for q.Unfinished > 0 {
		show(containerd.Progress{Stage: "draining", Detail: fmt.Sprintf("%d running, %d ready, %d delayed", q.Running, q.Ready, q.Delayed)})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return q, fmt.Errorf("queue %q still has %d unfinished jobs, and goes on draining: %w", q.Name, q.Unfinished, context.Cause(ctx))
		}
		var list web.QueueList
		if err := c.call(ctx, http.MethodGet, "/v1/queues", nil, &list); err != nil && ctx.Err() == nil {
			return q, err
		}
		for _, now := range list.Queues {
			if now.Name == q.Name {
				q = now
			}
		}
		if q.State != string(store.QueueDraining) {
			return q, errors.New("the queue was resumed or paused by somebody else: it drains no more")
		}
	}
	return q, nil
}
