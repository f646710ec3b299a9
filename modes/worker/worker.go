package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/store"
)

// Queue is what a worker needs of a store: see [store.Queue] for what each method promises.
type Queue interface {
	Claim(ctx context.Context, r store.ClaimRequest) ([]store.Claim, error)
	Wake(ctx context.Context, lanes []store.Lane) (<-chan struct{}, error)
	Renew(ctx context.Context, leases []store.Lease, lease time.Duration) ([]store.Renewal, error)
	Progress(ctx context.Context, l store.Lease, events ...store.Event) error
	Finish(ctx context.Context, l store.Lease, r sandbox.Report, events ...store.Event) error
	GiveBack(ctx context.Context, l store.Lease, g store.GiveBack) error
	Heartbeat(ctx context.Context, w store.Worker, ttl time.Duration) error
}

// CancelNotifier is what a Queue may have besides: with it a cancellation reaches a running job
// at once, without it within a second.
type CancelNotifier interface {
	// Cancellations gives a channel that gets a value, never more than one waiting, when the
	// cancellation of a running job may have been asked for: Renew tells of which. It is closed
	// when ctx ends.
	Cancellations(ctx context.Context) (<-chan struct{}, error)
}

// Options are the settings of a worker. Queue, Runner, Name and Lanes must be given; a zero
// elsewhere means the default.
type Options struct {
	Queue  Queue
	Runner sandbox.Runner
	Log    zerolog.Logger
	// Name is unique among the workers of a store; Version is the binary's.
	Name, Version string
	// Lanes gives what can be run at the moment; it is called before each claim and heartbeat, at
	// times by two goroutines at once.
	Lanes func() []store.Lane
	// Queues to claim from; empty for all.
	Queues []string
	// Slots is how many jobs are judged at once; default 1.
	Slots int
	// Parallel bounds the tests of one job that run at once; default as judge's.
	Parallel int
	// OutputBytes bounds the output in one report; default as judge's.
	OutputBytes int64
	// Lease is how long a claim holds without renewal; default 30 s.
	Lease time.Duration
	// Poll is how often a worker that has a free slot claims unasked; default 5 s.
	Poll time.Duration
	// Heartbeat is how often the worker registers itself, for three times as long; default 5 s, or a third
	// of Lease where that is less: who is dead must not count as alive when its leases end.
	Heartbeat time.Duration
	// Grace is how long running jobs may go on once the worker stops; default 30 s.
	Grace time.Duration
	// HandBack bounds what follows the grace: handing back what still runs; default 15 s.
	HandBack time.Duration
	// ReportTimeout bounds one call of the store; default 10 s.
	ReportTimeout time.Duration
	// ReportFor bounds how long a report is tried again while the store gives other errors than a
	// lost lease; default 10 min.
	ReportFor time.Duration
	// FlushEvery is how often events are sent; default 50 ms.
	FlushEvery time.Duration
	// Trace gives who follows a job that was claimed at a time; nil is nobody.
	Trace func(c store.Claim, at time.Time) Trace
	// Judged is told of each job whose report the store has taken; it must be quick. nil is nobody.
	Judged func(store.Claim, sandbox.Report)
	// Now is the clock of what is reported, never of a deadline; default [time.Now].
	Now func() time.Time
}

// Trace follows one job, from its claim to what became of it.
type Trace interface {
	// Began is [judge.Options.Began].
	Began(test *sandbox.TestCase) (ended func(judge.Event, error))
	// Reporting is called as the job goes back to the store, by the call "finish" or "give back"; what it gives
	// is called with what came of that.
	Reporting(call string) (ended func(error))
	// Ended is called last, with what became of the job here: "finished", "given_back", "lease_lost" or
	// "abandoned"; and with the verdict that was reported.
	Ended(end string, v sandbox.Verdict)
}

