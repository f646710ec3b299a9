package modes

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"optimus/store"
	"optimus/web"
)

func testVerdicts(t *testing.T, l *lab) {
	l.needs(t, "cpp")
	s := l.serve(t)
	hurried := unhurried()
	hurried.CPU = new(int64(300))
	for name, c := range map[string]struct {
		job     web.JobRequest
		verdict string
		holds   func(web.Job) bool
	}{
		"accepted": {square(7), "accepted", func(j web.Job) bool {
			return j.Tests[0].Run.Stdout == "49\n" && *j.Score == 1 && *j.Tests[0].Run.Memory > 0 && j.Tests[0].Run.CPU > 0
		}},
		"wrong answer": {
			web.JobRequest{
				Language: "py", SourceCode: new("print(input())"), Limits: unhurried(),
				Tests: []web.TestRequest{
					{Input: "1\n", ExpectedOutput: new("1\n")},
					{ID: "second", Input: "1\n", ExpectedOutput: new("2\n"), Weight: new(3.0)},
				},
			},
			"wrong_answer", func(j web.Job) bool {
				return *j.Score == 1 && *j.MaxScore == 4 && j.Tests[0].Verdict == "accepted" && j.Tests[1].ID == "second"
			},
		},
		"compile error": {
			web.JobRequest{Language: "cpp", SourceCode: new("int main() { return nothing; }"), Stdin: new("")},
			"compile_error", func(j web.Job) bool {
				return strings.Contains(j.Compile.Stderr, "nothing") && *j.Compile.ExitCode != 0
			},
		},
		"time limit": {
			web.JobRequest{Language: "python", SourceCode: new("while True: pass"), Limits: hurried},
			"time_limit_exceeded", func(j web.Job) bool { return j.Tests[0].Run.Exceeded == "cpu" },
		},
	} {
		var job web.Job
		s.ask(t, http.MethodPost, "/v1/jobs?wait=60s", c.job, http.StatusOK).into(t, &job)
		if job.State != "completed" || job.Verdict != c.verdict || !c.holds(job) {
			t.Errorf("%s: the job is %+v", name, job)
		}
	}
	s.stop(t)
	l.kept(t)
}

// originalJob is an answer of GET /job/:id, with all its fields and no other.
type originalJob struct {
	JobID         string  `json:"job_id"`
	OverallStatus string  `json:"overall_status"`
	State         string  `json:"state"`
	Score         float64 `json:"score"`
	MaxScore      float64 `json:"max_score"`
	Results       []struct {
		TestID          int    `json:"test_id"`
		Status          string `json:"status"`
		Verdict         string `json:"verdict"`
		Stdout          string `json:"stdout"`
		Stderr          string `json:"stderr"`
		ExecutionTimeMS *int64 `json:"execution_time_ms"`
	} `json:"results"`
}

func testOriginalRoutes(t *testing.T, l *lab) {
	l.needs(t, "cpp")
	s := l.serve(t)
	for _, c := range []struct {
		body, overall, statuses, stderr string
		score, most                     float64
	}{
		{
			`{"language": "python", "source_code": "print(int(input()) + 1)", "timeout_ms": 60000, "test_cases": [
				{"input": "1", "expected_output": "2"}, {"input": "2", "expected_output": "3", "weight": 5}]}`,
			"completed", "passed/accepted passed/accepted", "", 15, 15,
		},
		{
			`{"language": "python", "source_code": "print(2)", "timeout_ms": 60000, "test_cases": [
				{"input": "1", "expected_output": "2"}, {"input": "2", "expected_output": "3", "weight": 5}]}`,
			"failed", "passed/accepted failed/wrong_answer", "", 10, 15,
		},
		{
			`{"language": "python", "source_code": "import time; time.sleep(50)", "timeout_ms": 300, "test_cases": [
				{"input": "", "expected_output": ""}]}`,
			"timedout", "timelimitexceeded/time_limit_exceeded", "", 0, 10,
		},
		{
			`{"language": "cpp", "source_code": "int main() { return nothing; }", "test_cases": [
				{"input": "", "expected_output": ""}]}`,
			"failed", "runtimeerror/compile_error", "nothing", 0, 10,
		},
	} {
		job := s.execute(t, c.body)
		var statuses []string
		for i, r := range job.Results {
			statuses = append(statuses, r.Status+"/"+r.Verdict)
			if r.TestID != i+1 || r.ExecutionTimeMS == nil || !strings.Contains(r.Stderr, c.stderr) {
				t.Errorf("result %d is %+v", i, r)
			}
		}
		if job.OverallStatus != c.overall || job.Score != c.score || job.MaxScore != c.most || strings.Join(statuses, " ") != c.statuses {
			t.Errorf("%s\ngives %+v", c.body, job)
		}
	}
	for path, status := range map[string]int{"nonsense": http.StatusBadRequest, store.ID{}.String(): http.StatusNotFound} {
		contains(t, path, string(s.ask(t, http.MethodGet, "/job/"+path, nil, status).body), `"error"`, `"code"`)
	}
	s.stop(t)
	l.kept(t)
}

