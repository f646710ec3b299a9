package modes

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"optimus/config"
	"optimus/modes/worker"
	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/store"
)

// stopTracing bounds how long the last spans may take to be sent.
const stopTracing = 5 * time.Second

// tracer makes the spans of jobs; nil makes none. A job's trace is one tree over all processes that it goes
// through: submit, and below it for each attempt claim (the time in the queue) and judge, with compile, test
// and report. What binds them is [store.Job.Trace].
type tracer struct {
	trace.Tracer

	provider *sdktrace.TracerProvider
	exporter *loggedExporter
	carrier  propagation.TraceContext
}

// startTracing sends spans where the settings say to; it is nil where they say nothing.
func (n *node) startTracing(ctx context.Context) (*tracer, error) {
	c := n.config.Monitoring
	if c.OTLPEndpoint == "" {
		return nil, nil //nolint:nilnil // no tracer is a tracer that makes no spans
	}
	t, err := newTracer(ctx, c, n.process.Version, n.name, n.log)
	if err != nil {
		return nil, fmt.Errorf("trace to %s (monitoring.otlp_endpoint, from %s): %w", c.OTLPEndpoint, n.config.Origin("monitoring.otlp_endpoint"), err)
	}
	n.life.onStop("traces", stopTracing+stopMargin, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, stopTracing)
		defer cancel()
		if err := t.stop(ctx); err != nil {
			n.log.Warn().Err(err).Msg("the last traces are dropped")
		}
		return nil
	})
	n.log.Info().Str("endpoint", c.OTLPEndpoint).Float64("share", c.TraceShare).Msg("jobs are traced")
	return t, nil
}

func newTracer(ctx context.Context, c config.Monitoring, version, instance string, log zerolog.Logger) (*tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(c.OTLPEndpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, err //nolint:wrapcheck // startTracing says of what
	}
	logged := &loggedExporter{SpanExporter: exporter, log: log, closed: make(chan struct{})}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(logged),
		sdktrace.WithSampler(sampler(c.TraceShare)),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "optimus"), attribute.String("service.version", version), attribute.String("service.instance.id", instance),
		)),
	)
	return &tracer{Tracer: provider.Tracer("optimus"), provider: provider, exporter: logged}, nil
}

// sampler has a share of the jobs traced, and those of a trace that is recorded elsewhere.
func sampler(share float64) sdktrace.Sampler {
	return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(share))
}

// loggedExporter tells of spans that could not be sent in our log, once until some are sent again: the library
// would write each time to a log of its own. Once it is closed it sends and tells nothing more.
type loggedExporter struct {
	sdktrace.SpanExporter

	log     zerolog.Logger
	closed  chan struct{}
	mu      sync.Mutex // held while it tells or is closed
	failing bool
}

func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		err = e.SpanExporter.ExportSpans(ctx, spans)
	}()
	select {
	case <-sent:
		e.tell(err, len(spans))
	case <-e.closed:
		cancel()
		<-sent
	}
	return nil
}

func (e *loggedExporter) tell(err error, spans int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closed:
		return
	default:
	}
	if err != nil && !e.failing {
		e.log.Warn().Err(err).Int("spans", spans).Msg("traces cannot be sent and are dropped; trying on")
	} else if err == nil && e.failing {
		e.log.Info().Msg("traces are sent again")
	}
	e.failing = err != nil
}

func (e *loggedExporter) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.closed)
}

