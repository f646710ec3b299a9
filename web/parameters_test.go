package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"optimus/web"
)

// tells checks that an answer lists these faults and no others.
func (a *answer) tells(pointers ...string) {
	a.t.Helper()
	got := slices.Sorted(maps.Keys(a.faults()))
	if slices.Sort(pointers); !slices.Equal(got, pointers) {
		a.t.Errorf("faults at %q, want %q; body: %s", got, pointers, a.Body)
	}
}

func TestFaultsOfParametersAndBodyAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello).String()
	for _, c := range []struct {
		method, path, body string
		status             int
		pointers           []string
	}{
		{http.MethodGet, "/v1/jobs/" + id + "?wait=-1s&colour=red&include=all", "", 422, []string{"query.wait", "query.colour", "query.include"}},
		{http.MethodGet, "/v1/jobs?limit=0&colour=red&since=x", "", 422, []string{"query.limit", "query.colour", "query.since"}},
		{http.MethodGet, "/v1/jobs?state=queued&state=failed", "", 422, []string{"query.state"}},
		{http.MethodGet, "/v1/jobs?state=%zz", "", 422, []string{"query"}},
		{
			http.MethodPost, "/v1/jobs?wait=1h&colour=red&include=all", `{"language":"cobol"}`, 422,
			[]string{"query.wait", "query.colour", "query.include", "header.Idempotency-Key", "#/language", "#/source_code"},
		},
		{http.MethodPost, "/v1/jobs?wait=1h", `{`, 400, []string{"query.wait", "header.Idempotency-Key"}},
		{
			http.MethodPost, "/v1/batches?x=1", `{"y":1,"jobs":[` + hello + `,{"language":"python","files":[{"name":"/"}]}]}`, 422,
			[]string{"query.x", "header.Idempotency-Key", "#/y", "#/jobs/1/files/0/name", "#/jobs/1/files/0/content"},
		},
		{http.MethodPost, "/v1/batches?x=1", `{"jobs":[{}]}`, 422, []string{"query.x", "header.Idempotency-Key", "#/jobs/0/language", "#/jobs/0/source_code"}},
	} {
		var headers []string
		if c.method == http.MethodPost {
			headers = []string{"Idempotency-Key", "\x7f"}
		}
		h.do(c.method, c.path, c.body, headers...).want(c.status).tells(c.pointers...)
	}
	if h.store.Jobs() != 1 {
		t.Error("a job was made")
	}
}

func TestFaultsOfParametersAreBounded(t *testing.T) {
	t.Parallel()
	var names strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&names, "%x&", i)
	}
	h := setup(t)
	for method, body := range map[string]string{http.MethodGet: "", http.MethodPost: `{"colour":"red"}`} {
		a := h.do(method, "/v1/jobs?"+names.String(), body).want(http.StatusUnprocessableEntity)
		if n := len(a.faults()); n != 100 {
			t.Errorf("%s: %d faults are listed", method, n)
		}
	}
}

// TestEveryOperationRefusesUnknownParameters: none may have been made without the check.
func TestEveryOperationRefusesUnknownParameters(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello).String()
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	must(t, json.Unmarshal(h.do(http.MethodGet, "/openapi.json", "").want(http.StatusOK).Body, &doc))
	for path, methods := range doc.Paths {
		for method := range methods {
			at := strings.NewReplacer("{id}", id, "{name}", "default").Replace(path)
			a := h.do(strings.ToUpper(method), at+"?colour=red", "", "Content-Type", "application/json")
			if p := into[web.Problem](a); !slices.ContainsFunc(p.Errors, func(f web.Fault) bool { return f.Parameter == "query.colour" }) {
				t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
			}
		}
	}
}

func TestFaultsInFilesBesideSourceCode(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Limits = web.Limits{Source: 4} })
	h.do(http.MethodPost, "/v1/jobs", `{"language":"python","source_code":"x","stdin":"*","stdin_encoding":"base64",
		"files":[{"name":"../x","content":"1"},{"name":"b","content":"*","encoding":"base64"},{"name":"b","content":""}],
		"tests":[{"input":"*","encoding":"base64"}]}`).want(http.StatusUnprocessableEntity).
		tells("#/source_code", "#/files/0/name", "#/files/1/content", "#/files/2/name", "#/stdin", "#/tests/0/input")
	h.do(http.MethodPost, "/v1/jobs", `{"language":"python","source_code":"x","files":[{"content":"12345"}]}`).
		want(http.StatusUnprocessableEntity).tells("#/source_code", "#/files")
}
