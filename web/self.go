package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type selfOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         Self
}

// Self is who asks, what that one may do, and what a request may ask for.
type Self struct {
	KeysNeeded        bool      `json:"keys_needed" doc:"A request needs an API key; without, every request may do everything."`
	Tenant            string    `json:"tenant" doc:"Whose jobs are submitted and seen: the name of the API key; empty without keys."`
	Roles             []string  `json:"roles" enum:"submit,read,admin" doc:"The roles that the key holds."`
	May               []string  `json:"may" enum:"submit,read,admin" doc:"The roles whose operations are allowed: those that are held, and those that they imply. admin implies all, submit implies read."`
	RequestsPerMinute int       `json:"requests_per_minute,omitempty" doc:"How many requests may be made in a minute, and at once after a pause; not there without a bound."`
	ExpiresAt         time.Time `json:"expires_at,omitzero" doc:"When the key holds no more; not there where it always does."`
	Queues            []string  `json:"queues" doc:"The queues that a submission may name."`
	Limits            Bounds    `json:"limits" doc:"What a request may ask for."`
}

// Bounds are the most that a request may ask for.
type Bounds struct {
	Body        int64         `json:"body_bytes" doc:"Bytes of a request's body."`
	Batch       int           `json:"batch_jobs" doc:"Jobs of a batch."`
	Tests       int           `json:"tests" doc:"Tests of a job."`
	Source      int64         `json:"source_bytes" doc:"Bytes of a job's source files together."`
	Files       int           `json:"files" doc:"Source files of a job."`
	Input       int64         `json:"input_bytes" doc:"Bytes of a test's input."`
	Expected    int64         `json:"expected_output_bytes" doc:"Bytes of a test's expected output."`
	Args        int           `json:"args" doc:"Arguments of a job."`
	ArgBytes    int           `json:"arg_bytes" doc:"Bytes of a job's arguments together."`
	Labels      int           `json:"labels" doc:"Labels of a job."`
	MinPriority int           `json:"min_priority" doc:"The least priority."`
	MaxPriority int           `json:"max_priority" doc:"The highest priority."`
	Wait        int64         `json:"wait_ms" doc:"How long a request may wait for a job's end, in milliseconds."`
	Run         LimitsRequest `json:"run" doc:"The largest value of each limit of a run."`
}

func (s *Server) routeSelf() {
	register(s, huma.Operation{
		OperationID: "get-self", Method: http.MethodGet, Path: "/v1/self", Tags: []string{"self"},
		Summary:     "Ask who one is, and what is allowed",
		Description: "Tells of the API key that the request was sent with, and the bounds of what may be submitted.",
	}, RoleRead, s.getSelf)
}

func (s *Server) getSelf(ctx context.Context, _ *noInput) (*selfOutput, error) {
	who := requestOf(ctx).who
	self := Self{
		KeysNeeded: !s.keys.isOpen(), Tenant: who.name, ExpiresAt: who.expires, Queues: s.queues(), Limits: viewBounds(s.opts.Limits),
	}
	for _, r := range who.roles {
		self.Roles = append(self.Roles, string(r))
	}
	for _, r := range Roles() {
		if who.may(r) {
			self.May = append(self.May, string(r))
		}
	}
	if who.limiter != nil {
		self.RequestsPerMinute = who.limiter.Burst()
	}
	return &selfOutput{CacheControl: "no-store", Body: self}, nil
}

func viewBounds(l Limits) Bounds {
	return Bounds{
		Body: l.Body, Batch: l.Batch, Tests: l.Tests, Source: l.Source, Files: l.Files, Input: l.Input, Expected: l.Expected,
		Args: l.Args, ArgBytes: l.ArgBytes, Labels: l.Labels, MinPriority: l.MinPriority, MaxPriority: l.MaxPriority,
		Wait: l.Wait.Milliseconds(), Run: viewLimits(l.Run),
	}
}
