package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"optimus/store"
)

type storeOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         StoreHealth
}

// StoreHealth is what keeps the jobs, and how it fares.
type StoreHealth struct {
	Status     string       `json:"status" enum:"ok,full,unavailable" doc:"ok: it takes jobs. full: its disk or memory is full, so it takes none. unavailable: it does not answer in time."`
	Reason     string       `json:"reason,omitempty" doc:"Why the status is not ok."`
	Latency    float64      `json:"latency_ms" doc:"How long it took to keep as much as a large submission, or to fail at it, in milliseconds."`
	Kind       string       `json:"kind" enum:"file,redis,redis_sentinel,redis_cluster" doc:"A file of this server's, or a server that speaks the Redis protocol: one, one that Sentinels watch, or a Cluster."`
	Durability string       `json:"durability" enum:"local,fsync,replicated" doc:"What a submission outlives once it is acknowledged: local the store's process, fsync a power cut too, replicated the loss of its machine too."`
	Version    string       `json:"version,omitempty" doc:"Name and version of the server that speaks the Redis protocol." example:"Redis 7.2.4"`
	Schema     *StoreSchema `json:"schema,omitempty" doc:"The form in which jobs are kept."`
	Bytes      int64        `json:"bytes,omitempty" doc:"The size of the file, or the memory that the servers use together."`
	Free       *int64       `json:"free_bytes,omitempty" doc:"What there is room for beyond that: on the file's disk and in the file, or in the server that has the least. Not there where there is no limit, or none that is known."`
	Warnings   []string     `json:"warnings" doc:"In what it does not keep what it is told as well as it should, each with the remedy."`
}

// StoreSchema numbers the form in which jobs are kept.
type StoreSchema struct {
	Written   int `json:"written" doc:"The form that is kept."`
	MinReader int `json:"min_reader" doc:"The least form that a binary must know to read it."`
	Known     int `json:"known" doc:"The newest form that this server knows: where it is above written, optimus admin store upgrade brings the store there."`
}

func (s *Server) routeStore() {
	register(s, huma.Operation{
		OperationID: "get-store", Method: http.MethodGet, Path: "/v1/store", Tags: []string{"store"},
		Summary:     "See how the store fares",
		Description: "Answers 200 where the store is away too: `status` says so.",
	}, RoleRead, s.getStore)
}

func (s *Server) getStore(ctx context.Context, _ *noInput) (*storeOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeouts.Store)
	defer cancel()
	began := s.opts.Now()
	pingErr := s.opts.Store.Ping(ctx)
	health := StoreHealth{Status: "ok", Latency: milliseconds(s.opts.Now().Sub(began)), Warnings: []string{}}
	switch {
	case errors.Is(pingErr, store.ErrNoRoom):
		health.Status = "full"
	case pingErr != nil:
		health.Status = "unavailable"
	}
	d, describeErr := s.opts.Store.Describe(ctx)
	health.Kind, health.Durability, health.Version, health.Bytes = d.Kind, d.Durability, d.Version, d.Bytes
	health.Warnings = append(health.Warnings, d.Warnings...)
	if d.Free >= 0 && describeErr == nil {
		health.Free = &d.Free
	}
	schema, schemaErr := s.opts.Store.Schema(ctx)
	if schemaErr == nil {
		health.Schema = &StoreSchema{Written: schema.Written, MinReader: schema.MinReader, Known: schema.Known}
	}
	if pingErr != nil {
		health.Reason = pingErr.Error()
	} else if err := errors.Join(describeErr, schemaErr); err != nil {
		health.Warnings = append(health.Warnings, "the store does not say how it keeps what it is told: "+err.Error())
	}
	return &storeOutput{CacheControl: "no-store", Body: health}, nil
}
