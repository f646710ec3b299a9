package modes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"optimus/config"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/web"
)

// storeAdmin runs `optimus admin store`, and gives what it prints on standard output and on standard error.
func storeAdmin(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, told bytes.Buffer
	p := Process{Version: "v9", Stdin: stdin, Stdout: &out, Stderr: &told}
	err = runOne(t, p, slices.Concat([]string{"optimus", "admin", "store"}, args))
	return out.String(), told.String(), err
}

// summary reads what --json prints of an export or an import.
func summary(t *testing.T, text string, err error) (sum moveSummary) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &sum); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return sum
}

// stopped gives a folder in which a server has judged a job.
func stopped(t *testing.T) (config.Config, web.Job) {
	t.Helper()
	cfg := testConfig(t)
	ts := newTestServer(t, cfg)
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ts.client = &client{base: "http://" + ts.address, http: http.DefaultClient}
	job := ts.submit(t, "?wait=30s", "print hello")
	if err := ts.stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	return cfg, job
}

func TestMoveBetweenFolders(t *testing.T) {
	t.Parallel()
	from, job := stopped(t)
	file := filepath.Join(t.TempDir(), "backup.jsonl")
	out, told, err := storeAdmin(t, nil, "export", "--data", from.Data, "--out", file, "--json")
	if sum := summary(t, out, err); sum.Queues != 1 || sum.Jobs != 1 || sum.File != file || sum.Bytes == 0 || !strings.Contains(told, "store: export:") {
		t.Errorf("exported %+v; it told %q", sum, told)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if _, again, err := storeAdmin(t, nil, "export", "--data", from.Data); err != nil || !strings.Contains(again, "JOBS") {
		t.Errorf("to standard output: %v, it told %q", err, again)
	}
	lines, _, err := storeAdmin(t, nil, "export", "--data", from.Data)
	if err != nil || strings.Count(lines, "\n") != 4 || !strings.Contains(lines, `"by":"v9"`) {
		t.Errorf("to standard output: %v, it wrote %s", err, lines)
	}
	to := testConfig(t)
	to.Data = filepath.Join(to.Data, "new")
	out, _, err = storeAdmin(t, nil, "import", file, "--data", to.Data, "--json")
	if sum := summary(t, out, err); sum.Queues != 1 || sum.Jobs != 1 || sum.Skipped != 0 {
		t.Errorf("imported %+v", sum)
	}
	out, _, err = storeAdmin(t, strings.NewReader(lines), "import", "-", "--data", to.Data, "--json")
	if sum := summary(t, out, err); sum.Jobs != 0 || sum.Skipped != 2 {
		t.Errorf("imported again: %+v", sum)
	}
	ts := startTestServer(t, to)
	if got := ts.get(t, job.ID); got.Verdict != "accepted" || got.Tests[0].Run.Stdout != "hello\n" {
		t.Errorf("moved the job is %+v", got)
	}
	if _, _, err = storeAdmin(t, nil, "export", "--data", to.Data); err == nil || !strings.Contains(err.Error(), "--server") {
		t.Errorf("beside a server: %v", err)
	}
}

func TestMoveBetweenServers(t *testing.T) {
	t.Parallel()
	from, to := startTestServer(t, testConfig(t)), startTestServer(t, testConfig(t))
	job := from.submit(t, "?wait=30s", "print hello")
	file := filepath.Join(t.TempDir(), "backup.jsonl")
	out, _, err := storeAdmin(t, nil, "export", "--server", from.client.base, "--out", file, "--json")
	if sum := summary(t, out, err); sum.Jobs != 1 {
		t.Errorf("exported %+v", sum)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// A copy of the file that broke off is refused, and what stood in it stays.
	cut := file + ".cut"
	if err := os.WriteFile(cut, text[:len(text)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = storeAdmin(t, nil, "import", cut, "--server", to.client.base)
	if err == nil || !strings.Contains(err.Error(), "line 4") || !strings.Contains(err.Error(), "1 jobs were imported") {
		t.Errorf("a cut file gives %v", err)
	}
	out, _, err = storeAdmin(t, nil, "import", file, "--server", to.client.base, "--json")
	if sum := summary(t, out, err); sum.Jobs != 0 || sum.Skipped != 2 || sum.Bytes != int64(len(text)) {
		t.Errorf("then imported %+v", sum)
	}
	if got := to.get(t, job.ID); got.Verdict != "accepted" {
		t.Errorf("moved the job is %+v", got)
	}
}

// TestMovesThatFail: no half file is left, and the cause is told.
func TestMovesThatFail(t *testing.T) {
	t.Parallel()
	from, _ := stopped(t)
	lines, _, err := storeAdmin(t, nil, "export", "--data", from.Data)
	if err != nil {
		t.Fatal(err)
	}
	cutting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, lines[:len(lines)-30])
	}))
	defer cutting.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.jsonl")
	if err := os.WriteFile(file, []byte("the last backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = storeAdmin(t, nil, "export", "--server", cutting.URL, "--out", file)
	if err == nil || !strings.Contains(err.Error(), "broke off") || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("a server that cuts its answer off gives %v", err)
	}
	left, err := os.ReadDir(dir)
	if text, _ := os.ReadFile(file); err != nil || len(left) != 1 || string(text) != "the last backup" {
		t.Errorf("it leaves %v, %q, %v", left, text, err)
	}
	data := filepath.Join(dir, "data")
	for what, c := range map[string]struct {
		stdin string
		args  []string
		says  string
	}{
		"a text":       {"my thesis\n", []string{"import", "-", "--data", data}, "line 1"},
		"no file":      {"", []string{"import", filepath.Join(dir, "nothing"), "--data", data}, "no such file"},
		"no argument":  {"", []string{"import", "--data", data}, "FILE|-"},
		"an argument":  {"", []string{"export", "x", "--data", data}, "--out"},
		"no store":     {"", []string{"export", "--data", data}, "there is no store"},
		"a cut export": {lines[:len(lines)-30], []string{"import", "-", "--data", filepath.Join(dir, "other")}, "1 queues and 1 jobs were imported"},
	} {
		if _, _, err := storeAdmin(t, strings.NewReader(c.stdin), c.args...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s gives %v, want %q in it", what, err, c.says)
		}
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was refused has made a data folder: %v", err)
	}
}

// TestAnImportIsStopped: it waits for standard input, which says nothing more.
func TestAnImportIsStopped(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer w.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	from, _, err := openExport(ctx, "-", Process{Stdin: r})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = w.Write([]byte("half a line"))
		stop(ErrToldToStop)
	}()
	if _, err := store.NewRecordReader(from, 1000); !errors.Is(err, ErrToldToStop) {
		t.Errorf("it ends with %v", err)
	}
}

