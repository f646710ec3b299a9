package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/store"
)

// job is one claimed job.
type job struct {
	*session
	claim store.Claim
	begun time.Time
	held  *held
	log   zerolog.Logger
	trace Trace // nil: nobody follows it
}

// job brings a claimed job to its end; not started, it is only handed back.
func (s *session) job(c store.Claim, started bool) {
	ctx, stop := context.WithCancelCause(s.working)
	defer stop(nil)
	j := &job{session: s, claim: c, begun: time.Now(), held: newHeld(c.Lease, stop), log: s.o.Log.With().Str("job", c.Job.ID.String()).Logger()}
	if s.o.Trace != nil {
		j.trace = s.o.Trace(c, j.begun)
	}
	s.keeper.keep(j.held)
	defer s.keeper.release(j.held)
	if !started {
		j.giveBack(store.GiveBack{Reason: errStopping.Error()})
		return
	}
	j.log.Debug().Stringer("lane", c.Job.Lane).Int("attempt", len(c.Job.Attempts)).Dur("waited", c.Waited).Msg("job claimed")
	if c.Job.CancelRequested {
		stop(judge.ErrCancelled)
	}
	report, events, err := j.judge(ctx)
	j.end(ctx, report, events, err)
}

// judge gives the report, and the events that were not sent yet.
func (j *job) judge(ctx context.Context) (report sandbox.Report, unsent []event, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &judge.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if j.claim.Job.Submission == nil {
		return report, nil, errors.New("the store gave a job without its submission")
	}
	p := startProgress(ctx, j)
	defer func() { unsent = p.stop() }()
	o := judge.Options{Parallel: j.o.Parallel, OutputBytes: j.o.OutputBytes, Notify: p.event, Output: p.output, Restarted: p.restarted}
	if j.trace != nil {
		o.Began = j.trace.Began
	}
	report, err = judge.Judge(ctx, j.o.Runner, *j.claim.Job.Submission, o)
	report.Worker = j.o.Name
	return report, nil, err
}

// end reports what became of the judging.
func (j *job) end(ctx context.Context, report sandbox.Report, events []event, err error) {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, store.ErrLeaseLost):
		j.leaseLost()
	case err == nil:
		j.brake.worked()
		j.finish(report, encode(events))
	case errors.Is(cause, errStopping):
		j.giveBack(store.GiveBack{Reason: errStopping.Error()})
	case errors.Is(err, sandbox.ErrUnavailable):
		j.unavailable(ctx, err)
	default:
		j.send(j.reporting, events)
		j.failed(report, err)
	}
}

// unavailablePause is how long a job is held that this machine cannot run for now, before it is
// given back: it would be the first to be claimed again.
const unavailablePause = time.Second

// unavailable gives back a job that has had no chance here.
func (j *job) unavailable(ctx context.Context, err error) {
	j.log.Error().Err(err).Msg("job waits: this machine can run nothing for now")
	j.brake.failed()
	pause(ctx, unavailablePause)
	j.giveBack(store.GiveBack{Reason: reason(err)})
}

func (j *job) failed(report sandbox.Report, err error) {
	event := j.log.Error().Err(err)
	if p, ok := errors.AsType[*judge.PanicError](err); ok {
		event = event.Bytes("stack", p.Stack)
	} else if !errors.Is(err, sandbox.ErrImageMissing) {
		j.brake.failed()
	}
	event.Msg("job could not be judged; giving it back")
	report.Verdict, report.Error, report.Worker = sandbox.InternalError, reason(err), j.o.Name
	j.giveBack(store.GiveBack{Reason: reason(err), Counted: true, Report: &report})
}

// maxReason bounds the bytes of a reason that is kept with an attempt.
const maxReason = 1000

func reason(err error) string {
	text := err.Error()
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}

