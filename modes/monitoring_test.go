package modes

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/store"
	"optimus/store/redisstore"
	"optimus/store/storetest/redistest"
)

// asked gives the answer of a path; 0 while nobody listens.
func asked(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// wantSoon waits until a path is answered so.
func wantSoon(t *testing.T, address, path string, status int, words string) {
	t.Helper()
	var s int
	var body string
	for range 600 {
		if s, body = asked(t, address, path); s == status && strings.Contains(body, words) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s is answered with %d %s, want %d and %q", path, s, body, status, words)
}

// A worker says that it is ready and then, while it finishes what runs, that it stops; it is watched
// until the end.
func TestMonitoringOfAWorker(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	monitoring, pprof := "127.0.0.1:"+strconv.Itoa(redistest.FreePort(t)), "127.0.0.1:"+strconv.Itoa(redistest.FreePort(t))
	cfg.Monitoring = config.Monitoring{Listen: monitoring, Pprof: pprof}
	queue := redistest.Start(t)
	cfg.Redis.URL = config.NewSecret(queue.URL)
	ts := newTestServer(t, cfg)
	w := newWorkNode(Process{Version: "test"}, cfg, zerolog.Nop(), ts.open)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, w.begin) }()
	wantSoon(t, monitoring, "/ready", http.StatusOK, `"ready"`)
	wantSoon(t, monitoring, "/health", http.StatusOK, `"store_ok":true`)
	wantSoon(t, monitoring, "/version", http.StatusOK, `"test"`)
	wantSoon(t, pprof, "/debug/pprof/goroutine?debug=1", http.StatusOK, "goroutine profile")

	st, err := redisstore.Open(ctx, redisOptions(cfg.Redis), storeOptions(cfg.Store))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	submit := func(script string) {
		t.Helper()
		submission := sandbox.Submission{Language: fakeLanguages{}.language(), Source: sandbox.Source{Files: []sandbox.File{{Name: "main", Content: []byte(script)}}}}
		submission.Tests = make([]sandbox.TestCase, 1)
		if _, _, err := st.Submit(ctx, store.NewJob{Queue: "default", Submission: submission}); err != nil {
			t.Fatal(err)
		}
	}
	submit("exit 0")
	wantSoon(t, monitoring, "/metrics", http.StatusOK, `optimus_worker_jobs_total{end="finished"} 1`)
	wantSoon(t, monitoring, "/metrics", http.StatusOK, "\noptimus_ready 1\n")
	wantSoon(t, monitoring, "/metrics", http.StatusOK, "\noptimus_stopping 0\n")
	_, metrics := asked(t, monitoring, "/metrics")
	compareMetrics(t, metrics)
	submit("linger gate")
	gate := ts.fake.Gate("gate")
	<-gate.Reached()
	stop()
	wantSoon(t, monitoring, "/ready", http.StatusServiceUnavailable, errStopping.Error())
	wantSoon(t, monitoring, "/metrics", http.StatusOK, "\noptimus_ready 0\n")
	wantSoon(t, monitoring, "/metrics", http.StatusOK, "\noptimus_stopping 1\n")
	wantSoon(t, monitoring, "/health", http.StatusOK, `"healthy"`)
	gate.Open()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wantSoon(t, monitoring, "/health", 0, "refused")
}

// What listens for others is told where it cannot.
func TestMonitoringOnATakenAddress(t *testing.T) {
	t.Parallel()
	first := startTestServer(t, testConfig(t))
	cfg := testConfig(t)
	cfg.Monitoring.Listen = first.address
	ts := newTestServer(t, cfg)
	err := ts.start(t.Context())
	if err == nil {
		_ = ts.stop(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "state another address (monitoring.listen, --monitoring)") {
		t.Errorf("started with %v", err)
	}
}

// compareMetrics holds what a worker shows against the table of docs/API.md: every metric that is there,
// but for those that only a server or a compile has, and no other.
func compareMetrics(t *testing.T, shown string) {
	t.Helper()
	text, err := os.ReadFile("../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "A process with a worker, ")
	table, _, _ = strings.Cut(table, "\n## ")
	var want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(optimus_\\w+)`").FindAllStringSubmatch(table, -1) {
		if row[1] != "optimus_compile_seconds" {
			want = append(want, row[1])
		}
	}
	want = append(want, "optimus_jobs_completed_total", "optimus_job_verdicts_total", "optimus_job_execution_time_ms",
		"optimus_ready", "optimus_stopping", "optimus_store_duration_seconds")
	var got []string
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (optimus_\w+)`).FindAllStringSubmatch(shown, -1) {
		got = append(got, line[1])
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("a worker shows\n%q, the documentation has\n%q", got, want)
	}
}
