package web_test

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

func TestEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	h := setup(t)
	a := h.do(http.MethodPost, "/v1/jobs", `{
		"language": "cobol", "colour": "red", "priority": 101, "args": ["a\u0000"],
		"files": [{"name": "../x", "content": "a"}, {"name": "b", "content": "*", "encoding": "base64"}, {"name": "b", "content": 1}],
		"limits": {"cpu_ms": 0, "memory_bytes": 1e9, "wall_ms": 999999999, "speed": 1},
		"checker": {"kind": "exact", "absolute": 1},
		"queue": "nowhere", "labels": {"optimus.x": "1", "a b": "2"},
		"tests": [{"weight": -1}, {"id": "1"}, null, {"expected_output": "/w==", "encoding": "base64", "checker": {}}, {"input": 5}]
	}`).want(http.StatusUnprocessableEntity)
	f := a.faults()
	for _, pointer := range []string{
		"#/language", "#/colour", "#/priority", "#/args/0", "#/files/0/name", "#/files/1/content", "#/files/2/content", "#/files/2/name",
		"#/limits/cpu_ms", "#/limits/memory_bytes", "#/limits/wall_ms", "#/limits/speed", "#/checker/kind", "#/queue",
		"#/labels/optimus.x", "#/labels/a b", "#/tests/0/weight", "#/tests/1/id", "#/tests/2",
		"#/tests/3/checker/kind", "#/tests/4/input",
	} {
		if f[pointer] == "" {
			t.Errorf("no fault at %s", pointer)
		}
		delete(f, pointer)
	}
	if len(f) > 0 {
		t.Errorf("further faults: %v", f)
	}
}

func TestFaultsSayWhatIsAllowed(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) {
		o.Limits = web.Limits{Tests: 2, Source: 4, Input: 3, Expected: 3, Args: 1, Labels: 1}
	})
	for _, c := range []struct{ body, pointer, say string }{
		{`{"source_code":"x"}`, "#/language", "is required"},
		{`{"language":null,"source_code":"x"}`, "#/language", "is required"},
		{`{"language":"","source_code":"x"}`, "#/language", "1 to 64"},
		{`{"language":"cobol","source_code":"x"}`, "#/language", "cpp, java, python"},
		{`{"language":"java","source_code":"x"}`, "#/language", "optimus admin images build java"},
		{`{"language":"python","version":"2","source_code":"x"}`, "#/language", `"2"`},
		{`{"language":"python"}`, "#/source_code", "unless files"},
		{`{"language":"python","source_code":"x","files":[{"name":"a","content":""}]}`, "#/source_code", "not both"},
		{`{"language":"python","files":[{"name":"a","content":"1"},{"name":"a/b/c","content":""}]}`, "#/files/1/name", `lies in "a"`},
		{`{"language":"python","source_code":"12345"}`, "#/source_code", "at most 4"},
		{`{"language":"python","source_code":"1","tests":[{"input":"1234"}]}`, "#/tests/0/input", "at most 3"},
		{`{"language":"python","source_code":"1","tests":[{"expected_output":"1234"}]}`, "#/tests/0/expected_output", "at most 3"},
		{`{"language":"python","source_code":"1","tests":[{},{},{}]}`, "#/tests", "at most 2"},
		{`{"language":"python","source_code":"1","stdin":"","tests":[{}]}`, "#/stdin", "not both"},
		{`{"language":"python","source_code":"1","stdin":"1234"}`, "#/stdin", "at most 3"},
		{`{"language":"python","source_code":"1","args":["a","b"]}`, "#/args", "at most 1"},
		{`{"language":"python","source_code":"1","labels":{"a":"1","b":"2"}}`, "#/labels", "at most 1"},
		{`{"language":"python","source_code":"1","limits":{"cpu_ms":1.5}}`, "#/limits/cpu_ms", "whole number"},
		{`{"language":"python","source_code":"1","limits":{"cpu_ms":60001}}`, "#/limits/cpu_ms", "1 to 60000"},
		{`{"language":"python","source_code":"1","limits":{"cpu_ms":99999999999999999999}}`, "#/limits/cpu_ms", "1 to 60000"},
		{`{"language":"python","source_code":"1","checker":{"kind":"fuzzy"}}`, "#/checker/kind", "exact, trim, tokens, float"},
		{`{"language":"python","source_code":"1","tests":[{"weight":1e999}]}`, "#/tests/0/weight", "0 to 1000000"},
		{`{"language":"python","source_code":1}`, "#/source_code", "must be a string, not a number"},
		{`{"Language":"python","source_code":"1"}`, "#/Language", "unknown field"},
		{`[]`, "#", "must be an object"},
		{`null`, "#", "must not be null"},
	} {
		f := h.do(http.MethodPost, "/v1/jobs", c.body).want(http.StatusUnprocessableEntity).faults()
		if !strings.Contains(f[c.pointer], c.say) {
			t.Errorf("%s: faults %v, want %q at %s", c.body, f, c.say, c.pointer)
		}
	}
	if h.store.Jobs() != 0 {
		t.Error("a job was made")
	}
}

