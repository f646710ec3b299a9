package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

const apiDescription = `Runs untrusted programs in isolation and judges them against test cases.

Submit a job, then ask for it, wait for it (` + "`wait`" + `), or follow its events. Times are in milliseconds,
sizes in bytes. Every error is a problem (RFC 9457) that lists all faults of the request.`

// newAPI makes the huma API on echo. The OpenAPI document and the reference page are served by
// routes of our own: huma's page loads scripts from elsewhere.
func newAPI(e *echo.Echo, version string) huma.API {
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Optimus", Version: version, Description: apiDescription},
			Tags: []*huma.Tag{
				{Name: "jobs", Description: "A program with its tests: submitted, judged, kept for a while."},
				{Name: "batches", Description: "Several jobs in one request."},
				{Name: "languages", Description: "What programs may be written in."},
				{Name: "queues", Description: "Where jobs wait. Pausing and draining are for operators."},
				{Name: "workers", Description: "Who takes jobs from the queues."},
				{Name: "self", Description: "Who asks, and what is allowed."},
				{Name: "keys", Description: "API keys that the store keeps, for operators."},
				{Name: "store", Description: "What keeps the jobs: how it fares and, for operators, backup and restore."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "An API key."},
					"apiKey": {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{transformProblem},
	}
	return humaecho.New(e, config)
}

// jsonFormat encodes an answer whole before it writes it, so that a failure to encode is no half
// answer, and a client that went away is no panic.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				return fmt.Errorf("encode answer: %w", err)
			}
			_, _ = w.Write(b.Bytes())
			return nil
		},
		Unmarshal: json.Unmarshal,
	}
}

// transformProblem gives every error its one form and the request's id.
func transformProblem(ctx huma.Context, _ string, v any) (any, error) {
	var p Problem
	switch e := v.(type) {
	case *huma.ErrorModel:
		p = *problemOfModel(e)
	case *Problem:
		p = *e
	default:
		return v, nil
	}
	r := requestOf(ctx.Context())
	p.RequestID = r.id
	if p.Status >= http.StatusInternalServerError && r.cause == nil {
		r.cause = &p
	}
	return &p, nil
}

// register adds an operation that needs a role. Its errors become problems.
func register[I, O any](s *Server, op huma.Operation, role Role, h func(context.Context, *I) (*O, error)) {
	s.roles[routeKey(op.Method, strings.NewReplacer("{", ":", "}", "").Replace(op.Path))] = role
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = s.schemas.problem
	op.Security = []map[string][]string{{"bearer": {}}, {"apiKey": {}}}
	op.Description = strings.TrimSpace(op.Description + "\n\nNeeds the role `" + string(role) + "` where API keys are configured.")
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problemOf(err)
		}
		return out, nil
	})
}

// schemas are the parts of the OpenAPI document that code needs at hand: what checks bodies is
// what the document shows.
type schemas struct {
	registry                huma.Registry
	job, batch, key, rotate *huma.Schema
	// outer is batch with jobs of any form, which are checked one by one.
	outer   *huma.Schema
	problem *huma.Response
}

func newSchemas(api huma.API, l Limits) schemas {
	r := api.OpenAPI().Components.Schemas
	s := schemas{registry: r}
	of := s.ref
	s.job, s.batch, s.key, s.rotate = of(JobRequest{}), of(BatchRequest{}), of(KeyRequest{}), of(RotateRequest{})
	s.problem = &huma.Response{
		Description: "A problem (RFC 9457).",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: of(Problem{})}},
	}
	named := func(v any) map[string]*huma.Schema { return r.SchemaFromRef(of(v).Ref).Properties }
	most := func(n int) *int { return &n }
	job := named(JobRequest{})
	job["tests"].MaxItems = most(l.Tests)
	job["files"].MaxItems = most(l.Files)
	job["args"].MaxItems = most(l.Args)
	job["labels"].MaxProperties = most(l.Labels)
	job["priority"].Minimum, job["priority"].Maximum = number(l.MinPriority), number(l.MaxPriority)
	describe(job["source_code"], "At most %d bytes.", l.Source)
	describe(job["files"], "At most %d bytes of content together.", l.Source)
	describe(job["args"], "At most %d bytes together.", l.ArgBytes)
	describe(job["stdin"], "At most %d bytes.", l.Input)
	test := named(TestRequest{})
	describe(test["input"], "At most %d bytes.", l.Input)
	describe(test["expected_output"], "At most %d bytes.", l.Expected)
	limitMaxima(named(LimitsRequest{}), l)
	named(BatchRequest{})["jobs"].MaxItems = most(l.Batch)
	s.outer = outerBatch(r.SchemaFromRef(s.batch.Ref))
	for _, schema := range r.Map() {
		schema.PrecomputeMessages()
	}
	return s
}

// ref gives a reference to the schema of v's type.
func (s schemas) ref(v any) *huma.Schema { return s.registry.Schema(reflect.TypeOf(v), true, "") }

func limitMaxima(limits map[string]*huma.Schema, l Limits) {
	for name, most := range map[string]int64{
		"cpu_ms":          l.Run.CPU.Milliseconds(),
		"wall_ms":         l.Run.Wall.Milliseconds(),
		"memory_bytes":    l.Run.Memory,
		"output_bytes":    l.Run.Output,
		"processes":       l.Run.Processes,
		"file_size_bytes": l.Run.FileSize,
		"open_files":      l.Run.OpenFiles,
		"stack_bytes":     l.Run.Stack,
		"disk_bytes":      l.Run.Disk,
	} {
		limits[name].Maximum = number(most)
	}
}

func outerBatch(batch *huma.Schema) *huma.Schema {
	outer := *batch
	jobs := *batch.Properties["jobs"]
	jobs.Items = &huma.Schema{}
	outer.Properties = map[string]*huma.Schema{"jobs": &jobs}
	return &outer
}

func describe(s *huma.Schema, format string, args ...any) {
	s.Description += " " + fmt.Sprintf(format, args...)
}

func number[T int | int64](v T) *float64 {
	f := float64(v)
	return &f
}

// documentBody shows the schema of a body that a handler reads and checks itself, with an example.
func documentBody(op *huma.Operation, schema *huma.Schema, example any) {
	op.RequestBody = &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{"application/json": {Schema: schema, Example: example}},
	}
}

// exampleJob is the job that the document shows.
func exampleJob() JobRequest {
	source, sum := "print(sum(map(int, input().split())))", "7\n"
	return JobRequest{Language: "python", SourceCode: &source, Tests: []TestRequest{{Input: "3 4\n", ExpectedOutput: &sum}}}
}
