package modes

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/sandbox/sandboxtest"
	"optimus/store"
	"optimus/web"
)

// fakeLanguages is a catalogue of one language that is there and one whose image is missing.
type fakeLanguages struct{}

func (fakeLanguages) language() sandbox.Language {
	return sandbox.Language{
		Name: "script", Version: "1", Image: "none", Queue: "scripts", SourceFile: "main", Run: []string{"main"},
		Limits: sandbox.Limits{CPU: time.Second, Wall: time.Second, Memory: 1 << 26, Output: 1 << 20, Processes: 8, FileSize: 1 << 20, OpenFiles: 64},
	}
}

func (f fakeLanguages) Languages() []web.Language {
	return []web.Language{
		{Language: sandbox.Language{Name: "absent", Version: "2"}, State: web.LanguageMissing, HowToGet: "optimus admin images build absent"},
		{Language: f.language(), Aliases: []string{"sc"}, DisplayName: "Script 1", State: web.LanguageAvailable, Samples: web.LanguageSamples{
			Hello: "print Hello, world!", Error: "complain all is well", Limit: "exceed cpu",
		}},
	}
}

func (f fakeLanguages) Resolve(name, _ string) (sandbox.Language, error) {
	switch name {
	case "script", "sc":
		return f.language(), nil
	case "absent":
		return sandbox.Language{}, &web.UnavailableError{Language: name, HowToGet: "optimus admin images build absent"}
	}
	return sandbox.Language{}, fmt.Errorf("%w: %q", web.ErrUnknownLanguage, name)
}

// Set implements languages: these stay as they are.
func (fakeLanguages) Set(config.Catalogue) {}

func (f fakeLanguages) Lanes() []store.Lane { return []store.Lane{store.LaneOf(f.language())} }

// testServer is a server on a fake runner, with what a test needs of it.
type testServer struct {
	*server
	fake   *sandboxtest.Fake
	client *client
	hurry  chan struct{}
	warmed chan []sandbox.Language
	// changed is the engine's.
	changed chan struct{}
	// open gives the fake engine.
	open engineOpener
}