func TestCheckAndCompact(t *testing.T) {
	t.Parallel()
	cfg, job := stopped(t)
	path := filepath.Join(cfg.Data, storeFile)
	out, _, err := storeAdmin(t, nil, "check", "--data", cfg.Data)
	if err != nil || !strings.Contains(out, "good") || !strings.Contains(out, path) {
		t.Errorf("check gives %v:\n%s", err, out)
	}
	var done boltstore.Compacted
	out, _, err = storeAdmin(t, nil, "compact", "--data", cfg.Data, "--json")
	if err != nil || json.Unmarshal([]byte(out), &done) != nil || done.After == 0 || done.After > done.Before {
		t.Errorf("compact gives %v:\n%s", err, out)
	}
	if out, _, err = storeAdmin(t, nil, "compact", "--data", cfg.Data); err != nil || !strings.Contains(out, "AFTER") {
		t.Errorf("compact again gives %v:\n%s", err, out)
	}
	ts := newTestServer(t, cfg)
	if err := ts.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ts.client = &client{base: "http://" + ts.address, http: http.DefaultClient}
	if got := ts.get(t, job.ID); got.Verdict != "accepted" {
		t.Errorf("compacted the job is %+v", got)
	}
	for _, command := range []string{"check", "compact"} {
		if _, _, err := storeAdmin(t, nil, command, "--data", cfg.Data); err == nil || !strings.Contains(err.Error(), "stop that one") {
			t.Errorf("%s beside a server gives %v", command, err)
		}
	}
	if err := ts.stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		k, _ := tx.Bucket([]byte("reports")).Cursor().First()
		return tx.Bucket([]byte("reports")).Delete(k)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var found boltstore.Checked
	out, _, err = storeAdmin(t, nil, "check", "--data", cfg.Data, "--json")
	if err == nil || !strings.Contains(err.Error(), "Restore a backup") || json.Unmarshal([]byte(out), &found) != nil ||
		len(found.Faults) == 0 || !strings.Contains(found.Faults[0], job.ID) {
		t.Errorf("check of a damaged store gives %v:\n%s", err, out)
	}
	if out, _, err = storeAdmin(t, nil, "check", "--data", cfg.Data); err == nil || !strings.Contains(out, "is not in reports") || !strings.Contains(out, "damaged") {
		t.Errorf("check of a damaged store gives %v:\n%s", err, out)
	}
}

