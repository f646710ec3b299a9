package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"optimus/store"
	"optimus/store/boltstore"
	"optimus/web"
)

func testLogger(t *testing.T) zerolog.Logger {
	t.Helper()
	return zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
}

// api is a client of a server that may be gone at any time.
type api struct {
	base string
	http *http.Client
}

func newAPI(base string) *api {
	return &api{base: base, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
}

func (a *api) close() { a.http.CloseIdleConnections() }

// answer is a whole HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// into decodes the answer's JSON.
func (r answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("answer %d is not the JSON that was expected: %v\n%s", r.status, err, r.body)
	}
}

// try asks the server; body, where not nil, is sent as JSON.
func (a *api) try(ctx context.Context, method, path string, body any, header http.Header) (answer, error) {
	var sent io.Reader
	if body != nil {
		content, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		sent = bytes.NewReader(content)
	}
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, sent)
	if err != nil {
		return answer{}, err
	}
	maps.Copy(r.Header, header)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	got, err := a.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	return answer{status: got.StatusCode, header: got.Header, body: content}, err
}

// ask asks a server that must answer with one of the statuses.
func (a *api) ask(t *testing.T, method, path string, body any, statuses ...int) answer {
	t.Helper()
	r, err := a.try(t.Context(), method, path, body, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(statuses, r.status) {
		t.Fatalf("%s %s gives %d, want %v:\n%s", method, path, r.status, statuses, r.body)
	}
	return r
}

func (a *api) submit(t *testing.T, job web.JobRequest) string {
	t.Helper()
	var made web.Job
	a.ask(t, http.MethodPost, "/v1/jobs", job, http.StatusAccepted).into(t, &made)
	return made.ID
}

func (a *api) job(t *testing.T, id string) web.Job {
	t.Helper()
	var job web.Job
	a.ask(t, http.MethodGet, "/v1/jobs/"+id, nil, http.StatusOK).into(t, &job)
	return job
}

// ended waits for a job's end. Where the store is away for a moment it asks again, as it is told to.
func (a *api) ended(t *testing.T, id string) web.Job {
	t.Helper()
	var job web.Job
	eventually(t, "job "+id+" has ended", func() bool {
		r := a.ask(t, http.MethodGet, "/v1/jobs/"+id+"?wait=20s", nil, http.StatusOK, http.StatusServiceUnavailable)
		if r.status == http.StatusServiceUnavailable {
			if r.header.Get("Retry-After") == "" {
				t.Fatalf("a refusal does not say when to try again: %s", r.body)
			}
			return false
		}
		r.into(t, &job)
		return store.State(job.State).Terminal()
	})
	return job
}

// untilRunning waits until the jobs run.
func (a *api) untilRunning(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		eventually(t, "job "+id+" runs", func() bool { return a.job(t, id).State == string(store.Running) })
	}
}

// unhurried are limits that no program of these tests meets, on however busy a machine.
func unhurried() *web.LimitsRequest {
	const cpu, wall = 60_000, 600_000 // milliseconds
	return &web.LimitsRequest{CPU: new(int64(cpu)), Wall: new(int64(wall))}
}

// square is a program that reads a number, takes its time, and prints the number's square.
func square(n int) web.JobRequest {
	return web.JobRequest{
		Language: "python", SourceCode: new("import time\nn = int(input())\ntime.sleep(0.05)\nprint(n * n)\n"), Limits: unhurried(),
		Tests: []web.TestRequest{{Input: fmt.Sprintln(n), ExpectedOutput: new(fmt.Sprintln(n * n))}},
	}
}

// forever is longer than any test lasts, in seconds.
const forever = 1000

// sleeper is a program that says when it is there, and then sleeps.
func sleeper(seconds float64) web.JobRequest {
	return web.JobRequest{
		Language:   "python",
		SourceCode: new(fmt.Sprintf("import time\nprint('there', flush=True)\ntime.sleep(%g)\n", seconds)),
		Limits:     unhurried(),
	}
}

// kept reads the store of a server that has ended, and checks that each job's past is whole: one
// end, told once, and the same in its state, its report, its events and the queue's figures.
func (l *lab) kept(t *testing.T) map[string]store.Job {
	t.Helper()
	st, err := boltstore.Open(l.storePath(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	return keptIn(t, st)
}

// keptIn reads a store that nobody uses.
func keptIn(t *testing.T, st store.Store) map[string]store.Job {
	t.Helper()
	jobs := map[string]store.Job{}
	var ended store.Counters
	for f := (store.Filter{Limit: 1000}); ; {
		page, err := st.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range page.Jobs {
			job, err := st.Get(t.Context(), listed.ID)
			if err != nil {
				t.Fatal(err)
			}
			jobs[job.ID.String()] = job
			count(&ended, job.State)
			checkPast(t, st, job)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	checkFigures(t, st, ended)
	return jobs
}

func checkPast(t *testing.T, st store.Store, job store.Job) {
	t.Helper()
	events, err := st.Events(t.Context(), job.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for _, e := range events {
		var d store.StateData
		if e.Type == store.EventState {
			if err := json.Unmarshal(e.Data, &d); err != nil {
				t.Fatal(err)
			}
		}
		if d.State.Terminal() {
			ends++
		}
	}
	want := 0
	if job.State.Terminal() {
		want = 1
	}
	if ends != want || (job.Report != nil) != job.State.Terminal() || job.State == store.Running {
		t.Errorf("job %s is %s with %d ends among its events and report %+v", job.ID, job.State, ends, job.Report)
	}
}

// count adds a job to the figures of what was submitted and how it ended.
func count(c *store.Counters, s store.State) {
	c.Submitted++
	switch s {
	case store.Completed:
		c.Completed++
	case store.Failed:
		c.Failed++
	case store.Cancelled:
		c.Cancelled++
	case store.Queued, store.Running:
	}
}

func checkFigures(t *testing.T, st store.Store, want store.Counters) {
	t.Helper()
	queues, err := st.Queues(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sum store.Counters
	for _, q := range queues {
		sum.Submitted += q.Totals.Submitted
		sum.Completed += q.Totals.Completed
		sum.Failed += q.Totals.Failed
		sum.Cancelled += q.Totals.Cancelled
	}
	if sum != want {
		t.Errorf("the queues have counted %+v, want %+v", sum, want)
	}
}

// checkSquares checks that every job was judged and accepted.
func checkSquares(t *testing.T, jobs map[string]store.Job) {
	t.Helper()
	for id, job := range jobs {
		if job.State != store.Completed || job.Verdict != "accepted" {
			t.Errorf("job %s is %s, %s: %+v, attempts %+v", id, job.State, job.Verdict, job.Report, job.Attempts)
		}
	}
}

// contains fails for each text that is missing.
func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s is without %q:\n%s", what, part, text)
		}
	}
}