func testConfig(t *testing.T) config.Config {
	t.Helper()
	cfg, err := config.Load(config.LoadOptions{Flags: map[string]string{"data": t.TempDir(), "server.listen": "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// newTestServer makes a server that is not started.
func newTestServer(t *testing.T, cfg config.Config) *testServer {
	t.Helper()
	ts := &testServer{fake: sandboxtest.NewFake(), hurry: make(chan struct{}), warmed: make(chan []sandbox.Language, 100), changed: make(chan struct{}, 1)}
	ts.open = func(_ context.Context, life *lifecycle, _ config.Config, _ zerolog.Logger) (*engine, error) {
		life.onStop("fake runner", time.Second, func(context.Context) error {
			if n := ts.fake.Stats(); n.Active != 0 || n.Open != 0 {
				return fmt.Errorf("%d runs and %d programs are left when the runner is closed", n.Active, n.Open)
			}
			return nil
		})
		return &engine{
			runner:    ts.fake,
			languages: fakeLanguages{},
			warm: func(_ context.Context, l ...sandbox.Language) map[string]error {
				ts.warmed <- l
				return nil
			},
			changed:    ts.changed,
			ready:      func(context.Context) error { return nil },
			containers: func() containerd.Containers { return containerd.Containers{Started: 1} },
		}, nil
	}
	ts.server = newServer(Process{Version: "test", Hurry: ts.hurry}, cfg, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel), ts.open)
	return ts
}

// startTestServer makes a server that is stopped with the test.
func startTestServer(t *testing.T, cfg config.Config) *testServer {
	t.Helper()
	ts := newTestServer(t, cfg)
	ts.began(t)
	return ts
}

// began starts the server, which is stopped with the test.
func (ts *testServer) began(t *testing.T) {
	t.Helper()
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ts.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	ts.client = &client{base: "http://" + ts.address, http: http.DefaultClient}
}

func (ts *testServer) submit(t *testing.T, query, script string) web.Job {
	t.Helper()
	var job web.Job
	if err := ts.client.call(t.Context(), http.MethodPost, "/v1/jobs"+query, web.JobRequest{Language: "script", SourceCode: &script}, &job); err != nil {
		t.Fatal(err)
	}
	return job
}

func (ts *testServer) get(t *testing.T, id string) web.Job {
	t.Helper()
	var job web.Job
	if err := ts.client.call(t.Context(), http.MethodGet, "/v1/jobs/"+id, nil, &job); err != nil {
		t.Fatal(err)
	}
	return job
}

// reached waits for a run at the gate.
func reached(t *testing.T, g *sandboxtest.Gate) {
	t.Helper()
	select {
	case <-g.Reached():
	case <-time.After(30 * time.Second):
		t.Fatal("no run came to the gate")
	}
}

func TestServeJudges(t *testing.T) {
	t.Parallel()
	ts := startTestServer(t, testConfig(t))
	job := ts.submit(t, "?wait=30s", "print hello")
	if job.Verdict != "accepted" || len(job.Tests) != 1 || job.Tests[0].Run.Stdout != "hello\n" {
		t.Fatalf("the job is %+v", job)
	}
	if got := <-ts.warmed; len(got) != 1 || got[0].Name != "script" {
		t.Fatalf("warmed %v, want what is available", got)
	}
	ts.changed <- struct{}{}
	if got := <-ts.warmed; len(got) != 1 {
		t.Errorf("after a change of the images warmed %v, want what is available then", got)
	}
}

// A worker of some queues keeps ready for none but their languages, and for those that it is told to.
func TestWarmsWhatItsQueuesNeed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		queues, warm []string
		want         int
	}{
		{[]string{"others"}, []string{"available"}, 0},
		{[]string{"others", "scripts"}, []string{"available"}, 1},
		{[]string{"others"}, []string{"script"}, 1},
	} {
		cfg := testConfig(t)
		cfg.Worker.Queues, cfg.Sandbox.Warm = test.queues, test.warm
		if got := <-startTestServer(t, cfg).warmed; len(got) != test.want {
			t.Errorf("of the queues %v, with %v to be warm, %d languages are warmed", test.queues, test.warm, len(got))
		}
	}
}

func TestStopFinishesWhatRuns(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ts := startTestServer(t, cfg)
	job := ts.submit(t, "", "wait gate")
	reached(t, ts.fake.Gate("gate"))
	stopped := make(chan error, 1)
	go func() { stopped <- ts.stop(context.WithoutCancel(t.Context())) }()
	waitUntilClosed(t, ts.address)
	ts.fake.Gate("gate").Open()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	again := startTestServer(t, cfg)
	if got := again.get(t, job.ID); got.Verdict != "accepted" || got.Attempts != 1 {
		t.Fatalf("after the drain the job is %+v", got)
	}
}

func TestSecondSignalHandsBack(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	ts := startTestServer(t, cfg)
	job := ts.submit(t, "", "wait gate")
	reached(t, ts.fake.Gate("gate"))
	close(ts.hurry)
	if err := ts.stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	cfg.Worker.Enabled = false
	again := startTestServer(t, cfg)
	if got := again.get(t, job.ID); got.State != string(store.Queued) || got.Attempts != 0 {
		t.Fatalf("after the second signal the job is %+v, want it queued with no attempt counted", got)
	}
}

// waitUntilClosed waits until nothing listens any more.
func waitUntilClosed(t *testing.T, address string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server still listens")
		}
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := testConfig(t)
	busy := cfg
	busy.Server.Listen = taken.Addr().String()
	if err := newTestServer(t, busy).start(t.Context()); err == nil || !strings.Contains(err.Error(), "--listen") {
		t.Fatalf("on a port that is taken, start gives %v", err)
	}
	startTestServer(t, cfg) // the store is not locked any more
}

func TestTwoServersOnOneFolder(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	startTestServer(t, cfg)
	if err := newTestServer(t, cfg).start(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Data) {
		t.Fatalf("a second server on one data folder gives %v", err)
	}
}

func TestRefusedSettings(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Redis.URL = config.NewSecret("redis://127.0.0.1:1")
	cases := map[string]config.Config{"redis.url": cfg}
	cfg = testConfig(t)
	cfg.Server.Listen = "0.0.0.0:0"
	cases["API key"] = cfg
	for want, cfg := range cases {
		if err := newTestServer(t, cfg).start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("start gives %v, want it to name %q", err, want)
		}
		if files, _ := os.ReadDir(cfg.Data); len(files) != 0 {
			t.Errorf("%s: a refused start left %v", want, files)
		}
	}
}

func TestServerStartStopConcurrently(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, testConfig(t))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if err := ts.start(t.Context()); err != nil {
					t.Error(err)
				}
				if err := ts.stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := ts.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(ts.failed) != 0 {
		t.Fatal(<-ts.failed)
	}
}

