package original_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
	"optimus/web/webtest"
)

func TestFaultGone_UnknownIDIsNotPending(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.refused(http.StatusNotFound, "JOB_NOT_FOUND", http.MethodGet, "/job/"+store.NewID(time.Now(), 0, 0).String(), "")
	h.refused(http.StatusNotFound, "JOB_NOT_FOUND", http.MethodGet, "/job/7f4df1c8-3a54-4f8a-9b43-0d9a3e1f5a11", "")
	h.refused(http.StatusBadRequest, "INVALID_JOB_ID", http.MethodGet, "/job/7f4df1c8", "")
}

func TestFaultGone_OverallStatusNeedsEveryTest(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.ended(sandbox.Accepted, sandbox.WrongAnswer)
	v := h.do(http.StatusOK, http.MethodGet, "/job/"+id.String(), "")
	if v["overall_status"] != "failed" || v["score"] != 10.0 || v["max_score"] != 20.0 {
		t.Errorf("answer %v", v)
	}
}

func TestFaultGone_StderrDoesNotFail(t *testing.T) {
	t.Parallel()
	h := setup(t)
	v := h.do(http.StatusOK, http.MethodGet, "/job/"+h.ended(sandbox.Accepted).String(), "")
	if r := results(t, v)[0]; r["stderr"] != "noise" || r["status"] != "passed" || v["overall_status"] != "completed" {
		t.Errorf("answer %v", v)
	}
}

func TestFaultGone_CompileErrorHasItsVerdictAndMessage(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, tests := range [][]sandbox.TestReport{nil, {{ID: "1", Verdict: sandbox.CompileError}}} {
		id := h.execute(strings.Replace(simple, "python", "cpp", 1))
		must(t, h.store.Finish(id, sandbox.Report{
			Verdict: sandbox.CompileError, MaxScore: 10, Tests: tests,
			Compile: &sandbox.Outcome{ExitCode: 1, Stderr: []byte("main.cpp:1: error")},
		}))
		v := h.do(http.StatusOK, http.MethodGet, "/job/"+id.String(), "")
		r := results(t, v)
		if len(r) != 1 || r[0]["status"] != "runtimeerror" || r[0]["verdict"] != "compile_error" || r[0]["stderr"] != "main.cpp:1: error" {
			t.Errorf("answer %v", v)
		}
	}
}

func TestFaultGone_MemoryAndOutputHaveTheirVerdict(t *testing.T) {
	t.Parallel()
	h := setup(t)
	v := h.do(http.StatusOK, http.MethodGet, "/job/"+h.ended(sandbox.MemoryLimitExceeded, sandbox.OutputLimitExceeded).String(), "")
	if r := results(t, v); r[0]["verdict"] != "memory_limit_exceeded" || r[1]["verdict"] != "output_limit_exceeded" {
		t.Errorf("answer %v", v)
	}
}

func TestFaultGone_OwnFailureIsNotTheUsers(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.execute(simple)
	must(t, h.store.Start(id))
	must(t, h.store.Retry(id, "container died"))
	if v := h.do(http.StatusOK, http.MethodGet, "/job/"+id.String()+"/debug", ""); v["status"] != "retrying" {
		t.Errorf("not retried: %v", v)
	}
	h.do(http.StatusAccepted, http.MethodGet, "/job/"+id.String(), "")
	must(t, h.store.Start(id))
	must(t, h.store.Bury(id, "container died again"))
	v := h.do(http.StatusOK, http.MethodGet, "/job/"+id.String(), "")
	if r := results(t, v); v["state"] != "failed" || r[0]["verdict"] != "internal_error" || r[0]["stderr"] != "container died again" {
		t.Errorf("dead letter: %v", v)
	}
}

func TestFaultGone_OutputKeptOnATimeout(t *testing.T) {
	t.Parallel()
	h := setup(t)
	v := h.do(http.StatusOK, http.MethodGet, "/job/"+h.ended(sandbox.TimeLimitExceeded).String(), "")
	if r := results(t, v)[0]; r["stdout"] != "out" || r["status"] != "timelimitexceeded" || v["overall_status"] != "timedout" {
		t.Errorf("answer %v", v)
	}
}

