package modes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/web"
)

// queue measures what a queue on a Redis-protocol server costs the jobs that go through it, beside one
// in a file: in a server of its own, of the machine's redis-server.
func (b *benchmark) queue(ctx context.Context) error {
	const start, share = 1500 * time.Microsecond, 0.95
	redis, stop, err := b.redis(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Fprintln(b.process.Stderr, "not measured, since redis-server is not installed")
		return nil
	}
	if err != nil {
		return err
	}
	defer stop()
	shared := b.config
	shared.Redis = config.Redis{URL: config.NewSecret(redis), Durability: "local", Replicas: 1, Prefix: "optimus"}
	var clock startClock
	return withServerOn(ctx, b.process, shared, "", clock.open, func(overRedis *client) error {
		samples, err := b.interpretedSamples(ctx, overRedis)
		if err != nil || len(samples) == 0 {
			return err
		}
		sample := samples[0]
		begun, err := clock.measure(ctx, overRedis, sample)
		if err != nil {
			return err
		}
		b.most("submission to start of run, over Redis, idle worker", begun, start)
		return withServer(ctx, b.process, b.config, func(inFile *client) error {
			ratio, err := throughput(ctx, sample, overRedis, inFile)
			b.add(figure{
				What: sample.Name + " samples a second over Redis, of those with the queue in a file", Value: fmt.Sprintf("%.0f %%", 100*ratio),
				Goal: fmt.Sprintf("at least %.0f %%", 100*share), Met: ratio >= share,
			})
			return err
		})
	})
}

// redis starts a server that keeps what durability `local` wants, and gives its URL.
func (b *benchmark) redis(ctx context.Context) (url string, stop func(), err error) {
	socket := b.path("redis.sock")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", b.dir, "--save", "", //nolint:noctx // ends by stop, and with this process
		"--appendonly", "yes", "--appendfsync", "everysec", "--logfile", b.path("redis.log"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start redis-server: %w", err)
	}
	ended := make(chan struct{})
	var how error // set before ended is closed
	go func() {
		how = cmd.Wait()
		close(ended)
	}()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
	for {
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket, stop, nil
		}
		select {
		case <-ended:
			return "", nil, fmt.Errorf("redis-server ended: %w: %s has why", errors.Join(how, errEnded), b.path("redis.log"))
		case <-ctx.Done():
			stop()
			return "", nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// throughput gives how many jobs a second two clients for each slot get through one server, as a share
// of what they get through another; the servers have their turns.
func throughput(ctx context.Context, l sandbox.Language, of, beside *client) (float64, error) {
	var ratios []float64
	for range benchRounds {
		var rates [2]float64
		for i, c := range []*client{of, beside} {
			rate, err := perSecondIn(1, 2*slots(0), func(int) error { return judgeSample(ctx, c, l) })
			if err != nil {
				return 0, err
			}
			rates[i] = rate
		}
		ratios = append(ratios, rates[0]/rates[1])
	}
	return median(ratios), nil
}

// judgeSample has a language's sample judged, and waits for the verdict.
func judgeSample(ctx context.Context, c *client, l sandbox.Language) error {
	var job web.Job
	source := l.WarmUp
	err := c.call(ctx, http.MethodPost, "/v1/jobs?wait=1m", web.JobRequest{Language: l.Name, SourceCode: &source}, &job)
	if err == nil && job.Verdict != string(sandbox.Accepted) {
		err = fmt.Errorf("job %s: %s: %s", job.ID, job.Verdict, job.Error)
	}
	return err
}

// startClock notes when the last run was begun on an engine.
type startClock struct{ begun atomic.Int64 }

func (s *startClock) open(ctx context.Context, life *lifecycle, cfg config.Config, log zerolog.Logger) (*engine, error) {
	e, err := openEngine(ctx, life, cfg, log)
	if err == nil {
		e.runner = clockedRunner{e.runner, s}
	}
	return e, err
}

// measure gives the median time from the call that submits a job to the start of its run.
func (s *startClock) measure(ctx context.Context, c *client, l sandbox.Language) (time.Duration, error) {
	const rest = 20 * time.Millisecond // the worker is idle again
	var times []time.Duration
	for range benchRuns {
		time.Sleep(rest)
		called := time.Now()
		if err := judgeSample(ctx, c, l); err != nil {
			return 0, err
		}
		times = append(times, time.Duration(s.begun.Load()-called.UnixNano()))
	}
	return median(times), nil
}

type clockedRunner struct {
	sandbox.Runner
	clock *startClock
}

func (r clockedRunner) Prepare(ctx context.Context, l sandbox.Language, src sandbox.Source, limits sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	p, o, err := r.Runner.Prepare(ctx, l, src, limits)
	if p != nil {
		p = clockedProgram{p, r.clock}
	}
	return p, o, err
}

type clockedProgram struct {
	sandbox.Program
	clock *startClock
}

func (p clockedProgram) Run(ctx context.Context, in sandbox.Input, l sandbox.Limits) (sandbox.Outcome, error) {
	p.clock.begun.Store(time.Now().UnixNano())
	return p.Program.Run(ctx, in, l)
}
