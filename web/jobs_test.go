package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

func TestSubmitAndGet(t *testing.T) {
	t.Parallel()
	h := setup(t)
	a := h.do(http.MethodPost, "/v1/jobs", hello).want(http.StatusAccepted)
	job := into[web.Job](a)
	if job.State != "queued" || job.Language != "python" || job.LanguageVersion != "3.13.5" || job.Queue != "default" {
		t.Errorf("submitted job: %s", a.Body)
	}
	if got := a.Header.Get("Location"); got != "/v1/jobs/"+job.ID {
		t.Errorf("Location %q", got)
	}
	id := mustID(t, job.ID)
	must(t, h.store.Start(id))
	must(t, h.store.Finish(id, accepted()))
	a = h.do(http.MethodGet, "/v1/jobs/"+job.ID, "").want(http.StatusOK)
	job = into[web.Job](a)
	if job.State != "completed" || job.Verdict != "accepted" || *job.Score != 1 || len(job.Tests) != 1 || job.Submission != nil {
		t.Fatalf("ended job: %s", a.Body)
	}
	run := job.Tests[0].Run
	if run.CPU != 12.346 || run.Wall != 20 || *run.Memory != 9<<20 || run.Stdout != "7\n" || *run.ExitCode != 0 {
		t.Errorf("run: %s", a.Body)
	}
	if strings.Contains(h.log.String(), "print(input") {
		t.Errorf("source code in the log: %s", h.log)
	}
	if !strings.Contains(h.log.String(), job.ID) {
		t.Errorf("no job id in the log: %s", h.log)
	}
}

func TestSubmissionReachesTheStore(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(`{
		"language": "c++", "version": "14.2",
		"files": [{"content": "int main(){}"}, {"name": "inc/a.h", "content": "AAH/", "encoding": "base64"}],
		"args": ["-x", "1"],
		"limits": {"cpu_ms": 1500, "memory_bytes": 67108864},
		"checker": {"kind": "float", "absolute": 0.5},
		"stop_on_failure": true, "priority": 7, "queue": "slow", "labels": {"course/id": "42"},
		"tests": [
			{"id": "a", "input": "AP8=", "encoding": "base64", "weight": 2.5},
			{"input": "x", "expected_output": "", "limits": {"wall_ms": 3000}, "checker": {"kind": "exact"}}
		]}`)
	job, err := h.store.Get(t.Context(), id)
	must(t, err)
	sub := job.Submission
	if sub.Language.Name != "cpp" || job.Queue != "slow" || job.Priority != 7 || job.Labels["course/id"] != "42" {
		t.Errorf("job: %+v", job)
	}
	if len(sub.Source.Files) != 2 || sub.Source.Files[0].Name != "main.cpp" || string(sub.Source.Files[1].Content) != "\x00\x01\xff" {
		t.Errorf("source: %+v", sub.Source)
	}
	if sub.Limits != (sandbox.Limits{CPU: 1500 * time.Millisecond, Memory: 64 << 20}) || !sub.StopOnFailure {
		t.Errorf("limits: %+v", sub.Limits)
	}
	if sub.Checker != (sandbox.Checker{Kind: sandbox.CheckFloat, Absolute: 0.5}) {
		t.Errorf("checker: %+v", sub.Checker)
	}
	a, b := sub.Tests[0], sub.Tests[1]
	if a.ID != "a" || string(a.Input) != "\x00\xff" || a.Expected != nil || a.Weight != 2.5 {
		t.Errorf("first test: %+v", a)
	}
	if b.ID != "2" || b.Expected == nil || *b.Expected != "" || b.Weight != 1 || b.Limits.Wall != 3*time.Second || b.Checker.Kind != "exact" {
		t.Errorf("second test: %+v", b)
	}
	got := into[web.Job](h.do(http.MethodGet, "/v1/jobs/"+id.String()+"?include=submission", "").want(http.StatusOK))
	s := got.Submission
	if s.Files[1].Encoding != "base64" || s.Tests[0].Input != "AP8=" || *s.Tests[1].ExpectedOutput != "" || *s.Limits.CPU != 1500 {
		t.Errorf("submission given back: %+v", s)
	}
}

