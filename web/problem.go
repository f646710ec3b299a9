package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"optimus/store"
)

// Problem is the body of every error answer: RFC 9457, with a code for machines and, for a
// request that is not valid, all of its faults.
type Problem struct { //nolint:errname // its name in the OpenAPI document
	Type      string  `json:"type" doc:"URI that names the kind of problem." example:"urn:optimus:problem:invalid_request"`
	Title     string  `json:"title" doc:"The kind of problem in words; the same for each problem of the kind." example:"The request is not valid"`
	Status    int     `json:"status" doc:"The HTTP status." example:"422"`
	Code      string  `json:"code" doc:"The kind of problem as a word, for machines." example:"invalid_request"`
	Detail    string  `json:"detail,omitempty" doc:"What happened this time, and what to do about it."`
	RequestID string  `json:"request_id,omitempty" doc:"The request's id, as in the server's log."`
	Errors    []Fault `json:"errors,omitempty" doc:"Every fault of the request."`

	header http.Header
	cause  error
}

// Fault is one fault of a request: where it is, and what is allowed there.
type Fault struct {
	Detail string `json:"detail" doc:"What is wrong, and what is allowed."`
	// Pointer is a JSON Pointer in URI fragment form into the body.
	Pointer string `json:"pointer,omitempty" doc:"JSON Pointer to the field of the body." example:"#/tests/0/limits/cpu_ms"`
	// Parameter is "query.NAME", "header.NAME" or "path.NAME".
	Parameter string `json:"parameter,omitempty" doc:"The parameter, with where it is." example:"query.limit"`
}

// The kinds of problem.
const (
	codeInvalidJSON      = "invalid_json"
	codeInvalidRequest   = "invalid_request"
	codeUnauthorized     = "unauthorized"
	codeForbidden        = "forbidden"
	codeNotFound         = "not_found"
	codeMethod           = "method_not_allowed"
	codeTimeout          = "request_timeout"
	codeKeyConflict      = "idempotency_conflict"
	codeConflict         = "conflict"
	codeTooLarge         = "too_large"
	codeMediaType        = "unsupported_media_type"
	codeRateLimited      = "rate_limited"
	codeQueueFull        = "queue_full"
	codeTenantFull       = "tenant_full"
	codeQueueDrained     = "queue_drained"
	codeUnavailable      = "unavailable"
	codeInternal         = "internal_error"
	codeClientClosed     = "client_closed_request"
	codeNotAcceptable    = "not_acceptable"
	statusClientClosed   = 499
	retryWhenUnavailable = 5 * time.Second
	retryWhenDrained     = 30 * time.Second
)

// kindOf is the one table of problem codes: HTTP status and title.
func kindOf(code string) (status int, title string) {
	switch code {
	case codeInvalidJSON:
		return http.StatusBadRequest, "The body is not valid JSON"
	case codeInvalidRequest:
		return http.StatusUnprocessableEntity, "The request is not valid"
	case codeUnauthorized:
		return http.StatusUnauthorized, "A valid API key is needed"
	case codeForbidden:
		return http.StatusForbidden, "This is not allowed"
	case codeNotFound:
		return http.StatusNotFound, "There is no such thing"
	case codeMethod:
		return http.StatusMethodNotAllowed, "The method is not allowed here"
	case codeNotAcceptable:
		return http.StatusNotAcceptable, "The answer cannot be given in an accepted form"
	case codeTimeout:
		return http.StatusRequestTimeout, "The request took too long to arrive"
	case codeKeyConflict:
		return http.StatusConflict, "The idempotency key was used with another payload"
	case codeConflict:
		return http.StatusConflict, "The present state does not allow this"
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge, "The request is too large"
	case codeMediaType:
		return http.StatusUnsupportedMediaType, "The body's media type is not supported"
	case codeRateLimited:
		return http.StatusTooManyRequests, "Too many requests"
	case codeQueueFull:
		return http.StatusTooManyRequests, "The queue is full"
	case codeTenantFull:
		return http.StatusTooManyRequests, "The API key's share of the queue is full"
	case codeQueueDrained:
		return http.StatusServiceUnavailable, "The queue is drained"
	case codeClientClosed:
		return statusClientClosed, "The client went away"
	case codeUnavailable:
		return http.StatusServiceUnavailable, "The server cannot serve this for now"
	default:
		return http.StatusInternalServerError, "Optimus failed"
	}
}

// codeOf gives the code for a status that a library chose.
func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return codeInvalidJSON
	case http.StatusUnauthorized:
		return codeUnauthorized
	case http.StatusForbidden:
		return codeForbidden
	case http.StatusNotFound:
		return codeNotFound
	case http.StatusMethodNotAllowed:
		return codeMethod
	case http.StatusNotAcceptable:
		return codeNotAcceptable
	case http.StatusRequestTimeout:
		return codeTimeout
	case http.StatusRequestEntityTooLarge:
		return codeTooLarge
	case http.StatusUnsupportedMediaType:
		return codeMediaType
	case http.StatusUnprocessableEntity:
		return codeInvalidRequest
	case http.StatusServiceUnavailable:
		return codeUnavailable
	default:
		return codeInternal
	}
}

func newProblem(code, format string, args ...any) *Problem {
	status, title := kindOf(code)
	return &Problem{
		Type:   "urn:optimus:problem:" + code,
		Title:  title,
		Status: status,
		Code:   code,
		Detail: fmt.Sprintf(format, args...),
	}
}

