package web

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Pinger tells whether a store answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Probes answer whoever asks how a process is, such as an orchestrator or Prometheus, without a key:
// /health, /ready, /version and /metrics. Store, Metrics and Now must be given.
type Probes struct {
	Store   Pinger
	Metrics *Metrics
	// Now is the clock, and Started the time since which the process is up.
	Now     func() time.Time
	Started time.Time
	Version string
	// Ready tells why the process should get no traffic or jobs, or nil; nil means always ready.
	Ready func(ctx context.Context) error
	// Timeout bounds the answers of the store and of Ready; 0 means that of [DefaultTimeouts].
	Timeout time.Duration
}

// Handler answers the routes.
func (p Probes) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, h := range p.routes() {
		mux.Handle("GET "+path, h)
	}
	return mux
}

// routes gives what answers each path.
func (p Probes) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/health": func(w http.ResponseWriter, r *http.Request) {
			p.answer(w, "healthy", "unhealthy", p.ping(r.Context()))
		},
		"/ready": func(w http.ResponseWriter, r *http.Request) {
			p.answer(w, "ready", "not_ready", p.ping(r.Context()), p.ready(r.Context()))
		},
		"/version": func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, "application/json", map[string]string{"name": "optimus", "version": p.Version})
		},
		"/metrics": p.Metrics.handler().ServeHTTP,
	}
}

// healthBody is the answer of /health and /ready: one for every API of the server.
type healthBody struct {
	Status         string    `json:"status"`
	Version        string    `json:"version"`
	UptimeSeconds  int64     `json:"uptime_seconds"`
	RedisConnected bool      `json:"redis_connected"`
	StoreOK        bool      `json:"store_ok"`
	Timestamp      time.Time `json:"timestamp"`
	// Reasons say what is wrong, in words.
	Reasons []string `json:"reasons,omitempty"`
}

func (p Probes) ping(ctx context.Context) error { return p.within(ctx, p.Store.Ping) }

func (p Probes) ready(ctx context.Context) error {
	if p.Ready == nil {
		return nil
	}
	return p.within(ctx, p.Ready)
}

func (p Probes) within(ctx context.Context, ask func(context.Context) error) error {
	limit := p.Timeout
	if limit == 0 {
		limit = DefaultTimeouts().Store
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ask(ctx)
}

// answer says what the store says, and further reasons against.
func (p Probes) answer(w http.ResponseWriter, good, bad string, storeErr error, others ...error) {
	now := p.Now()
	body := healthBody{
		Status:         good,
		Version:        p.Version,
		UptimeSeconds:  int64(now.Sub(p.Started).Seconds()),
		RedisConnected: storeErr == nil,
		StoreOK:        storeErr == nil,
		Timestamp:      now.UTC(),
	}
	status := http.StatusOK
	for _, err := range append([]error{storeErr}, others...) {
		if err != nil {
			body.Status, status = bad, http.StatusServiceUnavailable
			body.Reasons = append(body.Reasons, err.Error())
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, "application/json", body)
}

var errStopping = errors.New("the server is stopping")

// routeProbes serves the probes beside the API: /metrics to a key that may read.
func (s *Server) routeProbes() {
	probes := Probes{
		Store: s.opts.Store, Metrics: s.opts.Metrics, Now: s.opts.Now, Started: s.started, Version: s.opts.Version,
		Ready: s.ready, Timeout: s.opts.Timeouts.Store,
	}
	for path, h := range probes.routes() {
		role := rolePublic
		if path == "/metrics" && !s.opts.PublicMetrics {
			role = RoleRead
		}
		s.get(path, role, h)
	}
}

func (s *Server) ready(ctx context.Context) error {
	if s.stopped() {
		return errStopping
	}
	return s.opts.Ready(ctx)
}