// TestBinaryGoesThroughUnharmed: files, input, expected and actual output may be any bytes.
func TestBinaryGoesThroughUnharmed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(`{"language":"cpp","files":[{"content":"/w==","encoding":"base64"}],"tests":[
		{"input":"AA==","expected_output":"/w==","encoding":"base64"},
		{"input":"dGV4dA==","expected_output":"gIE=","encoding":"base64"}]}`)
	job, err := h.store.Get(t.Context(), id)
	must(t, err)
	if tests := job.Submission.Tests; string(tests[0].Input) != "\x00" || *tests[0].Expected != "\xff" || *tests[1].Expected != "\x80\x81" {
		t.Errorf("tests %+v", tests)
	}
	must(t, h.store.Start(id))
	report := accepted()
	report.Tests[0].Outcome.Stdout, report.Tests[0].Outcome.Stderr = []byte("\xff"), []byte("a\xc3")
	must(t, h.store.Finish(id, report))
	got := into[web.Job](h.do(http.MethodGet, "/v1/jobs/"+id.String()+"?include=submission", "").want(http.StatusOK))
	if tests := got.Submission.Tests; tests[0].Encoding != "base64" || tests[0].Input != "AA==" || *tests[0].ExpectedOutput != "/w==" ||
		tests[1].Encoding != "base64" || tests[1].Input != "dGV4dA==" || *tests[1].ExpectedOutput != "gIE=" {
		t.Errorf("given back: %+v", tests)
	}
	if run := got.Tests[0].Run; run.Stdout != "/w==" || run.StdoutEncoding != "base64" || run.Stderr != "YcM=" || run.StderrEncoding != "base64" {
		t.Errorf("run %+v", run)
	}
}

