package modes

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"optimus/modes/worker"
	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

// workMetrics are those of the worker in a process: what its jobs took. What the store counts of them is
// shown by the servers.
type workMetrics struct {
	wait, compile, run *prometheus.HistogramVec
	tests              *prometheus.CounterVec
}

func newWorkMetrics() *workMetrics {
	histogram := func(name, help, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 13), // to a minute
		}, []string{label})
	}
	return &workMetrics{
		wait:    histogram("optimus_job_wait_seconds", "Time that jobs could have been claimed until this worker did.", "queue"),
		compile: histogram("optimus_compile_seconds", "Wall time of compiles.", "language"),
		run:     histogram("optimus_run_seconds", "Wall time of tests' runs.", "language"),
		tests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "optimus_test_verdicts_total", Help: "Verdicts of tests of this worker's jobs.",
		}, []string{"language", "verdict"}),
	}
}

// storeMetrics shows how long the operations of a store take, as who calls them sees it, and gives what is told
// of each.
func storeMetrics(all *web.Metrics) func(operation string, took time.Duration, err error) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "optimus_store_duration_seconds", Help: "Time that operations of the store took.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 3, 12), // to 18 s
	}, []string{"operation", "result"})
	all.Register(duration)
	return func(operation string, took time.Duration, err error) {
		duration.WithLabelValues(operation, store.Result(err)).Observe(took.Seconds())
	}
}

// judged counts a job whose report the store has taken.
func (m *workMetrics) judged(c store.Claim, r sandbox.Report) {
	language := c.Job.Lane.Language
	m.wait.WithLabelValues(c.Job.Queue).Observe(c.Waited.Seconds())
	if r.Compile != nil {
		m.compile.WithLabelValues(language).Observe(r.Compile.Wall.Seconds())
	}
	for _, t := range r.Tests {
		m.tests.WithLabelValues(language, string(t.Verdict)).Inc()
		if t.Verdict != sandbox.Skipped && t.Verdict != sandbox.Cancelled {
			m.run.WithLabelValues(language).Observe(t.Outcome.Wall.Seconds())
		}
	}
}

// register shows them, and the figures of the worker and of its engine.
func (m *workMetrics) register(all *web.Metrics, w *worker.Worker, slots int, e *engine) {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	counter := func(name, help string, value func() int64, labels prometheus.Labels) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 { return float64(value()) })
	}
	all.Register(m.wait, m.compile, m.run, m.tests,
		gauge("optimus_worker_slots", "Jobs that this worker judges at once.", func() float64 { return float64(slots) }),
		gauge("optimus_worker_slots_busy", "Jobs that it judges now.", func() float64 { return float64(w.Stats().Busy) }),
		counter("optimus_worker_events_dropped_total", "Events of running jobs that were over the bound of what waits to be sent.",
			func() int64 { return w.Stats().EventsDropped }, nil),
	)
	for end, value := range map[string]func(worker.Stats) int64{
		"finished":   func(s worker.Stats) int64 { return s.Finished },
		"given_back": func(s worker.Stats) int64 { return s.GivenBack },
		"lease_lost": func(s worker.Stats) int64 { return s.LeasesLost },
		"abandoned":  func(s worker.Stats) int64 { return s.Abandoned },
	} {
		all.Register(counter("optimus_worker_jobs_total", "Jobs that this worker had, by what became of them here.",
			func() int64 { return value(w.Stats()) }, prometheus.Labels{"end": end}))
	}
	all.Register(
		counter("optimus_containers_started_total", "Containers that this worker started.", func() int64 { return e.containers().Started }, nil),
		counter("optimus_containers_lost_total", "Containers that ended though they were wanted.", func() int64 { return e.containers().Lost }, nil),
	)
}
