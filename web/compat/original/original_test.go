package original_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

func TestExecuteReachesTheStore(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.execute(`{"language":"cpp","source_code":"int main(){}","timeout_ms":1234,"unknown":{"a":[1]},
		"test_cases":[{"input":"1","expected_output":"2"},{"input":"3","expected_output":"","weight":4}]}`)
	job, err := h.store.Get(t.Context(), id)
	must(t, err)
	sub := job.Submission
	if sub.Language.Name != "cpp" || sub.Source.Files[0].Name != "main.cpp" || sub.Limits != (sandbox.Limits{Wall: 1234 * time.Millisecond}) {
		t.Errorf("submission: %+v", sub)
	}
	a, b := sub.Tests[0], sub.Tests[1]
	if a.ID != "1" || string(a.Input) != "1" || *a.Expected != "2" || a.Weight != 10 {
		t.Errorf("first test: %+v", a)
	}
	if b.ID != "2" || *b.Expected != "" || b.Weight != 4 {
		t.Errorf("second test: %+v", b)
	}
	job, err = h.store.Get(t.Context(), h.execute(simple))
	must(t, err)
	if job.Submission.Limits.Wall != 5*time.Second || job.Queue != "default" {
		t.Errorf("defaults: %+v", job)
	}
}

func TestErrorsAndTheirOrder(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) {
		o.Limits.Original = web.OriginalLimits{Tests: 2, Source: 10, Input: 4, Expected: 4, MaxTimeout: 100 * time.Millisecond}
	})
	h.execute(`{"language":"python","source_code":"x","timeout_ms":1,"test_cases":[{"input":"","expected_output":""}]}`, "Idempotency-Key", "k")
	test := func(in, out string) string {
		return fmt.Sprintf(`{"input":%q,"expected_output":%q}`, in, out)
	}
	body := func(lang, source, tests string, timeout int) string {
		return fmt.Sprintf(`{"language":%q,"source_code":%q,"test_cases":[%s],"timeout_ms":%d}`, lang, source, tests, timeout)
	}
	long, ok := "12345", test("1", "1")
	// Each request has its own fault and all the later ones, as far as they go together.
	for _, c := range []struct {
		status    int
		code, key string
		body      string
	}{
		{422, "LANGUAGE_NOT_SUPPORTED", "k", body("cobol", "", "", 0)},
		{422, "LANGUAGE_NOT_SUPPORTED", "k", body("java", "", "", 0)},
		{409, "IDEMPOTENCY_CONFLICT", "k", body("python", "", "", 0)},
		{400, "NO_TEST_CASES", "", body("python", "", "", 0)},
		{400, "TOO_MANY_TEST_CASES", "", body("python", strings.Repeat("x", 11), strings.Join([]string{test(long, long), ok, ok}, ","), 0)},
		{413, "SOURCE_CODE_TOO_LARGE", "", body("python", strings.Repeat(" ", 11), test(long, long), 0)},
		{400, "EMPTY_SOURCE_CODE", "", body("python", " \n", test(long, long), 0)},
		{413, "TEST_CASE_INPUT_TOO_LARGE", "", body("python", "x", test("1", long)+","+test(long, "1"), 0)},
		{413, "TEST_CASE_OUTPUT_TOO_LARGE", "", body("python", "x", test("1", long), 0)},
		{400, "INVALID_TIMEOUT", "", body("python", "x", ok, 0)},
		{400, "INVALID_TIMEOUT", "", body("python", "x", ok, 101)},
		{400, "INVALID_TIMEOUT", "", body("python", "x", ok, -1)},
		{400, "INVALID_JSON", "", `{"language":`},
		{400, "INVALID_JSON", "", "{\"language\":\"python\",\"source_code\":\"\xff\"}"},
		{422, "INVALID_REQUEST", "", `{"language":5}`},
		{422, "INVALID_REQUEST", "", `[]`},
		{422, "INVALID_REQUEST", "", `{"language":"python","test_cases":{}}`},
		{422, "INVALID_REQUEST", "", `{"language":"python","test_cases":"x"}`},
		{422, "INVALID_REQUEST", "", `{"language":"python","test_cases":[5]}`},
		{400, "NO_TEST_CASES", "", `{"language":"python","source_code":"x","test_cases":null}`},
		{422, "INVALID_REQUEST", "", `{"language":"python","test_cases":[{"weight":-1}]}`},
	} {
		h.refused(c.status, c.code, http.MethodPost, "/execute", c.body, "Idempotency-Key", c.key)
	}
	h.refused(415, "UNSUPPORTED_MEDIA_TYPE", http.MethodPost, "/execute", simple, "Content-Type", "text/plain")
	h.refused(405, "METHOD_NOT_ALLOWED", http.MethodGet, "/execute", "")
	h.store.SetDepth(1)
	h.refused(429, "QUEUE_FULL", http.MethodPost, "/execute", body("python", "x", ok, 1))
	h.store.SetDepth(0)
	if err := h.store.SetQueueState(t.Context(), "default", store.QueueDraining); err != nil {
		t.Fatal(err)
	}
	h.refused(429, "QUEUE_FULL", http.MethodPost, "/execute", body("python", "x", ok, 1))
	h.store.SetFailure(store.ErrUnavailable)
	h.refused(500, "QUEUE_FAILURE", http.MethodPost, "/execute", body("python", "x", ok, 1))
}