// invalid is the problem of a request with faults.
func invalid(faults []Fault) *Problem {
	p := newProblem(codeInvalidRequest, "%d faults; see errors", len(faults))
	if len(faults) == 1 {
		p.Detail = faults[0].Detail
	}
	p.Errors = faults
	return p
}

func (p *Problem) Error() string {
	if p.cause != nil {
		return p.Code + ": " + p.cause.Error()
	}
	return p.Code + ": " + p.Detail
}

// Unwrap gives the cause, which is for the log alone.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the answer's further headers, such as Retry-After.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType makes an answer in JSON one in problem JSON.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) withHeader(key, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(key, value)
	return p
}

// retryAfter tells the client when to come back, in whole seconds, at least one.
func (p *Problem) retryAfter(d time.Duration) *Problem {
	seconds := max(1, int64(math.Ceil(d.Seconds())))
	return p.withHeader("Retry-After", strconv.FormatInt(seconds, 10))
}

// problemOf turns any error into a problem; what it does not know is an internal error, whose
// cause stays in the log.
func problemOf(err error) *Problem {
	var p *Problem
	var full *store.QueueFullError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &full) && full.TenantQueued > 0:
		p = newProblem(codeTenantFull, "%s (store.tenant_queued)", full.Error()).retryAfter(full.RetryAfter)
	case errors.As(err, &full):
		p = newProblem(codeQueueFull, "%s", full.Error()).retryAfter(full.RetryAfter)
	case errors.Is(err, store.ErrQueueFull):
		p = newProblem(codeQueueFull, "the queue is full; try again later").retryAfter(time.Second)
	case errors.Is(err, store.ErrQueueDrained):
		p = newProblem(codeQueueDrained, "the queue is drained: it takes no new jobs until an operator resumes it").retryAfter(retryWhenDrained)
	case errors.Is(err, store.ErrNotFound):
		p = newProblem(codeNotFound, "there is no such job, or it is another tenant's")
	case errors.Is(err, store.ErrKeyConflict):
		p = newProblem(codeKeyConflict, "this Idempotency-Key was used with another payload; use a new key for a new job")
	case errors.Is(err, store.ErrTooLarge):
		p = newProblem(codeTooLarge, "the submission is larger than the store takes; send less source or smaller tests")
	case errors.Is(err, store.ErrTerminal):
		p = newProblem(codeConflict, "the job has ended, so it cannot be cancelled")
	case errors.Is(err, store.ErrNotTerminal):
		p = newProblem(codeConflict, "the job has not ended; cancel it before you delete it")
	case errors.Is(err, store.ErrTransition):
		p = newProblem(codeConflict, "the job's state does not allow this; only a failed job can be re-driven")
	case errors.Is(err, store.ErrBadCursor):
		p = invalid([]Fault{{Parameter: "query.cursor", Detail: "not a cursor of this server; use next_cursor of a page, or leave it out for the first page"}})
	case errors.Is(err, store.ErrInvalidID):
		p = invalid([]Fault{{Parameter: "path.id", Detail: "not a job id; an id looks like 0190a6d2-7f3c-8000-8000-5b2d1c0e9a47"}})
	case errors.Is(err, store.ErrInvalid):
		p = newProblem(codeInvalidRequest, "%v", err)
	case errors.Is(err, store.ErrNoRoom):
		p = newProblem(codeUnavailable, "the queue's disk is full, or its server's memory, so it takes no jobs for now; try again later").retryAfter(retryWhenUnavailable)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		p = newProblem(codeUnavailable, "the store does not answer for now; try again").retryAfter(retryWhenUnavailable)
	case errors.Is(err, context.Canceled):
		p = newProblem(codeClientClosed, "the client closed the request")
	case errors.Is(err, context.DeadlineExceeded):
		p = newProblem(codeUnavailable, "the store did not answer in time; try again").retryAfter(retryWhenUnavailable)
	default:
		p = newProblem(codeInternal, "the server failed; its log has the cause under this request_id")
	}
	p.cause = err
	return p
}

// problemOfModel turns an error that huma made into ours, without the value that it echoes.
func problemOfModel(m *huma.ErrorModel) *Problem {
	var list []Fault
	for _, e := range m.Errors {
		f := Fault{Detail: inOurWords(e.Message)}
		if pointer, ok := strings.CutPrefix(e.Location, "body"); ok {
			f.Pointer = "#" + strings.ReplaceAll(pointer, ".", "/")
		} else {
			f.Parameter, _, _ = strings.Cut(e.Location, "[")
		}
		list = append(list, f)
	}
	p := invalid(list)
	kind := newProblem(codeOf(m.Status), "%s", m.Detail)
	p.Type, p.Title, p.Status, p.Code = kind.Type, kind.Title, m.Status, kind.Code
	if len(list) == 0 {
		p.Detail = m.Detail
	}
	return p
}

// inOurWords says what the library says of a parameter as a body's faults are said.
func inOurWords(message string) string {
	for _, w := range []struct{ theirs, ours string }{
		{"expected value to be one of ", "is not allowed; allowed are "},
		{"expected number >= ", "is too small; the least is "},
		{"expected number <= ", "is too large; the most is "},
		{"expected length <= ", "is too long; the most characters are "},
	} {
		if rest, ok := strings.CutPrefix(message, w.theirs); ok {
			return w.ours + strings.Trim(rest, `"`)
		}
	}
	switch {
	case strings.HasPrefix(message, "invalid date/time"):
		return "is not a time such as 2026-01-02T15:04:05Z (RFC 3339)"
	case message == "invalid integer":
		return "is not a whole number"
	}
	return message
}