func TestPlainRun(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for body, input := range map[string]string{
		`{"language":"py","source_code":"1","stdin":"abc"}`:                            "abc",
		`{"language":"py","source_code":"1","stdin":"/w==","stdin_encoding":"base64"}`: "\xff",
		`{"language":"py","source_code":""}`:                                           "",
	} {
		job, err := h.store.Get(t.Context(), h.submit(body))
		must(t, err)
		tests := job.Submission.Tests
		if len(tests) != 1 || tests[0].ID != "1" || string(tests[0].Input) != input || tests[0].Expected != nil || tests[0].Weight != 1 {
			t.Errorf("%s: tests %+v", body, tests)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.judge(accepted())
	job := into[web.Job](h.do(http.MethodPost, "/v1/jobs?wait=10s", hello).want(http.StatusOK))
	if job.State != "completed" || job.Tests[0].Run.Stdout != "7\n" {
		t.Errorf("%+v", job)
	}
	h.store.OnSubmit(nil)
	job = into[web.Job](h.do(http.MethodPost, "/v1/jobs?wait=5ms", hello).want(http.StatusAccepted))
	if job.State != "queued" {
		t.Errorf("state %q after the wait", job.State)
	}
	// A job that ends while a GET waits for it.
	id := mustID(t, job.ID)
	done := make(chan *answer)
	go func() { done <- h.do(http.MethodGet, "/v1/jobs/"+job.ID+"?wait=20", "") }()
	eventually(t, func() bool { return h.store.Watchers(id) == 1 })
	must(t, h.store.Start(id))
	must(t, h.store.Emit(id, store.EventTest, accepted().Tests[0]))
	must(t, h.store.Finish(id, accepted()))
	if job = into[web.Job]((<-done).want(http.StatusOK)); job.State != "completed" {
		t.Errorf("state %q", job.State)
	}
	eventually(t, func() bool { return h.store.Watchers(id) == 0 })
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	h := setup(t)
	first := into[web.Job](h.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", "k1").want(http.StatusAccepted))
	a := h.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", "k1").want(http.StatusAccepted)
	if again := into[web.Job](a); again.ID != first.ID || a.Header.Get("Idempotency-Replayed") != "true" || again.Language != "python" {
		t.Errorf("replayed: %s", a.Body)
	}
	other := strings.Replace(hello, "print", "PRINT", 1)
	h.do(http.MethodPost, "/v1/jobs", other, "Idempotency-Key", "k1").want(http.StatusConflict).faults()
	must(t, h.store.Finish(mustID(t, first.ID), accepted()))
	if again := into[web.Job](h.do(http.MethodPost, "/v1/jobs?wait=1s", hello, "Idempotency-Key", "k1").want(http.StatusOK)); again.ID != first.ID {
		t.Error("another job")
	}
	if h.store.Jobs() != 1 {
		t.Errorf("%d jobs", h.store.Jobs())
	}
	h.do(http.MethodDelete, "/v1/jobs/"+first.ID, "").want(http.StatusNoContent)
	h.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", "k1").want(http.StatusConflict).faults()
	f := h.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", strings.Repeat("x", 256)).want(http.StatusUnprocessableEntity).faults()
	if f["header.Idempotency-Key"] == "" {
		t.Errorf("faults: %v", f)
	}
}

func TestCancelDeleteRedrive(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	path := "/v1/jobs/" + id.String()
	h.do(http.MethodDelete, path, "").want(http.StatusConflict).faults()
	if job := into[web.Job](h.do(http.MethodPost, path+"/cancel", "").want(http.StatusOK)); job.State != "cancelled" {
		t.Errorf("state %q", job.State)
	}
	h.do(http.MethodPost, path+"/cancel", "").want(http.StatusConflict).faults()
	h.do(http.MethodPost, path+"/redrive", "").want(http.StatusConflict).faults()
	h.do(http.MethodDelete, path, "").want(http.StatusNoContent)
	h.do(http.MethodGet, path, "").want(http.StatusNotFound).faults()

	id = h.submit(hello)
	path = "/v1/jobs/" + id.String()
	must(t, h.store.Start(id))
	if job := into[web.Job](h.do(http.MethodPost, path+"/cancel", "").want(http.StatusOK)); job.State != "running" || !job.CancelRequested {
		t.Errorf("%+v", job)
	}
	must(t, h.store.Bury(id, "the box broke"))
	job := into[web.Job](h.do(http.MethodGet, path, "").want(http.StatusOK))
	if job.State != "failed" || job.Error != "the box broke" || len(job.History) != 1 {
		t.Errorf("%+v", job)
	}
	if job := into[web.Job](h.do(http.MethodPost, path+"/redrive", "").want(http.StatusOK)); job.State != "queued" {
		t.Errorf("%+v", job)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	h := setup(t)
	ids := []string{h.submit(hello).String(), h.submit(hello).String(), h.submit(hello).String()}
	must(t, h.store.Finish(mustID(t, ids[0]), accepted()))
	page := into[web.JobList](h.do(http.MethodGet, "/v1/jobs?limit=2", "").want(http.StatusOK))
	if len(page.Jobs) != 2 || page.Jobs[0].ID != ids[2] || page.NextCursor == "" {
		t.Fatalf("first page: %+v", page)
	}
	page = into[web.JobList](h.do(http.MethodGet, "/v1/jobs?limit=2&cursor="+page.NextCursor, "").want(http.StatusOK))
	if len(page.Jobs) != 1 || page.Jobs[0].ID != ids[0] || page.NextCursor != "" || page.Jobs[0].Verdict != "accepted" {
		t.Fatalf("last page: %+v", page)
	}
	page = into[web.JobList](h.do(http.MethodGet, "/v1/jobs?state=completed,failed&queue=default&since=2020-01-01T00:00:00Z", "").want(http.StatusOK))
	if len(page.Jobs) != 1 {
		t.Errorf("filtered: %+v", page)
	}
	for query, parameter := range map[string]string{
		"limit=0": "query.limit", "limit=1001": "query.limit", "limit=x": "query.limit", "state=done": "query.state",
		"since=yesterday": "query.since", "cursor=zz": "query.cursor", "colour=red": "query.colour",
	} {
		if f := h.do(http.MethodGet, "/v1/jobs?"+query, "").want(http.StatusUnprocessableEntity).faults(); f[parameter] == "" {
			t.Errorf("%s: faults %v", query, f)
		}
	}
	all := h.do(http.MethodGet, "/v1/jobs?limit=0&since=yesterday&state=done", "").want(http.StatusUnprocessableEntity)
	problem := into[web.Problem](all)
	if problem.Detail != "3 faults; see errors" {
		t.Errorf("detail %q", problem.Detail)
	}
	for _, f := range problem.Errors {
		if !strings.HasPrefix(f.Detail, "is ") {
			t.Errorf("%s: %q", f.Parameter, f.Detail)
		}
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-deadline:
			t.Fatal("condition did not come about")
		case <-time.After(time.Millisecond):
		}
	}
}
