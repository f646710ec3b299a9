package modes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"optimus/web"
)

// stopMonitoring bounds how long the last questions may take once a node stops.
const stopMonitoring = 15 * time.Second

// What the process says of itself before it has started and once it stops.
var (
	errStarting = errors.New("the process is starting")
	errStopping = errors.New("the process is stopping: it finishes what runs")
)

// readiness tells why a process should get no traffic, or nil.
type readiness struct {
	mu  sync.Mutex
	ask func(context.Context) error
}

func (r *readiness) set(ask func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask = ask
}

func (r *readiness) is(ctx context.Context) error {
	r.mu.Lock()
	ask := r.ask
	r.mu.Unlock()
	if ask == nil {
		return errStarting
	}
	return ask(ctx)
}

// startMonitoring answers, where the settings give it an address, what asks how the process is; and
// serves its profiler. It is started first, so that it is stopped last: what drains is still watched.
func (n *node) startMonitoring(ctx context.Context, st web.Pinger, metrics *web.Metrics) error {
	probes := web.Probes{
		Store: st, Metrics: metrics, Now: time.Now, Started: time.Now(), Version: n.process.Version, Ready: n.ready.is,
	}
	metrics.Register(n.readyMetrics(st)...) //nolint:contextcheck // a scrape gives its own time, see there
	c := n.config.Monitoring
	if err := n.serveBeside(ctx, "monitoring", c.Listen, "monitoring.listen, --monitoring", probes.Handler); err != nil {
		return err
	}
	return n.serveBeside(ctx, "pprof", c.Pprof, "monitoring.pprof", profiler)
}

// readyMetrics show what /ready would answer, which a scrape waits for as long as a probe would; and whether
// that is since the process stops, which is meant to be so.
func (n *node) readyMetrics(st web.Pinger) []prometheus.Collector {
	gauge := func(name, help string, holds func(context.Context) bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), web.DefaultTimeouts().Store)
			defer cancel()
			if holds(ctx) {
				return 1
			}
			return 0
		})
	}
	return []prometheus.Collector{
		gauge("optimus_ready", "1 where this process may get traffic or jobs, as /ready says.", func(ctx context.Context) bool {
			return errors.Join(n.ready.is(ctx), st.Ping(ctx)) == nil
		}),
		gauge("optimus_stopping", "1 while this process was told to stop and finishes what runs.", func(ctx context.Context) bool {
			return errors.Is(n.ready.is(ctx), errStopping)
		}),
	}
}

// serveBeside serves what a handler answers on an address of its own; nothing without one.
func (n *node) serveBeside(ctx context.Context, name, address, setting string, handler func() http.Handler) error {
	if address == "" {
		return nil
	}
	l, err := listen(ctx, address, setting)
	if err != nil {
		return err
	}
	n.part(ctx, name, stopMonitoring, func(ctx context.Context) error { return web.Serve(ctx, l, handler(), n.log) })
	n.log.Info().Str("address", l.Addr().String()).Msg(name + " is served")
	return nil
}

// profiler answers what `go tool pprof` asks.
func profiler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// listen opens a listener; an error names the setting that gives another address.
func listen(ctx context.Context, address, setting string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w: state another address (%s)", address, err, setting)
	}
	return l, nil
}
