package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"optimus/web"
	"optimus/web/webtest"
)

// The parts of an OpenAPI document that the test walks.
type (
	openAPI struct {
		OpenAPI    string                          `json:"openapi"`
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Schemas map[string]*schema `json:"schemas"`
		} `json:"components"`
	}
	operation struct {
		OperationID string      `json:"operationId"`
		Parameters  []parameter `json:"parameters"`
		RequestBody *struct {
			Content map[string]struct {
				Schema *schema `json:"schema"`
			} `json:"content"`
		} `json:"requestBody"`
		Responses map[string]json.RawMessage `json:"responses"`
	}
	parameter struct {
		Name   string  `json:"name"`
		In     string  `json:"in"`
		Schema *schema `json:"schema"`
	}
	schema struct {
		Ref                  string             `json:"$ref"`
		Type                 any                `json:"type"`
		Format               string             `json:"format"`
		Properties           map[string]*schema `json:"properties"`
		AdditionalProperties any                `json:"additionalProperties"`
		Items                *schema            `json:"items"`
		Enum                 []any              `json:"enum"`
		Examples             []any              `json:"examples"`
		Required             []string           `json:"required"`
		MaxItems             *int               `json:"maxItems"`
	}
)

func document(h *harness) openAPI {
	h.t.Helper()
	var doc openAPI
	must(h.t, json.Unmarshal(h.do(http.MethodGet, "/openapi.json", "").want(http.StatusOK).Body, &doc))
	return doc
}

func TestDocument(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Limits.Tests = 17 })
	doc := document(h)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %q", doc.OpenAPI)
	}
	var ids []string
	for path, item := range doc.Paths {
		for method, op := range item {
			ids = append(ids, op.OperationID)
			if _, ok := op.Responses["default"]; !ok {
				t.Errorf("%s %s documents no problem", method, path)
			}
			if method == "post" && (path == "/v1/jobs" || path == "/v1/batches") && op.RequestBody == nil {
				t.Errorf("%s %s documents no body", method, path)
			}
		}
	}
	slices.Sort(ids)
	want := []string{
		"add-languages", "cancel-job", "create-key", "delete-job", "drain-queue", "export-store", "get-job", "get-queue", "get-self", "get-store", "import-store", "job-events", "list-jobs",
		"list-keys", "list-languages", "list-queues", "list-workers", "pause-queue", "redrive-job", "remove-language", "resume-queue", "revoke-key",
		"rotate-key", "submit-batch", "submit-job",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("operations %v", ids)
	}
	if most := doc.Components.Schemas["JobRequest"].Properties["tests"].MaxItems; most == nil || *most != 17 {
		t.Error("the document does not show the configured limit of tests")
	}
	yaml := h.do(http.MethodGet, "/openapi.yaml", "").want(http.StatusOK)
	if !strings.Contains(string(yaml.Body), "operationId: submit-job") {
		t.Errorf("openapi.yaml: %.200s", yaml.Body)
	}
}