func TestWrongTypesAreNamed(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for body, say := range map[string]string{
		`[]`:                                                       "the body must be an object, not array",
		`{"language":5}`:                                           `"language" must be a string, not number`,
		`{"language":"python","timeout_ms":1.5}`:                   `"timeout_ms" must be a whole number, not number 1.5`,
		`{"language":"python","test_cases":{}}`:                    `"test_cases" must be an array of objects`,
		`{"language":"python","test_cases":[5]}`:                   `"test_cases[0]" must be an object, not number`,
		`{"language":"python","test_cases":[{},null]}`:             `"test_cases[1]" must be an object, not null`,
		`{"language":"python","test_cases":[{},{"weight":-1}]}`:    `"test_cases[1].weight" must be a whole number from 0 to 4294967295, not number -1`,
		`{"language":"python","test_cases":[{"input":["x"]}]}`:     `"test_cases[0].input" must be a string, not array`,
		`{"language":"python","test_cases":[{"expected_output":]}`: `invalid character`,
	} {
		status, code := http.StatusUnprocessableEntity, "INVALID_REQUEST"
		if say == `invalid character` {
			status, code = http.StatusBadRequest, "INVALID_JSON"
		}
		v := h.do(status, http.MethodPost, "/execute", body)
		inner, _ := v["error"].(map[string]any)
		if message, _ := inner["message"].(string); inner["code"] != code || !strings.Contains(message, say) {
			t.Errorf("%s: %v, want %s", body, inner, say)
		}
	}
}

func TestManySmallTestsTakeLittleMemory(t *testing.T) {
	t.Parallel()
	h := setup(t)
	body := `{"language":"python","source_code":"x","test_cases":[` + strings.Repeat(`{},`, 1<<20) + `{}]}`
	h.refused(http.StatusBadRequest, "TOO_MANY_TEST_CASES", http.MethodPost, "/execute", body)
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Limits.Body = 100 })
	h.refused(413, "TOO_LARGE", http.MethodPost, "/execute", strings.Repeat(" ", 101))
}

