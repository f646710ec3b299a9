package original_test

import (
	"encoding/json"
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

type harness struct {
	t       *testing.T
	store   *webtest.Store
	metrics *web.Metrics
	handler http.Handler
}

func setup(t *testing.T, change ...func(*web.Options)) *harness {
	t.Helper()
	h := &harness{t: t, store: webtest.NewStore(time.Now), metrics: web.NewMetrics()}
	opts := web.Options{Store: h.store, Catalogue: webtest.Catalogue{}, Now: time.Now, Metrics: h.metrics}
	for _, f := range change {
		f(&opts)
	}
	srv, err := web.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.handler = srv.Handler()
	return h
}

// do makes a request, checks the status and gives the body.
func (h *harness) do(status int, method, path, body string, headers ...string) map[string]any {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	if w.Code != status {
		h.t.Fatalf("%s %s: status %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		h.t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	return v
}

// refused checks an error answer: its form, status and code.
func (h *harness) refused(status int, code, method, path, body string, headers ...string) {
	h.t.Helper()
	v := h.do(status, method, path, body, headers...)
	inner, _ := v["error"].(map[string]any)
	message, _ := inner["message"].(string)
	if len(v) != 1 || len(inner) != 2 || inner["code"] != code || message == "" {
		h.t.Errorf("error %v, want the code %s", v, code)
	}
}

func (h *harness) execute(body string, headers ...string) store.ID {
	h.t.Helper()
	v := h.do(http.StatusAccepted, http.MethodPost, "/execute", body, headers...)
	text, _ := v["job_id"].(string)
	id, err := store.ParseID(text)
	if err != nil || len(v) != 1 {
		h.t.Fatalf("answer %v: %v", v, err)
	}
	return id
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ended makes a job of n tests end with the given verdicts, in order.
func (h *harness) ended(verdicts ...sandbox.Verdict) store.ID {
	h.t.Helper()
	tests := make([]string, len(verdicts))
	report := sandbox.Report{}
	for i, v := range verdicts {
		tests[i] = `{"input":"i","expected_output":"o"}`
		report.Verdict = sandbox.Worse(report.Verdict, v)
		report.MaxScore += 10
		tr := sandbox.TestReport{ID: string(rune('1' + i)), Verdict: v, Weight: 10}
		tr.Outcome = sandbox.Outcome{Wall: 1500 * time.Microsecond, Stdout: []byte("out"), Stderr: []byte("noise")}
		if v == sandbox.Accepted {
			tr.Score = 10
			report.Score += 10
		}
		report.Tests = append(report.Tests, tr)
	}
	id := h.execute(`{"language":"python","source_code":"x","test_cases":[` + strings.Join(tests, ",") + `]}`)
	must(h.t, h.store.Start(id))
	must(h.t, h.store.Finish(id, report))
	return id
}

func results(t *testing.T, v map[string]any) []map[string]any {
	t.Helper()
	list, ok := v["results"].([]any)
	if !ok {
		t.Fatalf("no results in %v", v)
	}
	out := make([]map[string]any, len(list))
	for i, r := range list {
		out[i], _ = r.(map[string]any)
	}
	return out
}

const simple = `{"language":"python","source_code":"print(1)","test_cases":[{"input":"","expected_output":"1"}]}`