func TestNotJSON(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for body, say := range map[string]string{
		``:                                 "empty",
		`{`:                                "line 1, column 2",
		"{\n \"a\" 1}":                     "line 2, column 6",
		`{"language":"a","language":"b"}`:  "twice",
		`{"labels":{"a":"1","\u0061":""}}`: "twice",
		`{"language":"` + "\xff" + `"}`:    "UTF-8",
		`{"language":"\ud800"}`:            "lone surrogate",
		`{"language":"\ud800\u0041"}`:      "lone surrogate",
		`{"language":"\x"}`:                "unknown escape",
		"{\"language\":\"a\nb\"}":          "control character",
		`{"priority":01}`:                  "begin with 0",
		`{"priority":1.}`:                  "digit",
		`{"priority":-}`:                   "digit",
		`{"priority":1e}`:                  "digit",
		`{"priority":+1}`:                  "value is due",
		`{"stop_on_failure":yes}`:          "value is due",
		`{"stop_on_failure":tru}`:          "unknown word",
		`{"a":1,}`:                         "name",
		`{} {}`:                            "after the end",
		`{"tests":[1 2]}`:                  "',' or ']'",
		strings.Repeat(`{"a":`, 33):        "more than 32 deep",
		strings.Repeat(`[`, 1_000_000):     "more than 32 deep",
	} {
		a := h.do(http.MethodPost, "/v1/jobs", body, "Content-Type", "application/json").want(http.StatusBadRequest)
		if p := into[web.Problem](a); p.Code != "invalid_json" || !strings.Contains(p.Detail, say) {
			t.Errorf("%.40q: %s", body, p.Detail)
		}
	}
}

func TestMediaTypeAndSize(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Limits.Body = 200 })
	for _, typ := range []string{"text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "/;;"} {
		h.do(http.MethodPost, "/v1/jobs", hello, "Content-Type", typ).want(http.StatusUnsupportedMediaType).faults()
	}
	for _, typ := range []string{"application/json; charset=UTF-8", "application/vnd.x+json"} {
		h.do(http.MethodPost, "/v1/jobs", hello, "Content-Type", typ).want(http.StatusAccepted)
	}
	pad := func(n int) string { return hello + strings.Repeat(" ", n-len(hello)) }
	h.do(http.MethodPost, "/v1/jobs", pad(200)).want(http.StatusAccepted)
	h.do(http.MethodPost, "/v1/jobs", pad(201)).want(http.StatusRequestEntityTooLarge).faults()
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	h := setup(t)
	body := `{"language":"python","source_code":"","tests":[` + strings.TrimSuffix(strings.Repeat(`{"weight":-1,"a":1,"b":2},`, 100), ",") + `]}`
	a := h.do(http.MethodPost, "/v1/jobs", body).want(http.StatusUnprocessableEntity)
	if p := into[web.Problem](a); len(p.Errors) != 100 || !strings.Contains(p.Detail, "more") {
		t.Errorf("%d faults: %s", len(p.Errors), p.Detail)
	}
}

