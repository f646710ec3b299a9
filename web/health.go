package web

import (
	"context"
	"errors"
	"net/http"
	"time"
)

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

var errStopping = errors.New("the server is stopping")

func (s *Server) routeHealth() {
	started := s.opts.Now()
	s.get("/health", rolePublic, func(w http.ResponseWriter, r *http.Request) {
		s.health(w, started, "healthy", "unhealthy", s.pingStore(r.Context()))
	})
	s.get("/ready", rolePublic, func(w http.ResponseWriter, r *http.Request) {
		err := s.pingStore(r.Context())
		s.health(w, started, "ready", "not_ready", err, s.notReady(r.Context()))
	})
	s.get("/version", rolePublic, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, "application/json", map[string]string{"name": "optimus", "version": s.opts.Version})
	})
	role := RoleRead
	if s.opts.PublicMetrics {
		role = rolePublic
	}
	s.get("/metrics", role, s.opts.Metrics.handler().ServeHTTP)
}

func (s *Server) pingStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeouts.Store)
	defer cancel()
	return s.opts.Store.Ping(ctx)
}

func (s *Server) notReady(ctx context.Context) error {
	if s.stopped() {
		return errStopping
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeouts.Store)
	defer cancel()
	return s.opts.Ready(ctx)
}

// health answers with what the store says, and further reasons against.
func (s *Server) health(w http.ResponseWriter, started time.Time, good, bad string, storeErr error, others ...error) {
	now := s.opts.Now()
	body := healthBody{
		Status:         good,
		Version:        s.opts.Version,
		UptimeSeconds:  int64(now.Sub(started).Seconds()),
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
