package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/store"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

// compiledScript is a catalogue of one language, whose programs are compiled.
func compiledScript(t *testing.T, cfg *config.Config) config.Catalogue {
	t.Helper()
	cfg.Catalogue = filepath.Join(t.TempDir(), "languages.json")
	text := `{"languages": [{"name": "script", "version": "1", "image": "localhost/none:1", "source_file": "main", "compile": ["make"], "run": ["main"], "sample": "exit 0"}]}`
	if err := os.WriteFile(cfg.Catalogue, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stated, err := config.LoadCatalogue(cfg.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return stated
}

// withCatalogue is an opener whose engine has other languages.
func withCatalogue(open engineOpener, stated config.Catalogue) engineOpener {
	return func(ctx context.Context, life *lifecycle, cfg config.Config, log zerolog.Logger) (*engine, error) {
		e, err := open(ctx, life, cfg, log)
		if err == nil {
			e.languages = newCatalogue(stated, nil)
		}
		return e, err
	}
}

// The trace that a client began, and the span of its that the submission belongs to.
const (
	clientTrace = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
	clientPlace = "00-" + clientTrace + "-" + clientSpan
)

// submitTraced submits a job of two tests with a header traceparent, and waits for its end.
func submitTraced(t *testing.T, address, traceparent string) web.Job {
	t.Helper()
	body := `{"language": "script", "source_code": "print 1", "tests": [{"id": "one", "expected_output": "1"}, {"id": "two", "expected_output": "2"}]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/jobs?wait=60s", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(traceHeader, traceparent)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var job web.Job
	if err := json.NewDecoder(a.Body).Decode(&job); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", a.Status, err)
	}
	return job
}

const wholeTree = `submit
  claim
  judge wrong_answer finished
    compile
    report
    test one accepted
    test two wrong_answer
`

// checkTrace holds the spans against what one job makes.
func (s *spans) checkTrace(t *testing.T, job web.Job) {
	t.Helper()
	if got := s.tree(clientSpan); got != wholeTree {
		t.Errorf("the trace is\n%s, want\n%s", got, wholeTree)
	}
	byID := map[string]seenSpan{}
	for _, x := range s.all {
		byID[x.id] = x
	}
	for _, x := range s.all {
		if x.trace != clientTrace || x.service != "optimus test" || x.start > x.end {
			t.Errorf("a span is %+v", x)
		}
		if id, ok := x.attributes["optimus.job"]; ok && id != job.ID {
			t.Errorf("%s is of job %s, want %s", x.name, id, job.ID)
		}
		if p, ok := byID[x.parent]; ok && p.name == "judge" && (x.start < p.start || x.end > p.end) {
			t.Errorf("%s is not within its job: %d to %d, of %d to %d", x.name, x.start, x.end, p.start, p.end)
		}
	}
	if len(s.all) != strings.Count(wholeTree, "\n") {
		t.Errorf("%d spans", len(s.all))
	}
}

func TestTraceOfServe(t *testing.T) {
	t.Parallel()
	seen, cfg := collectSpans(t), testConfig(t)
	cfg.Monitoring.OTLPEndpoint = seen.url + "/"
	ts := newTestServer(t, cfg)
	ts.server.open = withCatalogue(ts.open, compiledScript(t, &ts.config))
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	job := submitTraced(t, ts.address, clientPlace+"-01")
	if err := ts.stop(t.Context()); err != nil {
		t.Error(err)
	}
	seen.checkTrace(t, job)
}

// The trace goes through the queue's server to a worker of another process.
func TestTraceOverRedis(t *testing.T) {
	t.Parallel()
	seen, cfg := collectSpans(t), testConfig(t)
	cfg.Monitoring.OTLPEndpoint = seen.url
	cfg.Redis.URL = config.NewSecret(redistest.Start(t).URL)
	stated := compiledScript(t, &cfg)
	api := cfg
	api.Worker.Enabled = false
	ts := startTestServer(t, api)
	cfg.Data = t.TempDir()
	w := newWorkNode(Process{Version: "test"}, cfg, zerolog.Nop(), withCatalogue(ts.open, stated))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, w.begin) }()
	job := submitTraced(t, ts.address, clientPlace+"-01")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := ts.stop(t.Context()); err != nil {
		t.Error(err)
	}
	seen.checkTrace(t, job)
}

// A job that Optimus itself fails at shows each attempt, and a submission that is refused why.
func TestTraceOfFailures(t *testing.T) {
	t.Parallel()
	seen, cfg := collectSpans(t), testConfig(t)
	cfg.Monitoring.OTLPEndpoint = seen.url
	cfg.Store.MaxAttempts = 1
	ts := newTestServer(t, cfg)
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ts.client = &client{base: "http://" + ts.address, http: http.DefaultClient}
	ts.submit(t, "?wait=60s", "error broken")
	st := ts.tracer(t).store(&refusing{})
	if _, _, err := st.Submit(t.Context(), store.NewJob{}); err == nil {
		t.Error("a job was taken")
	}
	if err := ts.stop(t.Context()); err != nil {
		t.Error(err)
	}
	want := `submit
  claim
  judge given_back failed
    give back
    test 1 failed
submit failed
`
	if got := seen.tree(""); got != want {
		t.Errorf("the traces are\n%s, want\n%s", got, want)
	}
}

// tracer makes a tracer like the server's, which is stopped with it.
func (ts *testServer) tracer(t *testing.T) *tracer {
	t.Helper()
	traces, err := ts.startTracing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return traces
}

// refusing is a store that takes no job.
type refusing struct{ store.Store }

func (refusing) Submit(context.Context, store.NewJob) (store.Job, bool, error) {
	return store.Job{}, false, store.ErrQueueDrained
}

// Of jobs outside of a client's trace a share is traced, each job as a whole or not at all.
func TestShareOfTraces(t *testing.T) {
	t.Parallel()
	seen, cfg := collectSpans(t), testConfig(t)
	cfg.Monitoring.OTLPEndpoint, cfg.Monitoring.TraceShare = seen.url, 0.5
	ts := newTestServer(t, cfg)
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ts.client = &client{base: "http://" + ts.address, http: http.DefaultClient}
	const jobs = 60
	for range jobs {
		ts.submit(t, "?wait=60s", "exit 0")
	}
	if err := ts.stop(t.Context()); err != nil {
		t.Error(err)
	}
	names := map[string]int{}
	for _, x := range seen.all {
		names[x.name]++
	}
	traced := names["submit"]
	if traced == 0 || traced == jobs || names["judge"] != traced || names["report"] != traced || names["test"] != traced {
		t.Errorf("of %d jobs there are the spans %v", jobs, names)
	}
}

// A collector that is away costs the spans and nothing else; the log tells of it once.
func TestTracesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	seen, cfg := collectSpans(t), testConfig(t)
	seen.refuses = http.StatusBadRequest
	cfg.Monitoring.OTLPEndpoint = seen.url
	var log bytes.Buffer
	traces, err := newTracer(t.Context(), cfg.Monitoring, "test", "here", zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		_, span := traces.Start(t.Context(), "span")
		span.End()
		if err := traces.provider.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	send()
	send()
	seen.mu.Lock()
	seen.refuses = 0
	seen.mu.Unlock()
	send()
	if text := log.String(); strings.Count(text, "trying on") != 1 || strings.Count(text, "sent again") != 1 {
		t.Errorf("the log is %s", text)
	}
	if err := traces.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if len(seen.all) != 1 {
		t.Errorf("%d spans came", len(seen.all))
	}
}

// A client says of its trace whether it is recorded; what is no trace is none, and its job begins one.
func TestTracesOfClients(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]int{
		clientPlace + "-01": 0, clientPlace + "-00": 0, "": 1, "nonsense": 1, "00-" + strings.Repeat("0", 32) + "-" + clientSpan + "-01": 1,
		clientPlace + "-01" + strings.Repeat("x", 4000): 1,
	} {
		seen, cfg := collectSpans(t), testConfig(t)
		cfg.Monitoring.OTLPEndpoint = seen.url
		ts := newTestServer(t, cfg)
		if err := ts.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		submitTraced(t, ts.address, header)
		if err := ts.stop(t.Context()); err != nil {
			t.Error(err)
		}
		if got := strings.Count("\n"+seen.tree(""), "\nsubmit"); got != want {
			t.Errorf("%.80q begins %d traces, want %d:\n%s", header, got, want, seen.tree(""))
		}
		if recorded := len(seen.all) > 0; recorded != (header != clientPlace+"-00") {
			t.Errorf("%.80q has %d spans", header, len(seen.all))
		}
	}
}

// A collector that takes nothing at the end, and asks to be tried again, does not make the stop fail.
func TestStopWithoutACollector(t *testing.T) {
	t.Parallel()
	seen, cfg := collectSpans(t), testConfig(t)
	seen.refuses = http.StatusServiceUnavailable
	cfg.Monitoring.OTLPEndpoint = seen.url
	ts := newTestServer(t, cfg)
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	submitTraced(t, ts.address, "")
	if err := ts.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// Without the setting there is no tracer, and nothing that a job's way goes through for it.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, testConfig(t))
	traces, err := ts.startTracing(t.Context())
	if err != nil || traces != nil {
		t.Fatalf("there is a tracer, %v", err)
	}
	if traces.follow() != nil {
		t.Error("jobs are followed")
	}
	inner := &refusing{}
	if traces.store(inner) != store.Store(inner) {
		t.Error("the store is wrapped")
	}
}
