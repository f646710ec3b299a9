package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
	"optimus/web/webtest"
)

// harness is a server on a store in memory, called in the process.
type harness struct {
	t     *testing.T
	store *webtest.Store
	srv   *web.Server
	log   *bytes.Buffer
	key   string
}

func setup(t *testing.T, change ...func(*web.Options)) *harness {
	t.Helper()
	h := &harness{t: t, store: webtest.NewStore(time.Now), log: &bytes.Buffer{}}
	opts := web.Options{
		Store: h.store, Catalogue: webtest.Catalogue{}, Now: time.Now, Version: "1.2.3",
		Log: zerolog.New(zerolog.SyncWriter(h.log)),
	}
	for _, f := range change {
		f(&opts)
	}
	srv, err := web.New(opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	h.srv = srv
	return h
}

// keyed gives options three keys, which are called like their names with "-key" at the end.
func keyed(o *web.Options) {
	o.Keys = []web.Key{
		{Name: "alice", Hash: hashOf("alice-key"), Roles: []web.Role{web.RoleSubmit}},
		{Name: "bob", Hash: hashOf("bob-key"), Roles: []web.Role{web.RoleSubmit}},
		{Name: "carol", Hash: hashOf("carol-key"), Roles: []web.Role{web.RoleRead}},
		{Name: "root", Hash: hashOf("root-key"), Roles: []web.Role{web.RoleAdmin}},
	}
}

func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// as gives the same server to the holder of another key.
func (h *harness) as(key string) *harness {
	other := *h
	other.key = key
	return &other
}

type answer struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// do makes a request; headers are pairs of name and value.
func (h *harness) do(method, path, body string, headers ...string) *answer {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if h.key != "" {
		r.Header.Set("Authorization", "Bearer "+h.key)
	}
	r.Host = "127.0.0.1:8080"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" { // which is none of the headers for Go
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.srv.Handler().ServeHTTP(w, r)
	return &answer{t: h.t, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

// doAll makes a request with one header that is given several times.
func (h *harness) doAll(method, path, body, header string, values []string) *answer {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Host = "127.0.0.1:8080"
	r.Header[http.CanonicalHeaderKey(header)] = values
	w := httptest.NewRecorder()
	h.srv.Handler().ServeHTTP(w, r)
	return &answer{t: h.t, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

// want checks the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d; body: %s", a.Status, status, a.Body)
	}
	return a
}

// into decodes the body, which may have no unknown field.
func into[T any](a *answer) T {
	a.t.Helper()
	var v T
	dec := json.NewDecoder(bytes.NewReader(a.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		a.t.Fatalf("decode %T: %v; body: %s", v, err, a.Body)
	}
	return v
}

// faults gives the problem's faults as pointer or parameter → detail, after a check of its form.
func (a *answer) faults() map[string]string {
	a.t.Helper()
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		a.t.Fatalf("content type %q of a problem; body: %s", ct, a.Body)
	}
	p := into[web.Problem](a)
	if p.Status != a.Status || p.Title == "" || p.Code == "" || p.RequestID == "" {
		a.t.Fatalf("incomplete problem: %s", a.Body)
	}
	m := map[string]string{}
	for _, f := range p.Errors {
		m[f.Pointer+f.Parameter] = f.Detail
	}
	return m
}

func (h *harness) submit(body string) store.ID {
	h.t.Helper()
	job := into[web.Job](h.do(http.MethodPost, "/v1/jobs", body).want(http.StatusAccepted))
	return mustID(h.t, job.ID)
}

func mustID(t *testing.T, text string) store.ID {
	t.Helper()
	id, err := store.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accepted is the report of a job whose one test is accepted.
func accepted() sandbox.Report {
	return sandbox.Report{
		Verdict: sandbox.Accepted, Score: 1, MaxScore: 1, Worker: "w1",
		Tests: []sandbox.TestReport{{
			ID: "1", Verdict: sandbox.Accepted, Score: 1, Weight: 1,
			Outcome: sandbox.Outcome{CPU: 12_345_678, Wall: 20 * time.Millisecond, Memory: 9 << 20, Processes: 1, Stdout: []byte("7\n")},
		}},
	}
}

// judge makes every submitted job run and end with the report at once.
func (h *harness) judge(report sandbox.Report) {
	h.store.OnSubmit(func(j store.Job) {
		_ = h.store.Start(j.ID)
		_ = h.store.Finish(j.ID, report)
	})
}

// listen serves on loopback until the test ends and gives the base address.
func (h *harness) listen() string {
	h.t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(h.t.Context(), "tcp", "127.0.0.1:0")
	must(h.t, err)
	done := make(chan error, 1)
	go func() { done <- h.srv.Serve(h.t.Context(), l) }()
	h.t.Cleanup(func() {
		if err := <-done; err != nil {
			h.t.Errorf("Serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

const hello = `{"language":"python","source_code":"print(input())","tests":[{"input":"7\n","expected_output":"7\n"}]}`