func (j *job) finish(report sandbox.Report, events []store.Event) {
	write := func(ctx context.Context) error { return j.o.Queue.Finish(ctx, j.claim.Lease, report, events...) }
	err := j.deliver("finish", write)
	if errors.Is(err, store.ErrTooLarge) {
		j.log.Warn().Err(err).Msg("report is too large; reporting without output")
		report = withoutOutput(report)
		err = j.deliver("finish", write)
	}
	switch {
	case err == nil:
		j.stats.finished.Add(1)
		j.became("finished", report.Verdict)
		j.o.Judged(j.claim, report)
		j.log.Info().Str("verdict", string(report.Verdict)).Dur("took", time.Since(j.begun)).Dur("waited", j.claim.Waited).Msg("job judged")
	case lost(err):
		j.leaseLost()
	case errors.Is(err, store.ErrTooLarge):
		j.giveBack(store.GiveBack{Reason: reason(err), Counted: true})
	default:
		j.abandon(err)
	}
}

func (j *job) giveBack(g store.GiveBack) {
	err := j.deliver("give back", func(ctx context.Context) error { return j.o.Queue.GiveBack(ctx, j.claim.Lease, g) })
	if errors.Is(err, store.ErrTooLarge) && g.Report != nil {
		g.Report = nil
		j.giveBack(g)
		return
	}
	switch {
	case err == nil:
		j.stats.givenBack.Add(1)
		j.became("given_back", "")
		j.log.Info().Str("reason", g.Reason).Bool("counted", g.Counted).Msg("job given back")
	case lost(err):
		j.leaseLost()
	default:
		j.abandon(err)
	}
}

func (j *job) leaseLost() {
	j.stats.leasesLost.Add(1)
	j.became("lease_lost", "")
	j.log.Warn().Msg("lease lost: another worker has the job, or it has ended; nothing is reported")
}

// abandon leaves a job to the expiry of its lease.
func (j *job) abandon(err error) {
	j.stats.abandoned.Add(1)
	j.became("abandoned", "")
	j.log.Error().Err(err).Msg("the store takes no report; the job is left to the expiry of its lease")
}

// became tells who follows the job what became of it here.
func (j *job) became(end string, v sandbox.Verdict) {
	if j.trace != nil {
		j.trace.Ended(end, v)
	}
}

func lost(err error) bool {
	return errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrNotFound)
}

// deliver writes to the store, whatever has ended the job, with a fresh timeout for each try, and
// tries again through an outage until the lease is lost, the worker must end or ReportFor is over.
func (j *job) deliver(call string, write func(context.Context) error) (err error) {
	if j.trace != nil {
		ended := j.trace.Reporting(call)
		defer func() { ended(err) }()
	}
	var o outage
	until := time.Now().Add(j.o.ReportFor)
	for {
		err := j.try(write)
		o.note(j.log, call, err)
		switch {
		case err == nil:
			return nil
		case lost(err), errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrTransition), errors.Is(err, store.ErrClosed):
			return err
		case time.Now().After(until):
			return fmt.Errorf("%s, for %s: %w", call, j.o.ReportFor, err)
		}
		timer := time.NewTimer(o.delay(slowestRetry))
		select {
		case <-timer.C:
		case <-j.held.lost:
			timer.Stop()
			return errLeaseLost
		case <-j.reporting.Done():
			timer.Stop()
			return err
		}
	}
}

func (j *job) try(write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(j.reporting, j.o.ReportTimeout)
	defer cancel()
	return write(ctx)
}

// withoutOutput is the report without what the program wrote, said to be cut.
func withoutOutput(r sandbox.Report) sandbox.Report {
	strip := func(o sandbox.Outcome) sandbox.Outcome {
		o.StdoutTruncated = o.StdoutTruncated || len(o.Stdout) > 0
		o.StderrTruncated = o.StderrTruncated || len(o.Stderr) > 0
		o.Stdout, o.Stderr = nil, nil
		return o
	}
	if r.Compile != nil {
		compile := strip(*r.Compile)
		r.Compile = &compile
	}
	tests := make([]sandbox.TestReport, len(r.Tests))
	for i, t := range r.Tests {
		t.Outcome = strip(t.Outcome)
		tests[i] = t
	}
	r.Tests = tests
	return r
}
