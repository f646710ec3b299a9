package web

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"optimus/store"
)

// queueMetrics show each queue as the store tells of it when it is asked. They are the store's, not the
// process's: every server on a store shows the same. The label language is set where a queue serves one
// language of the catalogue, and empty otherwise.
type queueMetrics struct {
	store     Store
	catalogue Catalogue
	timeout   time.Duration
	now       func() time.Time

	depth, running, oldest, unserved, dead, jobs *prometheus.Desc
}

func newQueueMetrics(s Store, c Catalogue, timeout time.Duration, now func() time.Time) *queueMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"language", "queue"}, labels...), nil)
	}
	return &queueMetrics{
		store: s, catalogue: c, timeout: timeout, now: now,
		depth:    desc("optimus_queue_depth", "Jobs of a queue that wait."),
		running:  desc("optimus_queue_running", "Jobs of a queue that are leased to workers."),
		oldest:   desc("optimus_queue_oldest_seconds", "Age of the oldest job of a queue that could be claimed; 0 without one."),
		unserved: desc("optimus_queue_unserved", "1 where jobs of a queue wait and for a minute no worker has taken from it."),
		dead:     desc("optimus_queue_dead_letters", "Dead letters of a queue that are still kept."),
		jobs:     desc("optimus_queue_events_total", "What happened to jobs of a queue since the store was made.", "event"),
	}
}

// Describe implements [prometheus.Collector].
func (q *queueMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.depth, q.running, q.oldest, q.unserved, q.dead, q.jobs} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (q *queueMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), q.timeout) //nolint:forbidigo // the collector's interface gives no context
	defer cancel()
	queues, err := q.store.Queues(ctx)
	if err != nil {
		return // readiness tells; a scrape still gets the rest
	}
	workers, err := q.store.Workers(ctx)
	if err != nil {
		return
	}
	languages := q.languages()
	for _, info := range queues {
		language := languages[info.Name]
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, language, info.Name)
		}
		gauge(q.depth, float64(info.Ready+info.Delayed))
		gauge(q.running, float64(info.Running))
		gauge(q.dead, float64(info.Failed))
		age := 0.0
		if !info.OldestReady.IsZero() {
			age = max(q.now().Sub(info.OldestReady).Seconds(), 0)
		}
		gauge(q.oldest, age)
		unserved := 0.0
		if info.Unserved(workers, q.now()) != "" {
			unserved = 1
		}
		gauge(q.unserved, unserved)
		for event, n := range queueEvents(info.Totals) {
			ch <- prometheus.MustNewConstMetric(q.jobs, prometheus.CounterValue, float64(n), language, info.Name, event)
		}
	}
}

// queueEvents names a queue's totals.
func queueEvents(c store.Counters) map[string]uint64 {
	return map[string]uint64{
		"submitted": c.Submitted, "claimed": c.Claimed, "completed": c.Completed, "failed": c.Failed, "cancelled": c.Cancelled,
		"retried": c.Retried, "lease_lost": c.LeasesLost, "rejected_full": c.RejectedFull,
	}
}

// languages gives the language of each queue that serves one alone.
func (q *queueMetrics) languages() map[string]string {
	languages := map[string]string{}
	for _, l := range q.catalogue.Languages() {
		queue := cmp.Or(l.Queue, DefaultQueue)
		if _, shared := languages[queue]; shared {
			languages[queue] = ""
			continue
		}
		languages[queue] = l.Name
	}
	return languages
}