// A body of a few megabytes holds a million items: none of them may be decoded. This test counts
// allocated bytes, so it runs alone.
func TestManySmallItemsTakeLittleMemory(t *testing.T) { //nolint:paralleltest // see above
	h := setup(t)
	items := strings.Repeat(`{},`, 1<<20) + `{}]}`
	for _, c := range [][2]string{
		{"/v1/jobs", `{"language":"python","source_code":"","tests":[` + items},
		{"/v1/jobs", `{"language":"python","files":[` + items},
		{"/v1/batches", `{"jobs":[` + items},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.do(http.MethodPost, c[0], c[1]).want(http.StatusUnprocessableEntity).faults()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("%.50s: %d MiB allocated", c[1], n>>20)
		}
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Limits.Batch = 4 })
	body := `{"jobs":[` + hello + `,{"language":"cobol","source_code":"x"},{"priority":"high"},` + hello + `]}`
	res := into[web.BatchResponse](h.do(http.MethodPost, "/v1/batches", body, "Idempotency-Key", "b").want(http.StatusOK))
	if res.Accepted != 2 || res.Refused != 2 || len(res.Results) != 4 {
		t.Fatalf("%+v", res)
	}
	if res.Results[0].Job == nil || res.Results[3].Job == nil || res.Results[1].Error.Errors[0].Pointer != "#/jobs/1/language" {
		t.Errorf("%+v", res.Results)
	}
	var pointers []string
	for _, f := range res.Results[2].Error.Errors {
		pointers = append(pointers, f.Pointer)
	}
	slices.Sort(pointers)
	if !slices.Equal(pointers, []string{"#/jobs/2/language", "#/jobs/2/priority", "#/jobs/2/source_code"}) {
		t.Errorf("pointers %v", pointers)
	}
	again := into[web.BatchResponse](h.do(http.MethodPost, "/v1/batches", body, "Idempotency-Key", "b").want(http.StatusOK))
	if again.Results[0].Job.ID != res.Results[0].Job.ID || again.Results[3].Job.ID != res.Results[3].Job.ID || h.store.Jobs() != 2 {
		t.Errorf("repeated: %+v", again)
	}
	for _, bad := range []string{`{"jobs":[]}`, `{}`, `{"jobs":[1,2,3,4,5]}`, `{"jobs":{}}`, `{"jobs":[{}],"x":1}`} {
		h.do(http.MethodPost, "/v1/batches", bad).want(http.StatusUnprocessableEntity).faults()
	}
}

func TestStoreErrorsShow(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello).String()
	h.store.SetDepth(1)
	a := h.do(http.MethodPost, "/v1/jobs", hello).want(http.StatusTooManyRequests)
	if a.faults(); a.Header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	for err, status := range map[error]int{
		store.ErrUnavailable: http.StatusServiceUnavailable, store.ErrClosed: http.StatusServiceUnavailable,
		store.ErrTooLarge: http.StatusRequestEntityTooLarge, store.ErrSchema: http.StatusInternalServerError,
	} {
		h.store.SetFailure(err)
		for _, r := range [][2]string{{"POST", "/v1/jobs"}, {"GET", "/v1/jobs"}, {"GET", "/v1/jobs/" + id}, {"GET", "/v1/queues"}} {
			body := ""
			if r[0] == "POST" {
				body = hello
			}
			h.do(r[0], r[1], body).want(status).faults()
		}
	}
	if !strings.Contains(h.log.String(), `"cause":"internal_error`) {
		t.Errorf("no cause in the log: %s", h.log)
	}
}