func TestWorkersAreListed(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Worker.Name, cfg.Worker.Slots = "hard-worker", 3
	ts := startTestServer(t, cfg)
	eventually(t, "the worker has registered itself", func() bool {
		var list web.WorkerList
		return ts.client.call(t.Context(), http.MethodGet, "/v1/workers", nil, &list) == nil && len(list.Workers) == 1
	})
	for _, args := range [][]string{{"workers"}, {"workers", "list"}} {
		out, err := ts.admin(t, args...)
		for _, text := range []string{"hard-worker", "test", "3", "script", "ago"} {
			if err != nil || !strings.Contains(out, text) {
				t.Errorf("%v gives %v, without %q:\n%s", args, err, text, out)
			}
		}
	}
	var workers []web.Worker
	out, err := ts.admin(t, "workers", "--json")
	if err != nil || json.Unmarshal([]byte(out), &workers) != nil || len(workers) != 1 || workers[0].Slots != 3 {
		t.Errorf("as JSON: %v\n%s", err, out)
	}
	if _, err := ts.admin(t, "workers", "lisst"); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), "did you mean list") {
		t.Errorf("a command that there is not gives %v", err)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	ts := startTestServer(t, testConfig(t))
	job := ts.submit(t, "", "wait gate")
	reached(t, ts.fake.Gate("gate"))
	if out, err := ts.admin(t, "queues", "drain", job.Queue, "--no-wait"); err != nil || !strings.Contains(out, "draining") {
		t.Errorf("drain --no-wait gives %v:\n%s", err, out)
	}
	script := "print hello"
	var refused *refusalError
	err := ts.client.call(t.Context(), http.MethodPost, "/v1/jobs", web.JobRequest{Language: "script", SourceCode: &script}, nil)
	if !errors.As(err, &refused) || refused.problem.Status != http.StatusServiceUnavailable || refused.problem.Code != "queue_drained" {
		t.Errorf("a submission gives %v", err)
	}
	type result struct {
		out string
		err error
	}
	drained := make(chan result, 1)
	go func() {
		out, err := ts.admin(t, "queues", "drain", job.Queue)
		drained <- result{out, err}
	}()
	ts.fake.Gate("gate").Open()
	if r := <-drained; r.err != nil || !strings.Contains(r.out, "draining") {
		t.Errorf("drain gives %v:\n%s", r.err, r.out)
	}
	if got := ts.get(t, job.ID); got.Verdict != "accepted" {
		t.Errorf("the job that ran is %+v", got)
	}
	if out, err := ts.admin(t, "queues", "resume", job.Queue); err != nil || !strings.Contains(out, "running") {
		t.Errorf("resume gives %v:\n%s", err, out)
	}
	ts.submit(t, "?wait=30s", "print hello")
	if _, err := ts.admin(t, "queues", "drain", "nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("drain of no queue gives %v", err)
	}
}

// TestDrainIsGivenUp: the wait ends with the command's context, or as somebody else resumes the queue.
func TestDrainIsGivenUp(t *testing.T) {
	t.Parallel()
	ts := startTestServer(t, testConfig(t))
	job := ts.submit(t, "", "wait gate")
	defer ts.fake.Gate("gate").Open()
	reached(t, ts.fake.Gate("gate"))
	var q web.Queue
	if err := ts.client.call(t.Context(), http.MethodPost, "/v1/queues/"+job.Queue+"/drain", nil, &q); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(ErrToldToStop)
	if _, err := ts.client.untilEmpty(ctx, q, newProgressLine(io.Discard)); !errors.Is(err, ErrToldToStop) || !strings.Contains(err.Error(), "goes on draining") {
		t.Errorf("told to stop it gives %v", err)
	}
	if err := ts.client.call(t.Context(), http.MethodPost, "/v1/queues/"+job.Queue+"/resume", nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ts.client.untilEmpty(t.Context(), q, newProgressLine(io.Discard)); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("resumed by somebody else it gives %v", err)
	}
}