// admin runs a command of the tree against the server, and gives what it prints.
func (ts *testServer) admin(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	p := Process{Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
	err := runOne(t, p, slices.Concat([]string{"optimus", "admin"}, args, []string{"--server", ts.client.base}))
	return out.String(), err
}

// commandLine is held while a command runs: the command line's library keeps its help flag in a variable
// of the process, and writes to it.
var commandLine sync.Mutex

func runOne(t *testing.T, p Process, args []string) error {
	t.Helper()
	commandLine.Lock()
	defer commandLine.Unlock()
	return Run(t.Context(), p, args)
}

func runApp(t *testing.T, app *cli.App, args []string) error {
	t.Helper()
	commandLine.Lock()
	defer commandLine.Unlock()
	return app.RunContext(t.Context(), args)
}

func TestAdminCommands(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Store.MaxAttempts = 1
	ts := startTestServer(t, cfg)
	done := ts.submit(t, "?wait=30s", "print hello")
	dead := ts.submit(t, "?wait=30s", "no-image")

	// want runs a command and looks for texts in what it prints.
	want := func(texts []string, args ...string) {
		t.Helper()
		out, err := ts.admin(t, args...)
		for _, text := range texts {
			if err != nil || !strings.Contains(out, text) {
				t.Errorf("%v gives %v, and without %q:\n%s", args, err, text, out)
			}
		}
	}
	want([]string{"JOB", done.ID, "accepted"}, "jobs", "list")
	want([]string{`"verdict": "accepted"`}, "jobs", "list", "--json", "--state", "completed")
	want([]string{"verdict   accepted", "hello", "CPU"}, "jobs", "show", done.ID)
	want([]string{"QUEUE", "MINUTE", "SUBMITTED"}, "queues", "show", done.Queue)
	want([]string{"\"per_minute\"", "\"minute\""}, "queues", "show", done.Queue, "--json")
	want([]string{"QUEUE", "paused"}, "queues", "pause", done.Queue)
	waiting := ts.submit(t, "", "print later")
	want([]string{"cancelled"}, "jobs", "cancel", waiting.ID)
	want([]string{"QUEUE", done.Queue}, "queues", "resume", done.Queue)
	want([]string{done.Queue}, "queues", "list")
	want([]string{"script", "sc", "optimus admin images build absent"}, "languages", "list")
	want([]string{"Script 1", "memory", "67.1 MB"}, "languages", "show", "sc")
	want([]string{""}, "jobs", "delete", done.ID, "--yes")

	if _, err := ts.admin(t, "jobs", "show", done.ID); err == nil || !strings.Contains(err.Error(), done.ID) {
		t.Errorf("showing a deleted job gives %v", err)
	}
	if _, err := ts.admin(t, "jobs", "show", "nonsense"); ExitCode(err) != ExitUsage {
		t.Errorf("showing no id gives %v", err)
	}

	want([]string{dead.ID, "failed"}, "dead-letter", "list")
	want([]string{"image is not present"}, "dead-letter", "show", dead.ID)
	want([]string{"state     queued"}, "dead-letter", "retry", dead.ID)
	if job := ts.get(t, dead.ID+"?wait=30s"); job.State != string(store.Failed) {
		t.Errorf("a retry without the image leaves the job %s", job.State)
	}
	for _, line := range []string{
		`optimus_jobs_completed_total{language="script",status="completed"} 1`,
		`optimus_jobs_completed_total{language="script",status="failed"} 2`, // the retry ended likewise
		`optimus_jobs_completed_total{language="script",status="cancelled"} 1`,
		`optimus_job_execution_time_ms_count{language="script"} 3`,
	} {
		// A job is counted once its end can be read.
		wantSoon(t, ts.address, "/metrics", http.StatusOK, line)
	}
	want([]string{""}, "dead-letter", "delete", dead.ID, "--yes")
	if out, err := ts.admin(t, "dead-letter", "list"); err != nil || strings.Contains(out, dead.ID) {
		t.Errorf("a deleted dead letter is still listed, or %v:\n%s", err, out)
	}
}

func TestAdminStore(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	admin := func(args ...string) (string, error) {
		var out bytes.Buffer
		p := Process{Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}
		err := runOne(t, p, slices.Concat([]string{"optimus", "admin", "store"}, args, []string{"--data", cfg.Data}))
		return out.String(), err
	}
	if out, err := admin("show"); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("without a store it gives %v:\n%s", err, out)
	}
	ts := startTestServer(t, cfg)
	job := ts.submit(t, "?wait=30s", "print hello")
	if out, err := admin("upgrade"); err == nil || !strings.Contains(err.Error(), "stop that one") {
		t.Errorf("beside a server it gives %v:\n%s", err, out)
	}
	if err := ts.stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"show", "upgrade", "upgrade"} {
		out, err := admin(command, "--json")
		if err != nil || !strings.Contains(out, `"written": 1`) || !strings.Contains(out, `"known": 1`) {
			t.Errorf("%s gives %v:\n%s", command, err, out)
		}
	}
	if out, err := admin("show"); err != nil || !strings.Contains(out, "NEWEST KNOWN") {
		t.Errorf("the table: %v\n%s", err, out)
	}
	if got := startTestServer(t, cfg).get(t, job.ID); got.Verdict != "accepted" {
		t.Errorf("after the upgrade the job is %+v", got)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	ts := &testServer{client: &client{base: "http://127.0.0.1:1"}}
	if _, err := ts.admin(t, "jobs", "list"); err == nil || !strings.Contains(err.Error(), "optimus serve") {
		t.Fatalf("without a server the command gives %v", err)
	}
}
