package modes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/store/storetest/redistest"
	"optimus/web"
)

// testFleetClock sets the clock of the queue's server an hour forwards and two back while jobs run: no
// lease ends by it.
func testFleetClock(t *testing.T, l *lab) {
	clock := filepath.Join(t.TempDir(), "clock")
	set := func(offset string) {
		t.Helper()
		if err := os.WriteFile(clock, []byte(offset+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("+0")
	found := l.match(t, "/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		t.Fatal("there is no libfaketime: apt-get install faketime")
	}
	queue := redistest.Start(t)
	queue.Kill()
	// The C library's malloc goes before redis-server's own, which asks for the time before there is any.
	libc := filepath.Join(filepath.Dir(found[0]), "../libc.so.6")
	queue.Env("LD_PRELOAD="+found[0]+":"+libc, "FAKETIME_TIMESTAMP_FILE="+clock, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1")
	if err := queue.Start(); err != nil {
		t.Fatal(err)
	}
	f := newFleet(l, queue.URL, "OPTIMUS_WORKER_LEASE=2s")
	server, worker := f.api(t), f.work(t)
	for _, offset := range []string{"+1h", "-1h", "+0"} {
		ids := []string{server.submit(t, sleeper(3)), server.submit(t, sleeper(3))}
		server.untilRunning(t, ids...)
		ids = append(ids, server.submit(t, square(1)))
		set(offset)
		for _, id := range ids {
			if job := server.ended(t, id); job.Verdict != "accepted" {
				t.Errorf("with the queue's clock at %s the job is %+v", offset, job)
			}
		}
	}
	worker.stop(t)
	server.stop(t)
	checkOnce(t, f.kept(t))
}

// clockFile is the variable that tells a skewed binary where its clock's offset is written, in seconds.
const clockFile = "SKEWED_CLOCK"

// skewed is where the skewed binary takes the time of day from: it moves what a wall shows, and leaves the
// monotonic reading beside it as it is, as the kernel does when a clock is set.
const skewed = `
import (
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

func skewedNow() time.Time {
	t := time.Now()
	text, _ := os.ReadFile(os.Getenv("` + clockFile + `"))
	offset, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	*(*uint64)(unsafe.Pointer(&t)) += uint64(offset) << 30 // where a Time has the seconds of its wall
	return t
}
`

// buildSkewed builds the program with another clock: where Optimus's own code asks time.Now, the compiler is
// given the above.
func buildSkewed(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir, replace, packageClause := t.TempDir(), map[string]string{}, regexp.MustCompile(`(?m)^package \w+\n`)
	write := func(path, text string) {
		t.Helper()
		if replace[path] == "" {
			replace[path] = filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		}
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".tools"}, d.Name()) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // the project's own
		if err == nil && bytes.Contains(text, []byte("time.Now")) {
			write(path, strings.ReplaceAll(string(text), "time.Now", "skewedNow")+"\nvar _ time.Duration\n")
			write(filepath.Join(filepath.Dir(path), "skewed.go"), packageClause.FindString(string(text))+skewed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file, built := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "optimus")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", file, "-o", built, "optimus")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build optimus with another clock: %v: %s", err, out)
	}
	return built
}

// testFleetWorkerClock has workers whose machine's clock is an hour ahead, and is then set two back, or the
// other way round: no lease ends by it, and each job is done once.
func testFleetWorkerClock(t *testing.T, l *lab) {
	clock := filepath.Join(t.TempDir(), "clock")
	set := func(seconds int) {
		t.Helper()
		if err := os.WriteFile(clock, fmt.Appendln(nil, seconds), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wrong := *l
	wrong.binary = buildSkewed(t)
	f := newFleet(l, redistest.Start(t).URL, "OPTIMUS_WORKER_LEASE=2s")
	away := newFleet(&wrong, "", "OPTIMUS_WORKER_LEASE=2s", clockFile+"="+clock)
	away.env[0] = f.env[0]
	server := f.api(t)
	for _, hour := range []int{3600, -3600} {
		set(hour)
		worker := away.work(t)
		eventually(t, fmt.Sprintf("a worker is known whose clock is some %d s off", hour), func() bool {
			var list web.WorkerList
			server.ask(t, http.MethodGet, "/v1/workers", nil, http.StatusOK).into(t, &list)
			return slices.ContainsFunc(list.Workers, func(w web.Worker) bool {
				off := time.Until(w.StartedAt).Seconds()
				return math.Abs(off) > 3000 && off > 0 == (hour > 0)
			})
		})
		ids := []string{server.submit(t, sleeper(3)), server.submit(t, sleeper(3))}
		server.untilRunning(t, ids...)
		ids = append(ids, server.submit(t, square(1)))
		set(-hour)
		for _, id := range ids {
			if job := server.ended(t, id); job.Verdict != "accepted" || job.Attempts != 1 {
				t.Errorf("with the worker's clock %d s off, and then %d, the job is %+v", hour, -hour, job)
			}
		}
		worker.stop(t)
	}
	server.stop(t)
	checkOnce(t, f.kept(t))
}