func TestVerdictsShowAsDecided(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for v, want := range map[sandbox.Verdict][2]string{
		sandbox.Accepted:            {"passed", "completed"},
		sandbox.WrongAnswer:         {"failed", "failed"},
		sandbox.PresentationError:   {"failed", "failed"},
		sandbox.Skipped:             {"failed", "failed"},
		sandbox.Cancelled:           {"failed", "cancelled"},
		sandbox.TimeLimitExceeded:   {"timelimitexceeded", "timedout"},
		sandbox.RuntimeError:        {"runtimeerror", "failed"},
		sandbox.MemoryLimitExceeded: {"runtimeerror", "failed"},
		sandbox.OutputLimitExceeded: {"runtimeerror", "failed"},
		sandbox.CompileError:        {"runtimeerror", "failed"},
		sandbox.InternalError:       {"runtimeerror", "failed"},
	} {
		id := h.ended(v)
		got := h.do(http.StatusOK, http.MethodGet, "/job/"+id.String(), "")
		r := results(t, got)[0]
		if got["overall_status"] != want[1] || r["status"] != want[0] || r["verdict"] != string(v) {
			t.Errorf("%s: %v, want %v", v, got, want)
		}
		if got["job_id"] != id.String() || got["max_score"] != 10.0 || r["test_id"] != 1.0 ||
			r["stdout"] != "out" || r["stderr"] != "noise" || r["execution_time_ms"] != 2.0 {
			t.Errorf("%s: fields %v", v, got)
		}
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.execute(simple)
	for range 2 {
		v := h.do(http.StatusAccepted, http.MethodGet, "/job/"+id.String(), "")
		if v["job_id"] != id.String() || v["status"] != "pending" || v["message"] == "" {
			t.Errorf("answer %v", v)
		}
		must(t, h.store.Start(id))
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	h := setup(t)
	path := "/job/" + h.execute(simple).String()
	v := h.do(http.StatusOK, http.MethodPost, path+"/cancel", "")
	if v["status"] != "cancelling" || v["message"] == "" {
		t.Errorf("answer %v", v)
	}
	h.refused(http.StatusConflict, "JOB_ALREADY_FINISHED", http.MethodPost, path+"/cancel", "")
	if v := h.do(http.StatusOK, http.MethodGet, path, ""); v["overall_status"] != "cancelled" {
		t.Errorf("answer %v", v)
	}
	h.refused(http.StatusBadRequest, "INVALID_JOB_ID", http.MethodPost, "/job/x/cancel", "")
}

func TestDebug(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.execute(simple)
	check := func(status string, attempts float64, reason any, inMain, inRetry, inDLQ bool) {
		t.Helper()
		v := h.do(http.StatusOK, http.MethodGet, "/job/"+id.String()+"/debug", "")
		if v["status"] != status || v["attempts"] != attempts || v["max_attempts"] != 3.0 || v["last_failure_reason"] != reason ||
			v["in_main_queue"] != inMain || v["in_retry_queue"] != inRetry || v["in_dlq"] != inDLQ {
			t.Errorf("want %s, got %v", status, v)
		}
		_, has := v["result"].(map[string]any)
		if ended := status == "completed" || status == "dead_letter_queue"; has != ended {
			t.Errorf("%s: result %v", status, v["result"])
		}
	}
	check("queued", 0, nil, true, false, false)
	must(t, h.store.Start(id))
	check("queued", 1, nil, false, false, false)
	must(t, h.store.Retry(id, "agent lost"))
	check("retrying", 1, "agent lost", false, true, false)
	must(t, h.store.Start(id))
	must(t, h.store.Bury(id, "box broke"))
	check("dead_letter_queue", 2, "box broke", false, false, true)
	id = h.ended(sandbox.Accepted)
	check("completed", 1, nil, false, false, false)
	v := h.do(http.StatusOK, http.MethodGet, "/job/7f4df1c8-3a54-4f8a-9b43-0d9a3e1f5a11/debug", "")
	if v["status"] != "unknown" {
		t.Errorf("answer %v", v)
	}
	h.refused(http.StatusBadRequest, "INVALID_JOB_ID", http.MethodGet, "/job/x/debug", "")
}

func TestHealthIsASuperset(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, path := range []string{"/health", "/ready"} {
		v := h.do(http.StatusOK, http.MethodGet, path, "")
		if v["redis_connected"] != true || v["status"] == "" || v["timestamp"] == nil || v["uptime_seconds"] == nil {
			t.Errorf("%s: %v", path, v)
		}
	}
	h.store.SetFailure(store.ErrUnavailable)
	for _, path := range []string{"/health", "/ready"} {
		if v := h.do(http.StatusServiceUnavailable, http.MethodGet, path, ""); v["redis_connected"] != false {
			t.Errorf("%s: %v", path, v)
		}
	}
}
