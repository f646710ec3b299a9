package modes

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/web"
)

// follower reads a job's events.
type follower struct{ lines *bufio.Scanner }

// follow opens a job's stream, which is closed with the test.
func (ts *testServer) follow(t *testing.T, id string) *follower {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ts.client.base+"/v1/jobs/"+id+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return &follower{bufio.NewScanner(answer.Body)}
}

// next gives the next event in a few words; "" at the stream's end.
func (f *follower) next(t *testing.T) string {
	t.Helper()
	kind := ""
	for f.lines.Scan() {
		name, value, _ := strings.Cut(f.lines.Text(), ": ")
		switch name {
		case "event":
			kind = value
		case "data":
			var d struct {
				State   string `json:"state"`
				ID      string `json:"id"`
				Attempt int    `json:"attempt"`
				Verdict string `json:"verdict"`
				Reason  string `json:"reason"`
			}
			if err := json.Unmarshal([]byte(value), &d); err != nil {
				t.Errorf("event %s has %s: %v", kind, value, err)
			}
			return strings.TrimSpace(fmt.Sprint(kind, " ", d.State, d.ID, " ", d.Attempt, " ", d.Verdict, d.Reason))
		}
	}
	return ""
}

func (f *follower) want(t *testing.T, events ...string) {
	t.Helper()
	for _, want := range events {
		if got := f.next(t); got != want {
			t.Fatalf("the event is %q, want %q", got, want)
		}
	}
}

// Who follows a job sees when it waits, is compiled, and is tested, as each begins or ends; once told of the
// end the report is there.
func TestFollowersTellCompilingFromTesting(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ts := newTestServer(t, cfg)
	ts.server.open = withCatalogue(ts.open, compiledScript(t, &ts.config))
	ts.began(t)
	request := web.JobRequest{Language: "script", Tests: []web.TestRequest{{ID: "one", Input: "1"}, {ID: "two", Input: "2"}}}
	script := "prepare wait compile\ncase 1 wait first\ncase 2 wait second\n"
	request.SourceCode = &script
	var job web.Job
	if err := ts.client.call(t.Context(), http.MethodPost, "/v1/jobs", request, &job); err != nil {
		t.Fatal(err)
	}
	f := ts.follow(t, job.ID)
	f.want(t, "state queued 0", "state running 1")
	ts.fake.Gate("compile").Open()
	f.want(t, "compiled  0")
	ts.fake.Gate("first").Open()
	f.want(t, "test one 0 accepted")
	ts.fake.Gate("second").Open()
	f.want(t, "test two 0 accepted", "state completed 1 accepted")
	if job = ts.get(t, job.ID); job.Compile == nil || len(job.Tests) != 2 || job.Verdict != "accepted" {
		t.Errorf("at the last event the report is %+v", job)
	}
	f.want(t, "")
}

// Each attempt begins with an event that says which it is; what ended the one before stands between.
func TestFollowersSeeEachAttempt(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Store.MaxAttempts, cfg.Store.Backoff, cfg.Store.BackoffMax = 2, time.Millisecond, time.Millisecond
	cfg.Store.SweepInterval = 10 * time.Millisecond
	ts := startTestServer(t, cfg)
	job := ts.submit(t, "", "error broken")
	f := ts.follow(t, job.ID)
	f.want(t, "state queued 0", "state running 1")
	if again := f.next(t); !strings.HasPrefix(again, "state queued 1") || !strings.Contains(again, "broken") {
		t.Errorf("after the first attempt it is %q", again)
	}
	f.want(t, "state running 2")
	if end := f.next(t); !strings.HasPrefix(end, "state failed 2 internal_error") || !strings.Contains(end, "broken") {
		t.Errorf("after the last attempt it is %q", end)
	}
	if dead := ts.get(t, job.ID); len(dead.History) != 2 || !strings.Contains(dead.Error, "broken") {
		t.Errorf("at the last event the job is %+v", dead)
	}
	f.want(t, "")
}