func TestBinaryOutput(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	r := accepted()
	r.Tests[0].Outcome = sandbox.Outcome{
		Signal: 11, Memory: -1, Processes: -1, Stdout: []byte("\xff\x00"), Stderr: []byte("caf\xc3"), StderrTruncated: true, Exceeded: "cpu",
	}
	r.Tests = append(r.Tests, sandbox.TestReport{ID: "2", Verdict: sandbox.Skipped, Weight: 1})
	must(t, h.store.Finish(id, r))
	job := into[web.Job](h.do(http.MethodGet, "/v1/jobs/"+id.String(), "").want(http.StatusOK))
	run := job.Tests[0].Run
	if run.Stdout != "/wA=" || run.StdoutEncoding != "base64" || run.Stderr != "caf" || run.StderrEncoding != "" || !run.StderrTruncated {
		t.Errorf("%+v", run)
	}
	if run.ExitCode != nil || run.Signal != 11 || run.SignalName != "SIGSEGV" || run.Memory != nil || run.Exceeded != "cpu" {
		t.Errorf("%+v", run)
	}
	if job.Tests[1].Run != nil {
		t.Error("a skipped test has a run")
	}
}

func TestOperatorRoutes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	langs := into[web.LanguageList](h.do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)).Languages
	if len(langs) != 3 || langs[1].Available || langs[1].HowToGet != "optimus admin images build java" || langs[1].TimeFactor != 2 || langs[2].HowToGet != "" ||
		langs[1].State != "missing" || langs[1].Image != "test/java" || langs[1].ImageDigest != "" || langs[2].State != "available" || langs[2].ImageDigest != "sha256:123" || langs[2].ImageBytes != 31_000_000 {
		t.Errorf("languages: %+v", langs)
	}
	h.submit(hello)
	queue := into[web.Queue](h.do(http.MethodPost, "/v1/queues/default/pause", "").want(http.StatusOK))
	if !queue.Paused || queue.State != "paused" {
		t.Errorf("queue: %+v", queue)
	}
	queues := into[web.QueueList](h.do(http.MethodGet, "/v1/queues", "").want(http.StatusOK)).Queues
	if len(queues) != 1 || !queues[0].Paused || queues[0].Ready != 1 {
		t.Errorf("queues: %+v", queues)
	}
	if into[web.Queue](h.do(http.MethodPost, "/v1/queues/default/resume", "").want(http.StatusOK)).Paused {
		t.Error("still paused")
	}
	h.do(http.MethodPost, "/v1/queues/other/pause", "").want(http.StatusNotFound).faults()
	if q := into[web.Queue](h.do(http.MethodPost, "/v1/queues/default/drain", "").want(http.StatusOK)); q.State != "draining" || q.Paused {
		t.Errorf("queue: %+v", q)
	}
	refused := h.do(http.MethodPost, "/v1/jobs", hello).want(http.StatusServiceUnavailable)
	if p := into[web.Problem](refused); p.Code != "queue_drained" || refused.Header.Get("Retry-After") != "30" {
		t.Errorf("refused with %+v, %v", p, refused.Header)
	}
	h.do(http.MethodPost, "/v1/queues/default/resume", "").want(http.StatusOK)
	h.do(http.MethodPost, "/v1/jobs", hello).want(http.StatusAccepted)
	h.store.SetFailure(&store.QueueFullError{Queue: "default", TenantQueued: 3, RetryAfter: 2 * time.Second})
	refused = h.do(http.MethodPost, "/v1/jobs", hello).want(http.StatusTooManyRequests)
	if p := into[web.Problem](refused); p.Code != "tenant_full" || refused.Header.Get("Retry-After") != "2" ||
		!strings.Contains(p.Detail, "3 jobs") || !strings.Contains(p.Detail, "store.tenant_queued") {
		t.Errorf("refused with %+v, %v", p, refused.Header)
	}
	h.store.SetFailure(nil)
	h.store.SetWorkers(store.Worker{Name: "w1", Lanes: []store.Lane{{Language: "python", Tier: sandbox.Shared}}, Slots: 2, Started: time.Now()})
	workers := into[web.WorkerList](h.do(http.MethodGet, "/v1/workers", "").want(http.StatusOK)).Workers
	if len(workers) != 1 || workers[0].Lanes[0] != "python/shared" {
		t.Errorf("workers: %+v", workers)
	}
}
