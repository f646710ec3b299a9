package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"

	"github.com/danielgtaylor/huma/v2"

	"optimus/store"
)

// mediaJSONL is the media type of an export.
const mediaJSONL = "application/jsonl"

type importOutput struct {
	Body ImportSummary
}

// ImportSummary says what an import has added.
type ImportSummary struct {
	Queues  int `json:"queues" doc:"Queues that were made."`
	Jobs    int `json:"jobs" doc:"Jobs that were added."`
	APIKeys int `json:"api_keys" doc:"API keys that were added."`
	Skipped int `json:"skipped" doc:"Queues, jobs and keys that were there already."`
}

func (s *Server) routeMove() {
	lines := map[string]*huma.MediaType{mediaJSONL: {Schema: &huma.Schema{Type: huma.TypeString}}}
	register(s, huma.Operation{
		OperationID: "export-store", Method: http.MethodGet, Path: "/v1/store/export", Tags: []string{"store"},
		Summary: "Export all queues, jobs and API keys",
		Description: "A line of JSON for each; the server goes on meanwhile. Kept in a file they are as at one moment, on a " +
			"Redis-protocol server each job is. The last line, a trailer, tells that the export is whole: one without it is refused by an import.",
		Responses: map[string]*huma.Response{"200": {Description: "The lines.", Content: lines}},
	}, RoleAdmin, s.exportStore)
	register(s, huma.Operation{
		OperationID: "import-store", Method: http.MethodPost, Path: "/v1/store/import", Tags: []string{"store"},
		Summary: "Import what was exported",
		Description: "What is there already is skipped, so an import that broke off is completed by the same request again. " +
			"Jobs that ran when they were exported are queued.",
	}, RoleAdmin, s.importStore)
	s.api.OpenAPI().Paths["/v1/store/import"].Post.RequestBody = &huma.RequestBody{Required: true, Content: lines}
}

func (s *Server) exportStore(ctx context.Context, _ *noInput) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r := requestOf(ctx)
		hc.SetHeader("Content-Type", mediaJSONL)
		hc.SetHeader("Cache-Control", "no-store")
		if isHead(ctx) {
			hc.SetStatus(http.StatusOK)
			return
		}
		out := &steadyWriter{server: s, request: r}
		buffered := bufio.NewWriterSize(out, steadyChunk)
		_, err := store.Export(ctx, s.opts.Store, buffered, s.opts.Now(), s.opts.Version)
		if err == nil {
			err = buffered.Flush()
		}
		if err == nil {
			return
		}
		r.cause = err
		if !out.began {
			p := *problemOf(err)
			p.RequestID = r.id
			maps.Copy(r.w.Header(), p.header)
			writeJSON(r.w, p.Status, p.ContentType(""), &p)
			return
		}
		// The answer cannot become another one: to cut it off tells the client that it is not whole.
		s.opts.Log.Error().Str("request_id", r.id).Err(err).Msg("an export broke off")
		panic(http.ErrAbortHandler)
	}}, nil
}

// steadyChunk is what must be read or written within the server's timeout, in bytes.
const steadyChunk = 256 << 10

// steadyWriter writes an answer of any length, for as long as its reader takes some of it now and then.
type steadyWriter struct {
	server  *Server
	request *request
	began   bool
}

func (w *steadyWriter) Write(b []byte) (n int, err error) {
	w.began = true
	for len(b) > 0 {
		if w.server.stopped() {
			return n, errStopping
		}
		w.server.extend(w.request, w.server.opts.Timeouts.Write)
		m, err := w.request.w.Write(b[:min(len(b), steadyChunk)])
		n += m
		if err != nil {
			return n, fmt.Errorf("write the answer: %w", err)
		}
		b = b[m:]
	}
	return n, nil
}

func (s *Server) importStore(ctx context.Context, _ *noInput) (*importOutput, error) {
	r := requestOf(ctx)
	if typ, _, err := mime.ParseMediaType(r.http.Header.Get("Content-Type")); err != nil || typ != mediaJSONL {
		return nil, newProblem(codeMediaType, "the body must be an export, sent with 'Content-Type: %s'", mediaJSONL)
	}
	var sum store.Imported
	lines, err := store.NewRecordReader(&steadyReader{s, r}, store.MaxRecordLine)
	if err == nil {
		sum, err = store.Import(ctx, s.opts.Store, lines, func(done store.Imported) { sum = done })
	}
	s.extend(r, s.opts.Timeouts.Write)
	if sum.APIKeys > 0 {
		s.keysChanged(ctx, "imported", "")
	}
	s.opts.Log.Info().Str("request_id", r.id).Int("queues", sum.Queues).Int("jobs", sum.Jobs).Int("skipped", sum.Skipped).
		AnErr("error", err).Msg("imported")
	if err != nil {
		return nil, importProblem(err, sum).withHeader("Connection", "close")
	}
	return &importOutput{Body: ImportSummary(sum)}, nil
}

// importProblem says how far an import that broke off has come.
func importProblem(err error, sum store.Imported) *Problem {
	var p *Problem
	var line *store.LineError
	switch {
	case errors.Is(err, store.ErrConflict):
		p = newProblem(codeConflict, "%v", err)
	case errors.As(err, &line):
		p = newProblem(codeInvalidRequest, "%v", err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		p = newProblem(codeTimeout, "the export did not arrive in time")
	case errors.Is(err, errStopping):
		p = newProblem(codeUnavailable, "the server stops").retryAfter(retryWhenUnavailable)
	case errors.Is(err, errBody):
		p = newProblem(codeInvalidRequest, "the export did not arrive whole")
	default:
		p = problemOf(err)
	}
	p.cause = err
	p.Detail = fmt.Sprintf("%s; before it %d queues and %d jobs were imported and %d skipped: the same import again goes on from there",
		p.Detail, sum.Queues, sum.Jobs, sum.Skipped)
	return p
}

// errBody is wrapped by what went wrong with a request's body.
var errBody = errors.New("read the body")

// steadyReader reads a request of any length, for as long as some of it comes now and then.
type steadyReader struct {
	server  *Server
	request *request
}

func (r *steadyReader) Read(b []byte) (int, error) {
	if r.server.stopped() {
		return 0, errStopping
	}
	if r.request.w != nil {
		// A writer without deadlines, as in a test without a server, has nothing to extend.
		_ = http.NewResponseController(r.request.w).SetReadDeadline(r.server.opts.Now().Add(r.server.opts.Timeouts.Read))
	}
	n, err := r.request.http.Body.Read(b[:min(len(b), steadyChunk)])
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errBody, err)
	}
	return n, err
}
