package modes

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"optimus/web"
)

// disk mounts a small file system on a folder, which ends with the test.
func disk(t *testing.T, dir, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("mount on %s: %v", dir, err)
	}
	t.Cleanup(func() {
		// The last user of a private containerd undoes all mounts in its folder.
		if err := unix.Unmount(dir, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// fill leaves no room in a folder's file system until free is called.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // to the last byte
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// bulky is a square whose source takes room in the store.
func bulky(n int) web.JobRequest {
	job := square(n)
	job.SourceCode = new(*job.SourceCode + "#" + strings.Repeat("x", 60_000))
	return job
}

func (s *serving) untilReadiness(t *testing.T, status int, says ...string) {
	t.Helper()
	var r answer
	eventually(t, fmt.Sprintf("readiness is %d", status), func() bool {
		r = s.ask(t, http.MethodGet, "/ready", nil, http.StatusOK, http.StatusServiceUnavailable)
		return r.status == status
	})
	contains(t, "readiness", string(r.body), says...)
}

// testFullStore fills the disk of the store while a job runs: it tells, keeps what it has
// acknowledged, and goes on once there is room.
func testFullStore(t *testing.T, l *lab) {
	containerd := l.systemContainerd(t)
	small := *l
	small.data = filepath.Join(l.data, "small")
	if err := os.Mkdir(small.data, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(small.data); err != nil {
			t.Error(err)
		}
	})
	disk(t, small.data, "size=128m")
	s := small.serve(t, containerd.env(), "OPTIMUS_DATA="+small.data)
	ids := []string{s.submit(t, sleeper(2))}
	s.untilRunning(t, ids...)

	free := fill(t, small.data)
	var refused answer
	eventually(t, "a submission is refused", func() bool {
		refused = s.ask(t, http.MethodPost, "/v1/jobs", bulky(len(ids)), http.StatusAccepted, http.StatusServiceUnavailable)
		if refused.status == http.StatusAccepted {
			var job web.Job
			refused.into(t, &job)
			ids = append(ids, job.ID)
		}
		return refused.status == http.StatusServiceUnavailable
	})
	var problem web.Problem
	refused.into(t, &problem)
	contains(t, "the refusal", problem.Code+" "+problem.Detail, "unavailable", "disk is full")
	if refused.header.Get("Retry-After") == "" {
		t.Error("the refusal does not say when to try again")
	}
	contains(t, "the original's refusal", string(s.ask(t, http.MethodPost, "/execute", map[string]any{
		"language": "python", "source_code": *bulky(1).SourceCode, "test_cases": []map[string]string{{"input": "1", "expected_output": "1"}},
	}, http.StatusInternalServerError).body), "QUEUE_FAILURE")
	s.untilReadiness(t, http.StatusServiceUnavailable, "no room is left", small.storePath())
	s.ask(t, http.MethodGet, "/health", nil, http.StatusServiceUnavailable)
	s.job(t, ids[0]) // what is there can be read
	eventually(t, "the job has ended, and its report waits for room", func() bool {
		return strings.Contains(s.readLog(t), `"message":"the store fails; trying on"`)
	})

	free()
	s.untilReadiness(t, http.StatusOK)
	ids = append(ids, s.submit(t, bulky(len(ids))))
	for _, id := range ids {
		if job := s.ended(t, id); job.Verdict != "accepted" {
			t.Errorf("once there is room, job %s is %+v", id, job)
		}
	}
	s.stop(t)
	if kept := small.kept(t); len(kept) != len(ids) {
		t.Errorf("%d jobs are kept, want %d", len(kept), len(ids))
	}
}

// testFullContainerd fills the disk on which containerd makes containers, and ends the one that is
// there: jobs wait, with no attempt counted, until another can be made.
func testFullContainerd(t *testing.T, l *lab) {
	state := filepath.Join(l.data, "containerd/state")
	disk(t, state, "size=16m")
	s := l.serve(t)
	s.ended(t, s.submit(t, square(1)))

	free := fill(t, state)
	killAll(t, l.pidsOf(t, "agent"))
	s.untilReadiness(t, http.StatusServiceUnavailable, state, "is full")
	id := s.submit(t, square(2))
	eventually(t, "the job waits", func() bool {
		return strings.Contains(s.readLog(t), `"message":"job waits: this machine can run nothing for now"`)
	})
	contains(t, "the log", s.readLog(t), "no space left on device")
	time.Sleep(pace)
	free()
	s.untilReadiness(t, http.StatusOK)
	if job := s.ended(t, id); job.Verdict != "accepted" {
		t.Errorf("once there is room, the job is %+v", job)
	}
	s.stop(t)
	for _, job := range l.kept(t) {
		if job.Counted != 1 {
			t.Errorf("job %s has %d attempts counted: %+v", job.ID, job.Counted, job.Attempts)
		}
	}
}
