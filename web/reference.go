package web

import (
	"embed"
	"fmt"
	"net/http"
	"sync"
	"time"

	"optimus/sandbox"
)

//go:embed reference
var referenceFiles embed.FS

// referencePolicy lets the page load its own script, style and document, and nothing else.
const referencePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// routeReference serves the OpenAPI document, which must be complete by now, and the page that
// shows it. Both are public: they say nothing that the source does not.
func (s *Server) routeReference() {
	doc := s.api.OpenAPI()
	for _, unused := range []string{"ErrorModel", "ErrorDetail"} { // the library's errors: ours are problems
		delete(doc.Components.Schemas.Map(), unused)
	}
	s.static("/openapi.json", "application/openapi+json", doc.MarshalJSON)
	s.static("/openapi.yaml", "application/openapi+yaml", doc.YAML)
	for path, file := range map[string][2]string{
		"/docs":           {"index.html", "text/html; charset=utf-8"},
		"/docs/style.css": {"style.css", "text/css; charset=utf-8"},
		"/docs/page.js":   {"page.js", "text/javascript; charset=utf-8"},
		"/docs/icon.svg":  {"icon.svg", "image/svg+xml"},
	} {
		s.static(path, file[1], func() ([]byte, error) { return referenceFiles.ReadFile("reference/" + file[0]) })
	}
}

// OpenAPI gives the OpenAPI document of a server with these options, as JSON. It needs no store,
// catalogue or clock. Errors are those of [New].
func OpenAPI(o Options) ([]byte, error) {
	o.Store, o.Catalogue, o.Now = struct{ Store }{}, noLanguages{}, func() time.Time { return time.Time{} }
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	doc, err := s.api.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	return doc, nil
}

// noLanguages is a catalogue without any.
type noLanguages struct{}

func (noLanguages) Languages() []Language { return nil }

func (noLanguages) Resolve(string, string) (sandbox.Language, error) {
	return sandbox.Language{}, ErrUnknownLanguage
}

// static serves what content gives; it is asked once, when it is needed first: rendering the
// document is most of the time that a server takes to start.
func (s *Server) static(path, contentType string, content func() ([]byte, error)) {
	once := sync.OnceValues(content)
	s.get(path, rolePublic, func(w http.ResponseWriter, r *http.Request) {
		data, err := once()
		if err != nil {
			p := problemOf(err)
			requestOf(r.Context()).cause = err
			writeJSON(w, p.Status, p.ContentType(""), p)
			return
		}
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Content-Security-Policy", referencePolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(data)
	})
}
