package containerd

import (
	"context"
	"time"
)

const (
	// firstBackoff and maxBackoff bound the wait before a daemon that died is started again.
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 10 * time.Second
	// stableAfter is the time up that makes earlier deaths forgotten.
	stableAfter = 30 * time.Second
	// backWithin is how long a Runner that closes waits for a daemon that has just died.
	backWithin = 5 * time.Second
)

// awaitBack waits, where a private daemon has just died, until it answers again or [backWithin] is over:
// what was made through it can be removed only through it.
func (d *Daemon) awaitBack(ctx context.Context) {
	if d.private == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	tick := time.NewTicker(firstBackoff)
	defer tick.Stop()
	for !d.answers(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// answers asks by the client that all is asked by: one that had lost its daemon connects again only after a while.
func (d *Daemon) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	_, err := d.client.Version(ctx)
	return err == nil
}

// supervise starts the daemon again whenever it dies, until ctx is done.
func (p *privateDaemon) supervise(ctx context.Context) {
	defer close(p.watched)
	failures := 0
	for {
		stable, ended := p.awaitEnd(ctx)
		if !ended {
			return
		}
		if stable {
			failures = 0
		}
		p.log.Error().Int("pid", p.proc.pid).Str("log", p.logFile()).Msg("private containerd ended; starting it again")
		p.proc.release()
		if !p.restart(ctx, &failures) {
			return
		}
		p.log.Info().Int("pid", p.proc.pid).Msg("private containerd is back")
	}
}

// awaitEnd waits for the daemon's end, and tells whether it had been up for long and whether
// it ended, rather than ctx.
func (p *privateDaemon) awaitEnd(ctx context.Context) (stable, ended bool) {
	timer := time.NewTimer(stableAfter)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			stable = true
		case <-p.proc.exited:
			return stable, true
		case <-ctx.Done():
			return stable, false
		}
	}
}

// restart tries until the daemon is up (true) or ctx is done (false). Another user may have
// been faster: then its daemon is taken.
func (p *privateDaemon) restart(ctx context.Context, failures *int) bool {
	for {
		wait := min(firstBackoff<<min(*failures, 16), maxBackoff)
		*failures++
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
		err := p.ensureLocked(ctx)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		default:
			p.log.Error().Err(err).Dur("again_in_at_most", maxBackoff).Msg("private containerd can't be started again")
		}
	}
}

func (p *privateDaemon) ensureLocked(ctx context.Context) error {
	start, err := p.lockStart(ctx)
	if err != nil {
		return err
	}
	defer start.Close()
	return p.ensure(ctx)
}