// execute submits as the original's clients do, and asks until the job has ended.
func (a *api) execute(t *testing.T, body string) originalJob {
	t.Helper()
	var made struct {
		JobID string `json:"job_id"`
	}
	a.ask(t, http.MethodPost, "/execute", json.RawMessage(body), http.StatusAccepted).into(t, &made)
	var job originalJob
	eventually(t, "job "+made.JobID+" has ended", func() bool {
		r := a.ask(t, http.MethodGet, "/job/"+made.JobID, nil, http.StatusOK, http.StatusAccepted)
		if r.status == http.StatusAccepted {
			contains(t, "a pending job", string(r.body), `"status":"pending"`, `"message"`, made.JobID)
			return false
		}
		strict := json.NewDecoder(strings.NewReader(string(r.body)))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&job); err != nil {
			t.Fatalf("%v: %s", err, r.body)
		}
		return true
	})
	if job.JobID != made.JobID || job.State == "" {
		t.Errorf("job %s is answered as %+v", made.JobID, job)
	}
	return job
}

func testIdempotency(t *testing.T, l *lab) {
	const clients = 20
	s := l.serve(t)
	body := json.RawMessage(`{"language": "python", "source_code": "print(1)", "test_cases": [{"input": "", "expected_output": "1"}]}`)
	other := json.RawMessage(`{"language": "python", "source_code": "print(2)", "test_cases": [{"input": "", "expected_output": "1"}]}`)
	bodies := map[string][2]any{"/v1/jobs": {square(3), square(4)}, "/execute": {body, other}}
	for path, body := range bodies {
		key := http.Header{"Idempotency-Key": {"once " + path}}
		ids := make(chan string, clients)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				r, err := s.try(t.Context(), http.MethodPost, path, body[0], key)
				var made struct {
					ID    string `json:"id"`
					JobID string `json:"job_id"`
				}
				if err != nil || r.status != http.StatusAccepted && r.status != http.StatusOK || json.Unmarshal(r.body, &made) != nil {
					t.Errorf("%s gives %d, %v: %s", path, r.status, err, r.body)
				}
				ids <- made.ID + made.JobID
			})
		}
		all.Wait()
		close(ids)
		first := <-ids
		for id := range ids {
			if id != first {
				t.Errorf("%s: one key gave the jobs %q and %q", path, first, id)
			}
		}
		if r, err := s.try(t.Context(), http.MethodPost, path, body[1], key); err != nil || r.status != http.StatusConflict {
			t.Errorf("%s: the key with another body gives %d, %v", path, r.status, err)
		}
		s.ended(t, first)
	}
	s.stop(t)
	if jobs := l.kept(t); len(jobs) != len(bodies) {
		t.Errorf("%d jobs were made, want %d", len(jobs), len(bodies))
	}
}