func TestReferencePageIsWhole(t *testing.T) {
	t.Parallel()
	h := setup(t)
	a := h.do(http.MethodGet, "/docs", "").want(http.StatusOK)
	policy := a.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	page := string(a.Body)
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page refers to another host")
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"#]+)"`).FindAllStringSubmatch(page, -1) {
		h.do(http.MethodGet, "/"+m[1], "").want(http.StatusOK)
	}
	if regexp.MustCompile(`<script>|<style>| style=| on[a-z]+=`).MatchString(page) {
		t.Error("the page has inline script or style, which its policy forbids")
	}
}

// garbler makes requests from schemas, with something wrong in about every third value.
type garbler struct {
	*rand.Rand
	schemas map[string]*schema
	ids     []string
}

func (g *garbler) pick(from ...any) any { return from[g.IntN(len(from))] }

func (g *garbler) garbage() any {
	var deep any = 1
	for range g.IntN(60) {
		deep = []any{deep}
	}
	return g.pick(nil, -1, 0, 1e308, "", "x", strings.Repeat("é", 300), "\x00", true, []any{}, []any{nil}, map[string]any{},
		map[string]any{"a": nil}, deep, 9007199254740993, "../../etc/passwd", "<script>", json.Number("1e400"), json.Number("-0"))
}

func (g *garbler) value(s *schema, depth int) any {
	if s.Ref != "" {
		s = g.schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
	}
	if g.IntN(3) == 0 || depth > 6 {
		return g.garbage()
	}
	if len(s.Enum) > 0 {
		return s.Enum[g.IntN(len(s.Enum))]
	}
	if len(s.Examples) > 0 && g.IntN(2) == 0 {
		return s.Examples[0]
	}
	typ := fmt.Sprint(s.Type)
	switch {
	case strings.Contains(typ, "object"):
		m := map[string]any{}
		for name, p := range s.Properties {
			if slices.Contains(s.Required, name) || g.IntN(3) == 0 {
				m[name] = g.value(p, depth+1)
			}
		}
		if g.IntN(8) == 0 {
			m["surprise"] = g.garbage()
		}
		return m
	case strings.Contains(typ, "array"):
		list := make([]any, g.IntN(4))
		for i := range list {
			list[i] = g.value(s.Items, depth+1)
		}
		return list
	case strings.Contains(typ, "integer"):
		return g.pick(1, 2, 100, 1<<20, 1<<40)
	case strings.Contains(typ, "number"):
		return g.Float64() * 10
	case strings.Contains(typ, "boolean"):
		return g.IntN(2) == 0
	default:
		return g.pick("", "a", "python", "main.py", "MQ==", "10ms", "2020-01-01T00:00:00Z")
	}
}

func (g *garbler) text(p parameter) string {
	if p.In == "path" && g.IntN(2) == 0 {
		return g.ids[g.IntN(len(g.ids))]
	}
	if p.Name == "wait" {
		return fmt.Sprint(g.pick("1ms", "0", "-1s", "1h", "x", "99999999999999999999s", "1e3"))
	}
	return fmt.Sprint(g.value(p.Schema, 5))
}

func (g *garbler) body(s *schema) []byte {
	data, err := json.Marshal(g.value(s, 0))
	if err != nil || g.IntN(10) == 0 {
		data = []byte(fmt.Sprint(g.garbage()))
	}
	for g.IntN(4) == 0 && len(data) > 0 {
		data[g.IntN(len(data))] = "\x00\x1f\"\\{}[],:0-e\x80\xc3\xff"[g.IntN(16)]
	}
	return data
}

func (g *garbler) request(ctx context.Context, method, path string, op operation) *http.Request {
	query := url.Values{}
	header := http.Header{}
	for _, p := range op.Parameters {
		switch text := g.text(p); {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(text))
		case g.IntN(2) == 0:
		case p.In == "query":
			query.Set(p.Name, text)
		case p.In == "header":
			header.Set(p.Name, text)
		}
	}
	if g.IntN(10) == 0 {
		query.Set(fmt.Sprint(g.garbage()), "1")
	}
	var body []byte
	media := "application/json"
	if op.RequestBody != nil {
		for m, content := range op.RequestBody.Content {
			media, body = m, g.body(content.Schema)
		}
	}
	r := httptest.NewRequestWithContext(ctx, strings.ToUpper(method), "/", bytes.NewReader(body))
	r.URL.Path, r.URL.RawPath = mustUnescape(path), path
	r.URL.RawQuery = query.Encode()
	r.Header = header
	r.Header.Set("X-Api-Key", "root-key")
	if g.IntN(10) > 0 {
		r.Header.Set("Content-Type", media)
	}
	r.Header.Set("Accept", fmt.Sprint(g.pick("", "*/*", "application/json", "text/html", "application/cbor;q=0.5", ";;;")))
	return r
}

func mustUnescape(path string) string {
	p, err := url.PathUnescape(path)
	if err != nil {
		panic(err) // the test has escaped it itself
	}
	return p
}

// seedOf gives a test's seed, and says how to have it again.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("OPTIMUS_TEST_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		must(t, err)
		seed = n
	}
	t.Logf("seed %d; repeat with OPTIMUS_TEST_SEED", seed)
	return seed
}

func TestRandomRequestsGetAnAnswer(t *testing.T) {
	t.Parallel()
	// With a key, since one of the requests may make one, after which each needs one.
	h := setup(t, keyed, func(o *web.Options) { o.Editor = editor{} }).as("root-key")
	rounds, seed := 100, seedOf(t)
	ended := h.submit(hello)
	must(t, h.store.Finish(ended, accepted()))
	doc := document(h)
	g := &garbler{
		Rand: rand.New(rand.NewPCG(seed, 0)), schemas: doc.Components.Schemas, //nolint:gosec // a repeatable test
		ids: []string{ended.String(), "default", "0190a6d2-7f3c-8000-8000-5b2d1c0e9a47"},
	}
	seen := map[int]int{}
	for range rounds {
		for path, item := range doc.Paths {
			for method, op := range item {
				seen[h.garbled(g, method, path, op)]++
			}
		}
	}
	if seen[http.StatusOK] == 0 || seen[http.StatusUnprocessableEntity] == 0 || seen[http.StatusBadRequest] == 0 {
		t.Errorf("the requests reach too little: %v", seen)
	}
}

func (h *harness) garbled(g *garbler, method, path string, op operation) int {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	r := g.request(ctx, method, path, op)
	var sent bytes.Buffer
	if r.Body != nil {
		_, _ = sent.ReadFrom(r.Body)
		r.Body = http.NoBody
		if sent.Len() > 0 {
			r.Body = readCloser{bytes.NewReader(sent.Bytes())}
		}
	}
	w := httptest.NewRecorder()
	h.srv.Handler().ServeHTTP(w, r)
	if ctx.Err() != nil {
		h.t.Fatalf("%s %s hangs: %q", r.Method, r.URL, sent.Bytes())
	}
	drained := w.Code == http.StatusServiceUnavailable && strings.Contains(w.Body.String(), "drained") // by another request
	if w.Code >= http.StatusInternalServerError && !drained {
		h.t.Fatalf("%s %s: %d %s\n%q", r.Method, r.URL, w.Code, w.Body, sent.Bytes())
	}
	if w.Code >= http.StatusBadRequest {
		(&answer{t: h.t, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}).faults()
	}
	return w.Code
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// FuzzSubmission looks for a body that is neither accepted nor refused as it should be.
func FuzzSubmission(f *testing.F) {
	for _, seed := range []string{
		hello, `{"language":"cpp","files":[{"name":"a/b.cpp","content":"AA==","encoding":"base64"}],"limits":{"cpu_ms":1}}`,
		`{"language":"python","source_code":"\u0000\ud83d\ude00","stdin":"x","labels":{"a":"b"},"tests":null}`,
		`{"jobs":[{}]}`, `[[[[`, `{"language":1e5}`, "\xff", `{"tests":[{"weight":0.5,"expected_output":""}],"language":"py","source_code":""}`,
	} {
		f.Add([]byte(seed))
	}
	srv, err := web.New(web.Options{Store: webtest.NewStore(time.Now), Catalogue: webtest.Catalogue{}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := &harness{t: t, srv: srv}
		for _, path := range []string{"/v1/jobs", "/v1/batches", "/execute"} {
			a := h.do(http.MethodPost, path, string(body), "Content-Type", "application/json")
			if a.Status >= http.StatusInternalServerError {
				t.Fatalf("%s: %d %s", path, a.Status, a.Body)
			}
			if a.Status < http.StatusBadRequest && !json.Valid(body) {
				t.Fatalf("%s: %d for what is no JSON: %q", path, a.Status, body)
			}
			if !json.Valid(a.Body) {
				t.Fatalf("%s: the answer is no JSON: %q", path, a.Body)
			}
		}
	})
}
