package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"
)

// request is what the layers of one request share.
type request struct {
	id  string
	who *principal
	// job is the id of the job that the request is about, for the log.
	job string
	// maxWait bounds wait.
	maxWait time.Duration
	// cause is the failure behind an error answer, for the log.
	cause error
	// body is the request's, and w its answer's.
	http *http.Request
	w    http.ResponseWriter
}

type requestKey struct{}

// requestOf gives the request of a context that the observer made.
func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{who: &principal{}}
}

// observe is the outermost layer: request id, panic recovery, error answers, access log, metrics.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.opts.Now()
		allowHead(c)
		r := &request{id: requestID(c.Request().Header.Get("X-Request-Id")), maxWait: s.opts.Limits.Wait}
		ctx := context.WithValue(c.Request().Context(), requestKey{}, r)
		if s.opts.Trace != nil {
			ctx = s.opts.Trace(ctx, c.Request().Header)
		}
		r.http = c.Request().WithContext(ctx)
		r.w = c.Response()
		c.SetRequest(r.http)
		c.Response().Header().Set("X-Request-Id", r.id)
		c.Response().Header().Set("X-Content-Type-Options", "nosniff")
		if len(r.http.TransferEncoding) > 0 {
			// It may have had a Content-Length too, by which a proxy has read it otherwise (net/http drops
			// it unseen): what follows on this connection is not taken for a request.
			c.Response().Header().Set("Connection", "close")
		}
		if err := s.recovered(next, c); err != nil {
			s.answerError(c, r, err)
		}
		took := s.opts.Now().Sub(start)
		endpoint, method := c.Path(), knownMethod(c.Request().Method)
		role, routed := s.roles[routeKey(method, endpoint)]
		if !routed {
			endpoint = "unmatched"
		}
		s.opts.Metrics.requests.WithLabelValues(endpoint, method, strconv.Itoa(c.Response().Status)).Inc()
		s.opts.Metrics.latency.WithLabelValues(endpoint, method).Observe(took.Seconds())
		s.access(c, r, endpoint, took, routed && role == rolePublic)
		return nil
	}
}

type headKey struct{}

// headAsGet answers HEAD as GET: net/http leaves out the body.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			// A copy: by the request that it has made net/http knows that there may be no body.
			r = r.WithContext(context.WithValue(r.Context(), headKey{}, true))
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// isHead tells that the answer's body is not wanted.
func isHead(ctx context.Context) bool {
	head, _ := ctx.Value(headKey{}).(bool)
	return head
}

// allowHead has the header Allow, which the router writes, list HEAD beside GET.
func allowHead(c echo.Context) {
	c.Response().Before(func() {
		h := c.Response().Header()
		if allow := h.Get(echo.HeaderAllow); slices.Contains(strings.Split(allow, ", "), http.MethodGet) {
			h.Set(echo.HeaderAllow, allow+", "+http.MethodHead)
		}
	})
}

// access writes the access log's line; a quiet request is one of a probe or a scrape.
func (s *Server) access(c echo.Context, r *request, endpoint string, took time.Duration, quiet bool) {
	status := c.Response().Status
	level := zerolog.InfoLevel
	switch {
	case status >= http.StatusInternalServerError:
		level = zerolog.ErrorLevel
	case quiet && status < http.StatusBadRequest:
		level = zerolog.DebugLevel
	}
	var tenant string
	if r.who != nil {
		tenant = r.who.name
	}
	s.opts.Log.WithLevel(level).
		Str("request_id", r.id).Str("method", knownMethod(c.Request().Method)).Str("endpoint", endpoint).
		Int("status", status).Int64("bytes", c.Response().Size).Dur("took", took).Str("remote", c.RealIP()).
		Func(func(e *zerolog.Event) { stated(e, "tenant", tenant) }).
		Func(func(e *zerolog.Event) { stated(e, "job", r.job) }).
		AnErr("cause", r.cause).
		Msg("request")
}

// stated adds a field that has a value.
func stated(e *zerolog.Event, key, value string) {
	if value != "" {
		e.Str(key, value)
	}
}

// recovered turns a panic of next into an error, which carries the stack to the log.
func (s *Server) recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		v := recover()
		switch v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			s.opts.Log.Error().Str("request_id", requestOf(c.Request().Context()).id).Interface("panic", v).Bytes("stack", debug.Stack()).Msg("handler panicked")
			err = newProblem(codeInternal, "the server failed; its log has the cause under this request_id")
		}
	}()
	return next(c)
}

// answerError writes an error that reached the observer, in the dialect of its route.
func (s *Server) answerError(c echo.Context, r *request, err error) {
	p := problemOfEcho(err)
	if p.Status >= http.StatusInternalServerError && r.cause == nil {
		r.cause = p
	}
	if c.Response().Committed {
		return
	}
	maps.Copy(c.Response().Header(), p.header)
	if write, ok := s.dialects[c.Path()]; ok {
		write(c.Response(), p.Status, p.Code, p.Detail)
		return
	}
	q := *p
	q.RequestID = r.id
	writeJSON(c.Response(), q.Status, q.ContentType(""), &q)
}

// problemOfEcho also knows the errors of the router.
func problemOfEcho(err error) *Problem {
	var he *echo.HTTPError
	if !errors.As(err, &he) {
		return problemOf(err)
	}
	switch he.Code {
	case http.StatusNotFound:
		return newProblem(codeNotFound, "there is no such route; /docs lists them, none of which has an empty part or ends with a slash")
	case http.StatusMethodNotAllowed:
		return newProblem(codeMethod, "the header Allow lists the methods of this route")
	default:
		p := newProblem(codeOf(he.Code), "%s", http.StatusText(he.Code))
		p.cause = err
		return p
	}
}

// requestID takes the client's id where it is sane: 1 to 128 letters, digits and ._:-/.
func requestID(given string) string {
	const most = 128
	insane := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._:-/", c)
	}
	if given != "" && len(given) <= most && !strings.ContainsFunc(given, insane) {
		return given
	}
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodHead, http.MethodOptions:
		return m
	default:
		return "other"
	}
}
