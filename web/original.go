package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web/compat/original"
)

// originalHost is what the original's API sees of the server.
type originalHost struct{ *Server }

// Resolve implements [original.Host].
func (h originalHost) Resolve(name string) (sandbox.Language, error) {
	return h.opts.Catalogue.Resolve(name, "")
}

// Tenant implements [original.Host].
func (h originalHost) Tenant(ctx context.Context) string { return requestOf(ctx).who.name }

// Sees implements [original.Host].
func (h originalHost) Sees(ctx context.Context, tenant string) bool {
	return requestOf(ctx).who.sees(tenant)
}

// About implements [original.Host].
func (h originalHost) About(ctx context.Context, id store.ID) { requestOf(ctx).job = id.String() }

// Failed implements [original.Host].
func (h originalHost) Failed(ctx context.Context, err error) { requestOf(ctx).cause = err }

// Submitted implements [original.Host].
func (h originalHost) Submitted(language string) { h.opts.Metrics.jobSubmitted(language) }

// Rejected implements [original.Host].
func (h originalHost) Rejected(reason string) { h.opts.Metrics.jobRejected(reason) }

// Cancelled implements [original.Host].
func (h originalHost) Cancelled() { h.opts.Metrics.jobCancelled("original") }

// routeOriginal adds the original's API at its old paths.
func (s *Server) routeOriginal() {
	body, l := s.opts.Limits.Body, s.opts.Limits.Original
	api := original.New(s.opts.Store, originalHost{s}, original.Limits{
		Tests: l.Tests, Source: l.Source, Input: l.Input, Expected: l.Expected,
		MinTimeout: l.MinTimeout, MaxTimeout: l.MaxTimeout, DefaultTimeout: l.DefaultTimeout,
		DefaultQueue: DefaultQueue,
	})
	add := func(method, path string, role Role, h echo.HandlerFunc) {
		s.roles[routeKey(method, path)] = role
		s.dialects[path] = original.WriteError
		s.echo.Add(method, path, h)
	}
	add(http.MethodPost, "/execute", RoleSubmit, func(c echo.Context) error {
		r := requestOf(c.Request().Context())
		body, problem := readBody(r, body)
		if problem != nil {
			return s.rejected(problem)
		}
		if key := r.http.Header.Get(keyHeader); key != "" && !validKey(key, maxKey) {
			return s.rejected(newProblem(codeInvalidRequest, "Idempotency-Key must be 1 to %d visible ASCII characters", maxKey))
		}
		api.Execute(c.Response(), c.Request(), body)
		return nil
	})
	byID := func(h func(w http.ResponseWriter, r *http.Request, id string)) echo.HandlerFunc {
		return func(c echo.Context) error {
			h(c.Response(), c.Request(), c.Param("id"))
			return nil
		}
	}
	add(http.MethodGet, "/job/:id", RoleRead, byID(api.Job))
	add(http.MethodGet, "/job/:id/debug", RoleRead, byID(api.Debug))
	add(http.MethodPost, "/job/:id/cancel", RoleSubmit, byID(api.Cancel))
}
