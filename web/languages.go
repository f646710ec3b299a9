package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// CatalogueEditor changes the catalogue of languages for good.
type CatalogueEditor interface {
	// Add adds languages, each in the place of one with its name and version: content is one of
	// languages.json, or the whole of such a file. Errors: an [InvalidLanguagesError], a [ReadOnlyError].
	Add(ctx context.Context, content []byte) (ChangedLanguages, error)
	// Remove removes a language, of all versions where version is empty. Errors: [ErrUnknownLanguage],
	// an [InvalidLanguagesError], a [ReadOnlyError].
	Remove(ctx context.Context, name, version string) (ChangedLanguages, error)
}

// LanguageVersion is a version of a language.
type LanguageVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// InvalidLanguagesError says what is wrong with languages: every fault.
type InvalidLanguagesError struct{ Reason string }

func (e *InvalidLanguagesError) Error() string { return e.Reason }

// ReadOnlyError says why the catalogue cannot be changed here, and how it is changed instead.
type ReadOnlyError struct{ Reason string }

func (e *ReadOnlyError) Error() string { return e.Reason }

type languageInput struct {
	query

	Name    string `path:"name" maxLength:"64" doc:"The language's name; an alias is none."`
	Version string `query:"version" maxLength:"64" doc:"This version alone; all without it."`
}

type changedLanguagesOutput struct {
	Body ChangedLanguages
}

// ChangedLanguages says what a change of the catalogue has changed.
type ChangedLanguages struct {
	Languages []LanguageVersion `json:"languages" doc:"What was added or removed."`
	Note      string            `json:"note,omitempty" doc:"Where the change does not hold, and what to do there; only where other servers or workers share the queue."`
}

func (s *Server) routeLanguages() {
	tags := []string{"languages"}
	where := " Changes this server's languages.json, and holds here at once; other servers and workers with a file of their own keep theirs, which `note` says where " +
		"there may be any. Where the file cannot be written (a ConfigMap, which all servers share) the answer is 403, and says what to change instead."
	register(s, huma.Operation{
		OperationID: "add-languages", Method: http.MethodPost, Path: "/v1/languages", Tags: tags,
		Summary:     "Add or replace languages",
		Description: "The body is a language of languages.json, or `{\"languages\": […]}`. One with the same name and version is replaced." + where,
	}, RoleAdmin, s.addLanguages)
	documentBody(s.api.OpenAPI().Paths["/v1/languages"].Post, &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}, map[string]any{
		"name": "lua", "version": "5.4", "image": "docker.io/library/lua:5.4", "source_file": "main.lua", "run": []string{"lua", "{source}", "{args}"},
	})
	register(s, huma.Operation{
		OperationID: "remove-language", Method: http.MethodDelete, Path: "/v1/languages/{name}", Tags: tags,
		Summary: "Remove a language", Description: "Jobs that were submitted are still run." + where,
	}, RoleAdmin, s.removeLanguage)
}

func (s *Server) addLanguages(ctx context.Context, _ *noInput) (*changedLanguagesOutput, error) {
	body, problem := readBody(requestOf(ctx), s.opts.Limits.Body)
	if problem != nil {
		return nil, problem
	}
	f := &faults{}
	if err := s.scan(body, &huma.Schema{}, f); err != nil {
		return nil, err
	}
	if p := f.problem(); p != nil {
		return nil, p
	}
	return s.changed(ctx, func(e CatalogueEditor) (ChangedLanguages, error) { return e.Add(ctx, body) })
}

func (s *Server) removeLanguage(ctx context.Context, in *languageInput) (*changedLanguagesOutput, error) {
	return s.changed(ctx, func(e CatalogueEditor) (ChangedLanguages, error) { return e.Remove(ctx, in.Name, in.Version) })
}

func (s *Server) changed(ctx context.Context, change func(CatalogueEditor) (ChangedLanguages, error)) (*changedLanguagesOutput, error) {
	if s.opts.Editor == nil {
		return nil, newProblem(codeForbidden, "this server's catalogue cannot be changed")
	}
	done, err := change(s.opts.Editor)
	var wrong *InvalidLanguagesError
	var fixed *ReadOnlyError
	switch {
	case errors.As(err, &wrong):
		return nil, newProblem(codeInvalidRequest, "%s", wrong.Reason)
	case errors.As(err, &fixed):
		return nil, newProblem(codeForbidden, "%s", fixed.Reason)
	case errors.Is(err, ErrUnknownLanguage):
		return nil, newProblem(codeNotFound, "%v; GET /v1/languages lists all", err)
	case err != nil:
		return nil, err
	}
	r := requestOf(ctx)
	for _, l := range done.Languages {
		s.opts.Log.Info().Str("request_id", r.id).Str("language", l.Name).Str("version", l.Version).Str("by", r.who.name).Msg("the catalogue was changed")
	}
	return &changedLanguagesOutput{Body: done}, nil
}
