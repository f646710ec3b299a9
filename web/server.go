package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"optimus/store"
)

// Server is the HTTP layer. Make it with [New].
type Server struct {
	opts    Options
	echo    *echo.Echo
	api     huma.API
	keys    *keyring
	schemas schemas
	label   *regexp.Regexp
	origin  *http.CrossOriginProtection
	// roles has the role of each route, by [routeKey]; every route of ours is in it.
	roles map[string]Role
	// dialects has the error writer of each route whose errors are not ours.
	dialects map[string]errorWriter
	// started is when the first of the servers that took over from each other was made.
	started time.Time
	// stop is one for all of them.
	stop *stop
}

// stop is asked for once a server begins to stop, so that streams end.
type stop struct {
	asked chan struct{}
	once  sync.Once
}

// errorWriter writes an error in the form of another system's API.
type errorWriter func(w http.ResponseWriter, status int, code, message string)

// New makes a server. Its errors list every fault of the options.
func New(o Options) (*Server, error) { return newServer(o, nil) }

// newServer makes a server that takes over from another, where there is one.
func newServer(o Options, before *Server) (*Server, error) {
	o, err := o.withDefaults()
	shared := &storedKeys{}
	if before != nil {
		shared = before.keys.shared
	} else {
		shared.list.Store(&o.Stored)
	}
	keys, keyErr := newKeyring(o, shared)
	if err := errors.Join(err, keyErr); err != nil {
		return nil, err
	}
	s := &Server{
		opts:     o,
		echo:     echo.New(),
		keys:     keys,
		roles:    map[string]Role{},
		dialects: map[string]errorWriter{},
		label:    labelPattern(),
		origin:   http.NewCrossOriginProtection(),
		started:  o.Now(),
		stop:     &stop{asked: make(chan struct{})},
	}
	if before != nil {
		s.started, s.stop = before.started, before.stop
		s.keys.takeOver(before.keys)
	}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.IPExtractor = echo.ExtractIPDirect()
	s.echo.Use(s.observe, s.guard)
	s.api = newAPI(s.echo, o.Version)
	s.schemas = newSchemas(s.api, o.Limits)
	s.routeJobs()
	s.routeBatches()
	s.routeEvents()
	s.routeOperator()
	s.routeLanguages()
	s.routeKeys()
	s.routeSelf()
	s.routeStore()
	s.routeMove()
	s.routeProbes()
	s.routeOriginal()
	s.routeReference()
	s.routePage()
	o.Metrics.Register(newQueueMetrics(o.Store, o.Catalogue, o.Timeouts.Store, o.Now))
	return s, nil
}

// Handler is the whole of the HTTP layer, for a test or a server of another making.
func (s *Server) Handler() http.Handler { return headAsGet(s.echo) }

// stopped tells whether the server has begun to stop.
func (s *Server) stopped() bool {
	select {
	case <-s.stop.asked:
		return true
	default:
		return false
	}
}

// get adds a route that the OpenAPI document does not show.
func (s *Server) get(path string, role Role, h http.HandlerFunc) {
	s.roles[routeKey(http.MethodGet, path)] = role
	s.echo.GET(path, echo.WrapHandler(h))
}

// queues lists the queues that a submission may name.
func (s *Server) queues() []string {
	names := append([]string{DefaultQueue}, s.opts.Queues...)
	for _, l := range s.opts.Catalogue.Languages() {
		if l.Queue != "" {
			names = append(names, l.Queue)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// visible gives the job of an id in text where the request's principal may see it; another
// tenant's job is not found.
func (s *Server) visible(ctx context.Context, text string) (store.Job, error) {
	r := requestOf(ctx)
	id, err := store.ParseID(text)
	if err != nil {
		return store.Job{}, err
	}
	r.job = id.String()
	job, err := s.opts.Store.Get(ctx, id)
	if err != nil {
		return store.Job{}, err
	}
	if !r.who.sees(job.Tenant) {
		return store.Job{}, fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return job, nil
}
