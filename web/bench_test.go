package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
	"optimus/web/webtest"
)

// BenchmarkSubmitAndWait is the whole way of a job through the HTTP layer, in the process, on a
// store in memory whose worker reports at once: what the layer itself costs.
func BenchmarkSubmitAndWait(b *testing.B) {
	s := webtest.NewStore(time.Now)
	report := sandbox.Report{Verdict: sandbox.Accepted, Tests: []sandbox.TestReport{{ID: "1", Verdict: sandbox.Accepted}}}
	s.OnSubmit(func(j store.Job) {
		_ = s.Start(j.ID)
		_ = s.Finish(j.ID, report)
	})
	srv, err := web.New(web.Options{Store: s, Catalogue: webtest.Catalogue{}, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "http://127.0.0.1/v1/jobs?wait=10s", strings.NewReader(hello))
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
}
