package web

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"optimus/store"
)

// Metrics are a process's Prometheus metrics, in a registry of their own. Every label comes from a
// bounded set: languages of the catalogue, queues, route patterns, problem codes.
type Metrics struct {
	registry  *prometheus.Registry
	submitted *prometheus.CounterVec
	completed *prometheus.CounterVec
	verdicts  *prometheus.CounterVec
	execution *prometheus.HistogramVec
	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	rejected  *prometheus.CounterVec
	cancelled *prometheus.CounterVec
}

// NewMetrics makes a set of metrics.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		submitted: counter("optimus_jobs_submitted_total", "Jobs that this process accepted.", "language"),
		completed: counter("optimus_jobs_completed_total", "Jobs that this process ended.", "language", "status"),
		verdicts:  counter("optimus_job_verdicts_total", "Verdicts of the jobs that this process ended.", "language", "verdict"),
		execution: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "optimus_job_execution_time_ms",
			Help:    "Time from claim to end of the jobs that this process ended, in milliseconds.",
			Buckets: prometheus.ExponentialBuckets(2, 2.5, 13),
		}, []string{"language"}),
		requests: counter("optimus_api_requests_total", "HTTP requests.", "endpoint", "method", "status"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "optimus_http_request_duration_seconds",
			Help:    "Time from a request's arrival to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 3, 12),
		}, []string{"endpoint", "method"}),
		rejected:  counter("optimus_jobs_rejected_total", "Submissions that were refused.", "reason"),
		cancelled: counter("optimus_jobs_cancelled_total", "Cancellations that were asked for.", "source"),
	}
	m.registry.MustRegister(m.submitted, m.completed, m.verdicts, m.execution, m.requests, m.latency, m.rejected, m.cancelled,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// JobEnded counts a job that came to its end: see [store.Options.Ended]. Who ended it counts, and
// nobody else, so that a sum over all processes counts every end once. Of a job that no worker has
// had there is no time from claim to end.
func (m *Metrics) JobEnded(j store.Job) {
	m.completed.WithLabelValues(j.Lane.Language, string(j.State)).Inc()
	if j.Verdict != "" {
		m.verdicts.WithLabelValues(j.Lane.Language, string(j.Verdict)).Inc()
	}
	if !j.Started.IsZero() {
		m.execution.WithLabelValues(j.Lane.Language).Observe(float64(j.Finished.Sub(j.Started)) / float64(time.Millisecond))
	}
}

func (m *Metrics) jobSubmitted(language string) { m.submitted.WithLabelValues(language).Inc() }
func (m *Metrics) jobRejected(reason string)    { m.rejected.WithLabelValues(reason).Inc() }
func (m *Metrics) jobCancelled(source string)   { m.cancelled.WithLabelValues(source).Inc() }

// Register adds metrics of another part of the process. The labels of theirs must be bounded too; what
// is there already is left as it is.
func (m *Metrics) Register(all ...prometheus.Collector) {
	for _, c := range all {
		_ = m.registry.Register(c)
	}
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
