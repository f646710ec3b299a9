package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"optimus/web"
)

// editor is a catalogue whose changes are only told.
type editor struct{ err error }

func (e editor) Add(_ context.Context, content []byte) (web.ChangedLanguages, error) {
	return web.ChangedLanguages{Languages: []web.LanguageVersion{{Name: fmt.Sprint(len(content)), Version: "1"}}, Note: "only here"}, e.err
}

func (e editor) Remove(_ context.Context, name, version string) (web.ChangedLanguages, error) {
	return web.ChangedLanguages{Languages: []web.LanguageVersion{{Name: name, Version: version}}, Note: "only here"}, e.err
}

func TestChangesOfTheCatalogue(t *testing.T) {
	t.Parallel()
	const body = `{"name":"lua"}`
	for name, c := range map[string]struct {
		editor web.CatalogueEditor
		status int
		says   string
	}{
		"done":        {editor{}, http.StatusOK, `"note":"only here"`},
		"nobody's":    {nil, http.StatusForbidden, "cannot be changed"},
		"read-only":   {editor{&web.ReadOnlyError{Reason: "it is a ConfigMap"}}, http.StatusForbidden, "it is a ConfigMap"},
		"wrong":       {editor{&web.InvalidLanguagesError{Reason: "languages[0].run is missing"}}, http.StatusUnprocessableEntity, "languages[0].run"},
		"not there":   {editor{web.ErrUnknownLanguage}, http.StatusNotFound, "GET /v1/languages"},
		"a full disk": {editor{fmt.Errorf("no space")}, http.StatusInternalServerError, "log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t, keyed, func(o *web.Options) { o.Editor = c.editor }).as("root-key")
			for _, a := range []*answer{
				h.do(http.MethodPost, "/v1/languages", body).want(c.status),
				h.do(http.MethodDelete, "/v1/languages/lua?version=5", "").want(c.status),
			} {
				if !strings.Contains(string(a.Body), c.says) {
					t.Errorf("it says %s", a.Body)
				}
			}
			h.as("bob-key").do(http.MethodPost, "/v1/languages", body).want(http.StatusForbidden)
			h.as("carol-key").do(http.MethodDelete, "/v1/languages/lua", "").want(http.StatusForbidden)
		})
	}
	h := setup(t, func(o *web.Options) { o.Editor = editor{} })
	for _, body := range []string{"[", "\xff", `{"a":1,"a":2}`, strings.Repeat("[", 100)} {
		if a := h.do(http.MethodPost, "/v1/languages", body); a.Status != http.StatusBadRequest && a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q gives %d: %s", body, a.Status, a.Body)
		}
	}
}