func TestFaultGone_IdempotencyHasNoRace(t *testing.T) {
	t.Parallel()
	h := setup(t)
	const clients = 50
	ids := make([]store.ID, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { ids[i] = h.execute(simple, "Idempotency-Key", "one") })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two jobs: %s and %s", ids[0], id)
		}
	}
	if n := h.store.Jobs(); n != 1 {
		t.Errorf("%d jobs", n)
	}
	// Another way to write the same payload is the same payload; another payload is a conflict.
	same := `{"test_cases":[{"weight":10,"expected_output":"1","input":""}], "timeout_ms":5000, "source_code":"print(1)","language":"python"}`
	if id := h.execute(same, "Idempotency-Key", "one"); id != ids[0] {
		t.Error("another job for the same payload")
	}
	h.refused(http.StatusConflict, "IDEMPOTENCY_CONFLICT", http.MethodPost, "/execute",
		strings.Replace(simple, "print(1)", "print(2)", 1), "Idempotency-Key", "one")
}

// unlisted is a catalogue of one language that the original had never heard of.
type unlisted struct{ webtest.Catalogue }

func (u unlisted) Resolve(name, version string) (sandbox.Language, error) {
	if name == "zig" {
		return sandbox.Language{Name: "zig", SourceFile: "main.zig", Run: []string{"zig", "run", "{source}"}}, nil
	}
	return u.Catalogue.Resolve(name, version)
}

func TestFaultGone_LanguagesComeFromTheCatalogue(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Catalogue = unlisted{} })
	job, err := h.store.Get(t.Context(), h.execute(strings.Replace(simple, "python", "zig", 1)))
	must(t, err)
	if job.Lane.Language != "zig" {
		t.Errorf("job %+v", job)
	}
}

func TestFaultGone_CompletionIsCountedOnce(t *testing.T) {
	t.Parallel()
	// Two API processes on one store; the worker of the first judges the job.
	first := setup(t)
	second := setup(t, func(o *web.Options) { o.Store = first.store })
	id := first.ended(sandbox.Accepted)
	first.metrics.JobEnded(store.Job{Lane: store.Lane{Language: "python"}, State: store.Completed, Started: time.Unix(0, 0), Finished: time.Unix(0, 20e6)})
	for _, h := range []*harness{first, second} {
		h.do(http.StatusOK, http.MethodGet, "/job/"+id.String(), "")
	}
	const counted = `optimus_jobs_completed_total{language="python",status="completed"} 1`
	if got := first.scrape(); !strings.Contains(got, counted) {
		t.Errorf("not counted by its own process:\n%s", got)
	}
	if got := second.scrape(); strings.Contains(got, "optimus_jobs_completed_total{") {
		t.Errorf("counted by another process too:\n%s", got)
	}
}

func (h *harness) scrape() string {
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, "http://127.0.0.1/metrics", http.NoBody))
	return w.Body.String()
}

func TestFaultGone_CompileIsNotInTheUsersTime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.execute(strings.Replace(simple, "python", "cpp", 1))
	must(t, h.store.Finish(id, sandbox.Report{
		Verdict: sandbox.Accepted, Score: 10, MaxScore: 10, Compile: &sandbox.Outcome{Wall: 3 * time.Second},
		Tests: []sandbox.TestReport{{ID: "1", Verdict: sandbox.Accepted, Outcome: sandbox.Outcome{Wall: 4 * time.Millisecond}}},
	}))
	if r := results(t, h.do(http.StatusOK, http.MethodGet, "/job/"+id.String(), ""))[0]; r["execution_time_ms"] != 4.0 {
		t.Errorf("result %v", r)
	}
}

func TestFaultGone_ResourcesAreMeasured(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.ended(sandbox.Accepted)
	v := h.do(http.StatusOK, http.MethodGet, "/v1/jobs/"+id.String(), "")
	tests, _ := v["tests"].([]any)
	test, _ := tests[0].(map[string]any)
	run, _ := test["run"].(map[string]any)
	for _, field := range []string{"cpu_ms", "wall_ms", "memory_bytes", "processes"} {
		if _, ok := run[field]; !ok {
			t.Errorf("no %s in %v", field, run)
		}
	}
}
