package modes

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox/sandboxtest"
	"optimus/store"
	"optimus/web"
)

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
	small, disk := l.onDisk(t, "", 128)
	s := small.serve(t, containerd.env(), "OPTIMUS_DATA="+small.data)
	// Its report takes as much room as what is submitted later.
	lengthy := sleeper(2)
	lengthy.SourceCode = new(*lengthy.SourceCode + "print('x' * 60_000)\n")
	ids := []string{s.submit(t, lengthy)}
	s.untilRunning(t, ids...)

	disk.Fill(t, 0)
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
	contains(t, "the store's health", string(s.ask(t, http.MethodGet, "/v1/store", nil, http.StatusOK).body), `"status":"full"`, `"reason":"`)
	s.job(t, ids[0]) // what is there can be read
	eventually(t, "the job has ended, and its report waits for room", func() bool {
		return strings.Contains(s.readLog(t), `"message":"the store fails; trying on"`)
	})

	disk.Empty(t)
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

// onDisk is a lab of its own, below a folder of which one part lies on a small disk.
func (l *lab) onDisk(t *testing.T, part string, size int) (*lab, *sandboxtest.Disk) {
	t.Helper()
	small := *l
	small.data, small.images = filepath.Join(l.data, "small"), nil
	if err := os.MkdirAll(filepath.Join(small.data, part), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(small.data); err != nil {
			t.Error(err)
		}
	})
	return &small, sandboxtest.NewDisk(t, filepath.Join(small.data, part), size)
}

// checkFullDisk fills a disk that containers need, and ends the one that is there: jobs wait until
// another can be made. Meanwhile, something else may happen.
func (l *lab) checkFullDisk(t *testing.T, s *serving, disk *sandboxtest.Disk, meanwhile func()) {
	t.Helper()
	s.ended(t, s.submit(t, square(0)))
	disk.Fill(t, 0)
	s.untilReadiness(t, http.StatusServiceUnavailable, disk.Dir, "is full")
	if job := s.ended(t, s.submit(t, square(1))); job.Verdict != "accepted" {
		t.Errorf("while the disk is full, a language that is warm gives %+v", job)
	}
	var id string
	eventually(t, "a job waits", func() bool {
		killAll(t, l.pidsOf(t, "agent"))
		id = s.submit(t, square(2))
		return !s.endsUnlessItWaits(t, id) // the room of the one that ended may still have been enough for another
	})
	contains(t, "the log", s.readLog(t), "no space left on device")
	meanwhile()
	time.Sleep(pace)
	if job := s.job(t, id); store.State(job.State).Terminal() {
		t.Errorf("while the disk is full, the job is %+v", job)
	}
	disk.Empty(t)
	s.untilReadiness(t, http.StatusOK)
	if job := s.ended(t, id); job.Verdict != "accepted" {
		t.Errorf("once there is room, the job is %+v", job)
	}
}

// endsUnlessItWaits tells whether a job has ended, rather than found that nothing can be run.
func (s *serving) endsUnlessItWaits(t *testing.T, id string) (ended bool) {
	t.Helper()
	eventually(t, "job "+id+" waits or ends", func() bool {
		ended = store.State(s.job(t, id).State).Terminal()
		return ended || slices.ContainsFunc(strings.Split(s.readLog(t), "\n"), func(line string) bool {
			return strings.Contains(line, id) && strings.Contains(line, `"message":"job waits: this machine can run nothing for now"`)
		})
	})
	return ended
}

// checkCountedOnce checks that no job has lost an attempt.
func (l *lab) checkCountedOnce(t *testing.T) {
	t.Helper()
	for _, job := range l.kept(t) {
		if job.Counted != 1 {
			t.Errorf("job %s has %d attempts counted: %+v", job.ID, job.Counted, job.Attempts)
		}
	}
}

// testFullTasks fills the disk on which containerd keeps what it knows of running containers.
func testFullTasks(t *testing.T, l *lab) {
	disk := sandboxtest.NewDisk(t, filepath.Join(l.data, "containerd/state"), 16)
	s := l.serve(t)
	l.checkFullDisk(t, s, disk, func() {})
	s.stop(t)
	l.checkCountedOnce(t)
}

// testFullImages fills the disk of containerd's images, snapshots and database: while an image comes,
// while a container must be made, and while containerd is started anew.
func testFullImages(t *testing.T, l *lab) {
	small, disk := l.onDisk(t, "containerd/root", 320)
	empty := disk.Free(t)
	for _, too := range []struct {
		little string
		left   int
	}{{"to start containerd", 0}, {"for the blobs", 60}, {"for what they are unpacked to", 150}} {
		disk.Fill(t, too.left)
		contains(t, "a build without the room "+too.little, small.adminFails(t, "images", "build", "python"), "no space left on device")
		disk.Empty(t)
		contains(t, "the list after it", small.admin(t, ExitOK, "images", "list"), "missing: optimus admin images build python")
		// Its own database takes some.
		if left := empty - disk.Free(t); left > 4*mib {
			t.Errorf("a build without the room %s has left %d bytes", too.little, left)
		}
	}
	small.needs(t, "python")

	s := small.serve(t)
	small.checkFullDisk(t, s, disk, func() {
		killAll(t, small.pidsOf(t, "containerd"))
		eventually(t, "its end is seen", func() bool {
			return strings.Contains(s.readLog(t), `"message":"private containerd ended; starting it again"`)
		})
	})
	s.stop(t)
	// What its database holds is whole.
	s = small.serve(t)
	if job := s.ended(t, s.submit(t, square(3))); job.Verdict != "accepted" {
		t.Errorf("the next server gives %+v", job)
	}
	s.stop(t)
	small.checkCountedOnce(t)
	small.assertNothingLeftBut(t, disk.Dir)
}

// testFullRunner fills the disk of the folder in which the runner keeps the agent's binary and each
// container's socket.
func testFullRunner(t *testing.T, l *lab) {
	disk := sandboxtest.NewDisk(t, filepath.Join(l.data, "runner"), 128)
	disk.Fill(t, 0)
	contains(t, "a start without room", l.fails(t), "copy the agent's binary", "no space left on device", disk.Dir)
	l.assertNothingLeftBut(t, disk.Dir)
	disk.Empty(t)
	s := l.serve(t)
	l.checkFullDisk(t, s, disk, func() {})
	s.stop(t)
	l.checkCountedOnce(t)
}

// TestFullBuildCache: a build for which the cache's disk has no room says so, and leaves nothing.
func TestFullBuildCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte("#!/bin/sh\nexec cat /dev/zero\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	cache := filepath.Join(dir, "cache")
	if err := os.Mkdir(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	disk := sandboxtest.NewDisk(t, cache, 16)
	before := disk.Free(t)
	cmd := exec.CommandContext(t.Context(), buildBinary(t), "admin", "images", "build", "bash", "--data", filepath.Join(dir, "data")) //nolint:gosec // the binary under test
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "OPTIMUS_CACHE="+cache, "OPTIMUS_SANDBOX_CONTAINERD=private")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != ExitFailed {
		t.Errorf("it ends with %v, want exit code %d", err, ExitFailed)
	}
	contains(t, "what it says", string(out), "no space left on device", cache)
	if left, err := filepath.Glob(filepath.Join(cache, "*.tar")); err != nil || len(left) > 0 || disk.Free(t) < before-mib {
		t.Errorf("left in the cache: %v, %v, and %d bytes less room", left, err, before-disk.Free(t))
	}
}

const mib = 1 << 20
