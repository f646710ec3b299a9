package web

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
)

//go:embed reference
var referenceFiles embed.FS

// referencePolicy lets the page load its own script, style and document, and nothing else.
const referencePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// routeReference serves the OpenAPI document, which must be complete by now, and the page that
// shows it. Both are public: they say nothing that the source does not.
func (s *Server) routeReference() error {
	doc := s.api.OpenAPI()
	asJSON, err := doc.MarshalJSON()
	if err != nil {
		return fmt.Errorf("OpenAPI document: %w", err)
	}
	asYAML, err := doc.YAML()
	if err != nil {
		return fmt.Errorf("OpenAPI document: %w", err)
	}
	s.static("/openapi.json", "application/openapi+json", asJSON)
	s.static("/openapi.yaml", "application/openapi+yaml", asYAML)
	for path, file := range map[string][2]string{
		"/docs":           {"index.html", "text/html; charset=utf-8"},
		"/docs/style.css": {"style.css", "text/css; charset=utf-8"},
		"/docs/page.js":   {"page.js", "text/javascript; charset=utf-8"},
	} {
		data, err := fs.ReadFile(referenceFiles, "reference/"+file[0])
		if err != nil {
			return fmt.Errorf("reference page: %w", err)
		}
		s.static(path, file[1], data)
	}
	return nil
}

func (s *Server) static(path, contentType string, data []byte) {
	s.get(path, rolePublic, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Content-Security-Policy", referencePolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(data)
	})
}
