package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type keysOutput struct {
	Body KeyList
}

type newKeyOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         NewKey
}

type keyInput struct {
	query

	ID string `path:"id" maxLength:"255" doc:"The key's id, of GET /v1/keys."`
}

func (s *Server) routeKeys() {
	tags := []string{"keys"}
	register(s, huma.Operation{
		OperationID: "list-keys", Method: http.MethodGet, Path: "/v1/keys", Tags: tags,
		Summary: "List the API keys of the store", Description: "Those of the configuration are not among them.",
	}, RoleAdmin, func(ctx context.Context, _ *noInput) (*keysOutput, error) {
		list, err := s.manager().List(ctx)
		return &keysOutput{Body: list}, err
	})
	register(s, huma.Operation{
		OperationID: "create-key", Method: http.MethodPost, Path: "/v1/keys", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make an API key",
		Description: "The answer is the only one that has the key itself. It holds at once here, and within two seconds on every " +
			"server of the store. The first key there is must have the role `admin`: from then on every request needs a key.",
	}, RoleAdmin, s.createKey)
	documentBody(s.api.OpenAPI().Paths["/v1/keys"].Post, s.schemas.key, KeyRequest{Name: "course-2", Roles: []string{"submit", "read"}})
	register(s, huma.Operation{
		OperationID: "revoke-key", Method: http.MethodDelete, Path: "/v1/keys/{id}", Tags: tags,
		Summary: "Revoke an API key", Description: "It is refused at once here, and within two seconds on every server of the store. " +
			"The last key with the role `admin`, or the last such key that does not expire, is not revoked (409).",
	}, RoleAdmin, s.revokeKey)
	register(s, huma.Operation{
		OperationID: "rotate-key", Method: http.MethodPost, Path: "/v1/keys/{id}/rotate", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Replace an API key",
		Description: "Makes one of the same name, roles, rate and time to live. The old one still holds for `overlap_seconds`.",
	}, RoleAdmin, s.rotateKey)
	documentBody(s.api.OpenAPI().Paths["/v1/keys/{id}/rotate"].Post, s.schemas.rotate, RotateRequest{OverlapSeconds: 3600})
	s.api.OpenAPI().Paths["/v1/keys/{id}/rotate"].Post.RequestBody.Required = false
}

func (s *Server) manager() KeyManager {
	return KeyManager{Store: s.opts.Store, Now: s.opts.Now, Configured: s.opts.Keys}
}

// keysChanged has the change hold here at once. The other processes see it by themselves, and so does
// this one where the store fails just now.
func (s *Server) keysChanged(ctx context.Context, what, id string) {
	r := requestOf(ctx)
	err := s.readKeys(context.WithoutCancel(ctx))
	s.opts.Log.Info().Str("request_id", r.id).Str("key", id).Str("by", r.who.name).AnErr("error", err).Msg("an API key was " + what)
}

// decodeBody reads a body that a schema describes.
func decodeBody[T any](ctx context.Context, s *Server, schema *huma.Schema, into *T) error {
	body, problem := readBody(requestOf(ctx), s.opts.Limits.Body)
	if problem != nil {
		return problem
	}
	f := &faults{}
	if err := s.scan(body, schema, f); err != nil {
		return err
	}
	if p := f.problem(); p != nil {
		return p
	}
	if err := json.Unmarshal(body, into); err != nil {
		return newProblem(codeInvalidJSON, "%v", err)
	}
	return nil
}

func (s *Server) createKey(ctx context.Context, _ *noInput) (*newKeyOutput, error) {
	var req KeyRequest
	if err := decodeBody(ctx, s, s.schemas.key, &req); err != nil {
		return nil, err
	}
	made, err := s.manager().Create(ctx, req)
	if err != nil {
		return nil, err
	}
	s.keysChanged(ctx, "made", made.ID)
	return &newKeyOutput{CacheControl: "no-store", Body: made}, nil
}

func (s *Server) revokeKey(ctx context.Context, in *keyInput) (*noContent, error) {
	if err := s.manager().Revoke(ctx, in.ID); err != nil {
		return nil, err
	}
	s.keysChanged(ctx, "revoked", in.ID)
	return &noContent{}, nil
}

func (s *Server) rotateKey(ctx context.Context, in *keyInput) (*newKeyOutput, error) {
	var req RotateRequest
	if requestOf(ctx).http.ContentLength != 0 {
		if err := decodeBody(ctx, s, s.schemas.rotate, &req); err != nil {
			return nil, err
		}
	}
	made, err := s.manager().Rotate(ctx, in.ID, time.Duration(req.OverlapSeconds)*time.Second)
	if err != nil {
		return nil, err
	}
	s.keysChanged(ctx, "rotated", in.ID)
	return &newKeyOutput{CacheControl: "no-store", Body: made}, nil
}