func testCancel(t *testing.T, l *lab) {
	s := l.serve(t)
	running := []string{s.submit(t, sleeper(forever)), s.submit(t, sleeper(forever))}
	s.untilRunning(t, running...)
	queued := []string{s.submit(t, square(1)), s.submit(t, square(2))} // no slot is free for them
	for _, ids := range [][]string{queued, running} {
		for i, cancel := range []string{"/v1/jobs/%s/cancel", "/job/%s/cancel"} {
			s.ask(t, http.MethodPost, fmt.Sprintf(cancel, ids[i]), nil, http.StatusOK)
			if job := s.ended(t, ids[i]); job.State != "cancelled" || job.Verdict != "cancelled" {
				t.Errorf("job %s is %+v", ids[i], job)
			}
			s.ask(t, http.MethodPost, fmt.Sprintf(cancel, ids[i]), nil, http.StatusConflict)
			var job originalJob
			if s.ask(t, http.MethodGet, "/job/"+ids[i], nil, http.StatusOK).into(t, &job); job.OverallStatus != "cancelled" {
				t.Errorf("job %s is answered as %+v", ids[i], job)
			}
		}
	}
	s.stop(t)
	l.kept(t)
}

// event is a server-sent event.
type event struct {
	id         uint64
	kind, data string
}

// follow reads a job's events after one of them, until the stream ends or until says so.
func (a *api) follow(t *testing.T, id string, after uint64, until func(event) bool) []event {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if after > 0 {
		r.Header.Set("Last-Event-ID", strconv.FormatUint(after, 10))
	}
	got, err := a.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if kind := got.Header.Get("Content-Type"); got.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("events: %s, %s", got.Status, kind)
	}
	var events []event
	var e event
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id, err = strconv.ParseUint(value, 10, 64)
		case "event":
			e.kind = value
		case "data":
			e.data = value
			events = append(events, e)
			if until(e) {
				return events
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return events
}

func testEvents(t *testing.T, l *lab) {
	s := l.serve(t)
	id := s.submit(t, sleeper(forever))
	// The first client goes once the program's output has come: it is live, for the program sleeps.
	first := s.follow(t, id, 0, func(e event) bool { return e.kind == "output" && strings.Contains(e.data, "there") })
	if len(first) < 3 || !strings.Contains(first[0].data, `"queued"`) || first[len(first)-1].kind != "output" {
		t.Fatalf("the stream begins with %+v", first)
	}
	s.ask(t, http.MethodPost, "/v1/jobs/"+id+"/cancel", nil, http.StatusOK)
	never := func(event) bool { return false }
	rest := s.follow(t, id, first[len(first)-1].id, never)
	if len(rest) == 0 || rest[len(rest)-1].kind != "state" || !strings.Contains(rest[len(rest)-1].data, `"cancelled"`) {
		t.Fatalf("the stream ends with %+v", rest)
	}
	both, whole := append(first, rest...), s.follow(t, id, 0, never)
	if fmt.Sprint(both) != fmt.Sprint(whole) {
		t.Errorf("resumed, the stream is\n%+v\nat once it is\n%+v", both, whole)
	}
	for i, e := range whole {
		if e.id != uint64(i+1) {
			t.Errorf("event %d has the id %d", i+1, e.id)
		}
	}
	s.stop(t)
	l.kept(t)
}

func testHealth(t *testing.T, l *lab) {
	s := l.serve(t)
	const jobs = 3
	for n := range jobs {
		s.ended(t, s.submit(t, square(n)))
	}
	for path, parts := range map[string][]string{
		"/ready":   {`"status":"ready"`, `"redis_connected":true`, `"uptime_seconds"`, `"timestamp"`},
		"/health":  {`"status":"healthy"`},
		"/version": {`"version":"v0.0.0-test"`},
		"/metrics": {
			`optimus_jobs_submitted_total{language="python"} 3`,
			`optimus_jobs_completed_total{language="python",status="completed"} 3`,
			`optimus_job_execution_time_ms_count{language="python"} 3`,
			"optimus_queue_depth{",
			`optimus_api_requests_total{`,
		},
		"/v1/workers":        {`"slots":2`, "python"},
		"/v1/queues":         {`"name":"default"`},
		"/v1/queues/default": {`"completed":3`, `"per_minute":[`},
		"/v1/languages":      {`"image_digest":"sha256:`, `"image_bytes":`, `"state":"available"`, `"state":"missing"`},
		"/v1/store":          {`"status":"ok"`, `"kind":"file"`, `"free_bytes":`},
	} {
		for _, part := range parts {
			eventually(t, path+" has "+part, func() bool {
				return strings.Contains(string(s.ask(t, http.MethodGet, path, nil, http.StatusOK).body), part)
			})
		}
	}
	s.stop(t)
}