func (o Options) withDefaults() Options {
	fill(&o.Slots, 1)
	fill(&o.Lease, 30*time.Second)
	fill(&o.Poll, 5*time.Second)
	fill(&o.Heartbeat, min(5*time.Second, o.Lease/3))
	fill(&o.Grace, 30*time.Second)
	fill(&o.HandBack, 15*time.Second)
	fill(&o.ReportTimeout, 10*time.Second)
	fill(&o.ReportFor, 10*time.Minute)
	fill(&o.FlushEvery, 50*time.Millisecond)
	if o.Judged == nil {
		o.Judged = func(store.Claim, sandbox.Report) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func fill[T int | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// ErrRunning says that the worker runs already.
var ErrRunning = errors.New("worker is already running")

// errStopping is the cause of the end of a job that is handed back since the worker stops.
var errStopping = errors.New("worker stops")

// Worker claims, judges and reports.
type Worker struct {
	o       Options
	started time.Time
	stats   counters

	mu      sync.Mutex
	session *session // nil while not running
}

// Stats count what a worker has done since it was made.
type Stats struct {
	// Busy is the number of slots in use.
	Busy int64
	// Claimed jobs ended as one of the next four, or still run.
	Claimed, Finished, GivenBack, LeasesLost, Abandoned int64
	// EventsDropped were over the bound of what waits to be sent, or could not be sent.
	EventsDropped int64
}

type counters struct {
	busy, claimed, finished, givenBack, leasesLost, abandoned, dropped atomic.Int64
}

// New makes a worker, which does nothing until [Worker.Run].
func New(o Options) *Worker {
	o = o.withDefaults()
	return &Worker{o: o, started: o.Now().UTC()}
}

// Stats gives the counts so far.
func (w *Worker) Stats() Stats {
	c := &w.stats
	return Stats{
		Busy: c.busy.Load(), Claimed: c.claimed.Load(), Finished: c.finished.Load(), GivenBack: c.givenBack.Load(),
		LeasesLost: c.leasesLost.Load(), Abandoned: c.abandoned.Load(), EventsDropped: c.dropped.Load(),
	}
}

// Run works until ctx ends or [Worker.Stop] is called, then drains: it claims no more, lets what
// runs go on for Grace, and hands the rest back. It returns when all is done, with an error only
// where a job could not be brought to its end, or [ErrRunning]. It may be called again then.
func (w *Worker) Run(ctx context.Context) error {
	s, err := w.begin(ctx)
	if err != nil {
		return err
	}
	defer w.end(s)
	return s.run()
}

// Stop drains the worker and waits for it. When ctx ends first, the grace is over at once: what
// runs is stopped and handed back, which HandBack bounds. It does nothing while the worker does
// not run, and may be called any number of times.
func (w *Worker) Stop(ctx context.Context) {
	w.mu.Lock()
	s := w.session
	w.mu.Unlock()
	if s == nil {
		return
	}
	s.stopClaiming()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.stopWorking(errStopping)
		<-s.done
	}
}

func (w *Worker) begin(ctx context.Context) (*session, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session != nil {
		return nil, ErrRunning
	}
	s := newSession(ctx, w)
	w.session = s
	return s, nil
}

func (w *Worker) end(s *session) {
	w.mu.Lock()
	w.session = nil
	w.mu.Unlock()
	close(s.done)
}

// session is one Run of a worker. Its contexts end one after the other: claiming, working,
// reporting.
type session struct {
	*Worker

	claiming     context.Context //nolint:containedctx // the three phases of one Run, which outlive each other
	working      context.Context //nolint:containedctx // see above
	reporting    context.Context //nolint:containedctx // see above
	stopClaiming context.CancelFunc
	stopWorking  context.CancelCauseFunc
	stopAll      context.CancelFunc

	keeper *keeper
	brake  brake
	freed  chan struct{} // one value for each job that has ended
	jobs   sync.WaitGroup
	done   chan struct{}
}

func newSession(ctx context.Context, w *Worker) *session {
	s := &session{Worker: w, freed: make(chan struct{}, w.o.Slots), done: make(chan struct{})}
	s.claiming, s.stopClaiming = context.WithCancel(ctx)
	s.working, s.stopWorking = context.WithCancelCause(context.WithoutCancel(ctx))
	s.reporting, s.stopAll = context.WithCancel(context.WithoutCancel(ctx))
	s.keeper = newKeeper(w.o)
	return s
}

func (s *session) run() error {
	defer s.stopClaiming()
	defer s.stopWorking(nil)
	var helpers sync.WaitGroup
	helpers.Go(func() { s.keeper.run(s.reporting) })
	helpers.Go(func() { s.keepAlive(s.reporting) })
	helpers.Go(func() { s.watchCancellations(s.reporting) })
	s.o.Log.Info().Str("worker", s.o.Name).Int("slots", s.o.Slots).Msg("worker started")
	s.claim(s.claiming)
	err := s.drain()
	s.stopAll()
	helpers.Wait()
	s.o.Log.Info().Str("worker", s.o.Name).Msg("worker stopped")
	return err
}

// drain waits for the jobs: for the grace, then for what handing back may take.
func (s *session) drain() error {
	idle := make(chan struct{})
	go func() {
		s.jobs.Wait()
		close(idle)
	}()
	grace := time.NewTimer(s.o.Grace)
	defer grace.Stop()
	select {
	case <-idle:
		return nil
	case <-s.working.Done():
	case <-grace.C:
	}
	s.o.Log.Info().Int64("jobs", s.stats.busy.Load()).Msg("grace is over: handing back what still runs")
	s.stopWorking(errStopping)
	handBack := time.NewTimer(s.o.HandBack)
	defer handBack.Stop()
	select {
	case <-idle:
		return nil
	case <-handBack.C:
	}
	busy := s.stats.busy.Load()
	if busy == 0 {
		return nil
	}
	return fmt.Errorf("worker %q: %d jobs did not end within %s after they were stopped; their leases will expire",
		s.o.Name, busy, s.o.HandBack)
}

// keepAlive registers the worker now and again until ctx ends.
func (s *session) keepAlive(ctx context.Context) {
	ticker := time.NewTicker(s.o.Heartbeat)
	defer ticker.Stop()
	failing := false
	for {
		if err := s.heartbeat(ctx); err != nil && !failing && ctx.Err() == nil {
			failing = true
			s.o.Log.Warn().Err(err).Msg("the store takes no heartbeat; trying on")
		} else if err == nil {
			failing = false
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *session) heartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.ReportTimeout)
	defer cancel()
	return s.o.Queue.Heartbeat(ctx, store.Worker{
		Name: s.o.Name, Version: s.o.Version, Lanes: s.o.Lanes(), Queues: s.o.Queues, Slots: s.o.Slots,
		Busy: int(s.stats.busy.Load()), Started: s.started,
	}, 3*s.o.Heartbeat)
}

// watchCancellations has the keeper look at once when a cancellation was asked for.
func (s *session) watchCancellations(ctx context.Context) {
	notifier, ok := s.o.Queue.(CancelNotifier)
	if !ok {
		return
	}
	for ctx.Err() == nil {
		if asked, err := notifier.Cancellations(ctx); err == nil {
			s.look(ctx, asked)
		}
		pause(ctx, s.o.Poll)
	}
}

// look has the keeper look at each value, until the channel or ctx ends.
func (s *session) look(ctx context.Context, asked <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-asked:
			if !ok {
				return
			}
			s.keeper.lookNow()
		}
	}
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
