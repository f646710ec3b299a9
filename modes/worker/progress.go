package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/store"
)

// Bounds of what waits to be sent for one job. What is over them is dropped and counted.
const (
	maxWaitingEvents = 1000
	maxWaitingOutput = 256 << 10
	maxOutputEvent   = 16 << 10
	maxEventOutput   = 4 << 10 // of each stream of a test's event; the report has the rest
)

// progress sends the events of one job in batches. Judging only ever appends to a bounded list.
//
// Live output of a job that ends before the first batch is due is not sent: its report is there
// by then. The other events are: what is left of them at the end goes with the report.
type progress struct {
	job  *job
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []event
	bytes   int // of output that waits
}

// event is an event that is not yet encoded; exactly one field is set.
type event struct {
	compiled *sandbox.Outcome
	test     *sandbox.TestReport
	output   *store.OutputData
	restart  *store.RestartData
}

// live tells of an event that is worth something only before the report.
func (e event) live() bool { return e.output != nil || e.restart != nil }

func startProgress(ctx context.Context, j *job) *progress {
	p := &progress{job: j, quit: make(chan struct{}), done: make(chan struct{})}
	go p.run(ctx)
	return p
}

// stop gives what is left to send but live output.
func (p *progress) stop() []event {
	close(p.quit)
	<-p.done
	return p.take(false)
}

func (p *progress) run(ctx context.Context) {
	defer close(p.done)
	ticker := time.NewTicker(p.job.o.FlushEvery)
	defer ticker.Stop()
	// A call that is under way must not hold up the report.
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		select {
		case <-ticker.C:
		case <-p.quit:
			return
		}
		batch := p.take(true)
		if len(batch) == 0 {
			continue
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			p.job.send(sending, batch)
		}()
		select {
		case <-sent:
		case <-p.quit:
			p.patience(sent, cancel)
			return
		}
	}
}

// patience gives a call under way a moment, then ends it.
func (p *progress) patience(sent <-chan struct{}, cancel context.CancelFunc) {
	timer := time.NewTimer(p.job.o.FlushEvery)
	defer timer.Stop()
	select {
	case <-sent:
	case <-timer.C:
		cancel()
		<-sent
	}
}

func (p *progress) event(e judge.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) >= maxWaitingEvents {
		p.job.stats.dropped.Add(1)
		return
	}
	switch {
	case e.Compiled != nil:
		p.waiting = append(p.waiting, event{compiled: e.Compiled})
	case e.Test != nil:
		p.waiting = append(p.waiting, event{test: e.Test})
	}
}

func (p *progress) output(test string, s sandbox.Stream, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes+len(data) > maxWaitingOutput || len(p.waiting) >= maxWaitingEvents {
		p.job.stats.dropped.Add(1)
		return
	}
	p.bytes += len(data)
	if n := len(p.waiting); n > 0 {
		last := p.waiting[n-1].output
		if last != nil && last.Test == test && last.Stream == s && len(last.Data)+len(data) <= maxOutputEvent {
			last.Data = append(last.Data, data...)
			return
		}
	}
	p.waiting = append(p.waiting, event{output: &store.OutputData{Test: test, Stream: s, Data: slices.Clone(data)}})
}

// restarted drops what waits of a test's output, and tells that what was sent of it is void. It is
// never dropped: a test's run begins anew once at most.
func (p *progress) restarted(test string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = slices.DeleteFunc(p.waiting, func(e event) bool {
		void := e.output != nil && e.output.Test == test
		if void {
			p.bytes -= len(e.output.Data)
		}
		return void
	})
	p.waiting = append(p.waiting, event{restart: &store.RestartData{Test: test}})
}

func (p *progress) take(live bool) []event {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := p.waiting
	p.waiting, p.bytes = nil, 0
	if !live {
		batch = slices.DeleteFunc(batch, event.live)
	}
	return batch
}

// send sends events beside the report; that it fails is no reason to stop.
func (j *job) send(ctx context.Context, batch []event) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(j.o.ReportTimeout, time.Second))
	defer cancel()
	err := j.o.Queue.Progress(ctx, j.claim.Lease, encode(batch)...)
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		j.held.stop(errLeaseLost)
	case err != nil:
		j.stats.dropped.Add(int64(len(batch)))
		j.log.Debug().Err(err).Int("events", len(batch)).Msg("events were not taken; the report will tell")
	}
}

func encode(batch []event) []store.Event {
	events := make([]store.Event, 0, len(batch))
	for _, e := range batch {
		events = append(events, e.encode())
	}
	return events
}

func (e event) encode() store.Event {
	var (
		kind store.EventType
		data any
	)
	switch {
	case e.compiled != nil:
		kind, data = store.EventCompiled, excerpt(*e.compiled)
	case e.test != nil:
		t := *e.test
		t.Outcome = excerpt(t.Outcome)
		kind, data = store.EventTest, t
	case e.restart != nil:
		kind, data = store.EventRestart, e.restart
	default:
		kind, data = store.EventOutput, e.output
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		encoded = nil // a NaN in a score; the event still tells that something ended
	}
	return store.Event{Type: kind, Data: encoded}
}

// excerpt bounds the output in an event.
func excerpt(o sandbox.Outcome) sandbox.Outcome {
	if len(o.Stdout) > maxEventOutput {
		o.Stdout, o.StdoutTruncated = o.Stdout[:maxEventOutput], true
	}
	if len(o.Stderr) > maxEventOutput {
		o.Stderr, o.StderrTruncated = o.Stderr[:maxEventOutput], true
	}
	return o
}