// stop sends what is left, for as long as ctx allows.
func (t *tracer) stop(ctx context.Context) error {
	err := t.provider.Shutdown(ctx)
	t.exporter.close()
	if err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// incoming continues the trace that a request's header names.
func (t *tracer) incoming(ctx context.Context, h http.Header) context.Context {
	return t.carrier.Extract(ctx, propagation.HeaderCarrier(h))
}

// store gives the store whose submissions begin traces.
func (t *tracer) store(st store.Store) store.Store {
	if t == nil {
		return st
	}
	return &tracedStore{Store: st, tracer: t}
}

type tracedStore struct {
	store.Store

	tracer *tracer
}

// traceHeader names the W3C trace context.
const traceHeader = "traceparent"

// Submit has the job carry its trace with it.
func (s *tracedStore) Submit(ctx context.Context, n store.NewJob) (store.Job, bool, error) {
	ctx, span := s.tracer.Start(ctx, "submit", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("optimus.queue", n.Queue), attribute.Stringer("optimus.lane", n.Lane()), attribute.Int("optimus.tests", len(n.Submission.Tests)),
	))
	defer span.End()
	carried := propagation.MapCarrier{}
	s.tracer.carrier.Inject(ctx, carried)
	n.Trace = carried[traceHeader]
	job, replayed, err := s.Store.Submit(ctx, n)
	if err != nil {
		failed(span, err)
		return job, replayed, err
	}
	span.SetAttributes(attribute.Stringer("optimus.job", job.ID), attribute.Bool("optimus.replayed", replayed))
	return job, replayed, nil
}

func failed(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
}

// follow gives the worker who follows its jobs; nobody without a tracer.
func (t *tracer) follow() func(store.Claim, time.Time) worker.Trace {
	if t == nil {
		return nil
	}
	return func(c store.Claim, at time.Time) worker.Trace {
		ctx := t.carrier.Extract(context.Background(), propagation.MapCarrier{traceHeader: c.Job.Trace})
		job := attribute.Stringer("optimus.job", c.Job.ID)
		_, claim := t.Start(ctx, "claim", trace.WithTimestamp(at.Add(-c.Waited)), trace.WithAttributes(job))
		claim.End(trace.WithTimestamp(at))
		ctx, span := t.Start(ctx, "judge", trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			job, attribute.String("optimus.queue", c.Job.Queue), attribute.Stringer("optimus.lane", c.Job.Lane), attribute.Int("optimus.attempt", len(c.Job.Attempts)),
		))
		return &tracedJob{tracer: t, ctx: ctx, span: span}
	}
}

// tracedJob makes the spans of a job that this process has claimed.
type tracedJob struct {
	tracer *tracer
	ctx    context.Context //nolint:containedctx // it names the span of the job, below which the others are
	span   trace.Span
}

// Began implements [worker.Trace].
func (j *tracedJob) Began(test *sandbox.TestCase) func(judge.Event, error) {
	name, attributes := "compile", []attribute.KeyValue(nil)
	if test != nil {
		name, attributes = "test", []attribute.KeyValue{attribute.String("optimus.test", test.ID)}
	}
	_, span := j.tracer.Start(j.ctx, name, trace.WithAttributes(attributes...))
	return func(e judge.Event, err error) {
		defer span.End()
		switch {
		case err != nil:
			failed(span, err)
		case e.Compiled != nil:
			span.SetAttributes(measured(*e.Compiled)...)
		case e.Test != nil:
			span.SetAttributes(append(measured(e.Test.Outcome), attribute.String("optimus.verdict", string(e.Test.Verdict)))...)
		}
	}
}

// measured are the figures of a run; what a program wrote is no part of a trace.
func measured(o sandbox.Outcome) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Float64("optimus.cpu_seconds", o.CPU.Seconds()), attribute.Float64("optimus.wall_seconds", o.Wall.Seconds()),
		attribute.Int64("optimus.memory_bytes", o.Memory), attribute.Int("optimus.exit_code", o.ExitCode), attribute.Int("optimus.signal", o.Signal),
	}
}

// Reporting implements [worker.Trace].
func (j *tracedJob) Reporting(call string) func(error) {
	name := call
	if call == "finish" {
		name = "report"
	}
	_, span := j.tracer.Start(j.ctx, name)
	return func(err error) {
		failed(span, err)
		span.End()
	}
}

// Ended implements [worker.Trace].
func (j *tracedJob) Ended(end string, v sandbox.Verdict) {
	j.span.SetAttributes(attribute.String("optimus.end", end))
	if v != "" {
		j.span.SetAttributes(attribute.String("optimus.verdict", string(v)))
	}
	if end != "finished" {
		j.span.SetStatus(codes.Error, end)
	}
	j.span.End()
}
