// Queues has the same jobs go through Optimus's queue on a Redis-protocol server and through other
// queues, each on the server that its makers recommend, one after the other on this machine, and prints
// how many a second each brought from submission to end.
//
//	go -C .tools/queues run . [-jobs N] [-clients N] [-slots N] [-rounds N] [-only NAME]
//
// The servers are Debian's redis-server and postgresql; each is started on a socket in a temporary
// folder, and durable as its package makes it: Redis with `appendonly yes` and `appendfsync everysec`,
// PostgreSQL as it is, with a commit on the disk before it is acknowledged.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"
)

// load is what each queue is given.
type load struct {
	jobs, clients, slots int
	payload              []byte
}

// queue is one of those that are measured.
type queue struct {
	name, server string
	// run brings the jobs from submission to end, and gives how long that took.
	run func(ctx context.Context, dir string, l load) (time.Duration, error)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l := load{payload: []byte("print(1)\n")}
	flag.IntVar(&l.jobs, "jobs", 30_000, "how many jobs go through each queue")
	flag.IntVar(&l.clients, "clients", 64, "how many submit at once")
	flag.IntVar(&l.slots, "slots", 64, "how many are worked on at once")
	rounds := flag.Int("rounds", 3, "how often each queue has its turn")
	only := flag.String("only", "", "leave out all others but Optimus whose name has not this in it")
	flag.Parse()
	if err := measure(ctx, l, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "queues:", err)
		os.Exit(1)
	}
}

// measure gives the queues turn about, so that what else the machine does falls on all of them.
func measure(ctx context.Context, l load, rounds int, only string) error {
	queues := []queue{
		{"Optimus", "redis-server, appendfsync everysec", optimus},
		{"hibiken/asynq", "redis-server, appendfsync everysec", viaAsynq},
		{"riverqueue/river", "PostgreSQL", viaRiver},
	}
	queues = slices.DeleteFunc(queues, func(q queue) bool { return q.name != "Optimus" && !strings.Contains(q.name, only) })
	rates := make([][]float64, len(queues))
	for range rounds {
		for i, q := range queues {
			dir, err := os.MkdirTemp("", "queues-")
			if err != nil {
				return err
			}
			self, servers := cpuOf(syscall.RUSAGE_SELF), cpuOf(syscall.RUSAGE_CHILDREN)
			took, err := q.run(ctx, dir, l)
			if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			rates[i] = append(rates[i], float64(l.jobs)/took.Seconds())
			self, servers = cpuOf(syscall.RUSAGE_SELF)-self, cpuOf(syscall.RUSAGE_CHILDREN)-servers
			fmt.Fprintf(os.Stderr, "%s: %.0f jobs a second; processor time a job: here %s, its server, started and stopped, %s\n",
				q.name, rates[i][len(rates[i])-1], self/time.Duration(l.jobs), servers/time.Duration(l.jobs))
		}
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "QUEUE\tSERVER\tJOBS A SECOND, MEDIAN\tOPTIMUS IS SO MANY TIMES AS FAST")
	first := median(rates[0])
	for i, q := range queues {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.1f\n", q.name, q.server, median(rates[i]), first/median(rates[i]))
	}
	return t.Flush()
}

// cpuOf is the processor time that this process, or those that it has started and that have ended, have used.
func cpuOf(who int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u) // fails for no such who only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// submit has the clients call one for each job, and gives the first error.
func (l load) submit(ctx context.Context, one func(ctx context.Context, n int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range l.clients {
		all.Go(func() {
			for n := next.Add(1); n <= int64(l.jobs) && ctx.Err() == nil; n = next.Add(1) {
				if err := one(ctx, int(n)); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// counter is done once it was told of so many jobs.
type counter struct {
	left atomic.Int64
	done chan struct{}
}

func newCounter(n int) *counter {
	c := &counter{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (c *counter) ended() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

func (c *counter) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
