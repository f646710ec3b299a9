package modes

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// stream submits jobs, each under a key of its own, from several clients at once, to whichever
// server is there.
type stream struct {
	jobs []web.JobRequest

	mu sync.Mutex
	// ids are of the acknowledged jobs, by their number.
	ids map[int]string
	// acked gets a value for each acknowledgement.
	acked chan struct{}
}

func newStream(jobs int) *stream {
	st := &stream{ids: map[int]string{}, acked: make(chan struct{}, jobs)}
	for n := range jobs {
		st.jobs = append(st.jobs, square(n))
	}
	return st
}

// send submits the jobs of those numbers that are not acknowledged yet. What the server does not
// answer is left for the next time.
func (st *stream) send(t *testing.T, a *api, from, to int) {
	t.Helper()
	const clients = 4
	numbers := make(chan int, to-from)
	for n := from; n < to; n++ {
		if st.id(n) == "" {
			numbers <- n
		}
	}
	close(numbers)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := range numbers {
				st.sendOne(t, a, n)
			}
		})
	}
	all.Wait()
}

func (st *stream) sendOne(t *testing.T, a *api, n int) {
	t.Helper()
	r, err := a.try(t.Context(), http.MethodPost, "/v1/jobs", st.jobs[n], http.Header{"Idempotency-Key": {strconv.Itoa(n)}})
	if err != nil {
		return // the server was killed
	}
	if r.status != http.StatusAccepted && r.status != http.StatusOK {
		t.Errorf("submission %d gives %d: %s", n, r.status, r.body)
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ids[n] = strings.TrimPrefix(r.header.Get("Location"), "/v1/jobs/")
	st.acked <- struct{}{}
}

func (st *stream) id(n int) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.ids[n]
}

// check checks that each job was acknowledged, made once, judged once, and accepted.
func (st *stream) check(t *testing.T, kept map[string]store.Job) {
	t.Helper()
	if len(kept) != len(st.jobs) {
		t.Errorf("%d jobs are kept, want %d", len(kept), len(st.jobs))
	}
	for n := range st.jobs {
		if _, ok := kept[st.id(n)]; !ok {
			t.Errorf("job %d, acknowledged as %q, is lost", n, st.id(n))
		}
	}
	checkSquares(t, kept)
}

func testKillServer(t *testing.T, l *lab) {
	const rounds, each = 3, 12
	lease := "OPTIMUS_WORKER_LEASE=3s" // a killed server's jobs wait for its end
	st := newStream(rounds * each)
	for round := range rounds {
		s := l.serve(t, lease)
		l.checkReaped(t)
		from, half, to := round*each, round*each+each/2, (round+1)*each
		st.send(t, s.api, 0, half) // with what earlier rounds have not brought in
		eventually(t, "a job runs", func() bool {
			var running web.JobList
			s.ask(t, http.MethodGet, "/v1/jobs?state=running", nil, http.StatusOK).into(t, &running)
			return len(running.Jobs) > 0 || from > 0
		})
		drain(st.acked)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			st.send(t, s.api, half, to)
		}()
		<-st.acked // in the middle of the second half
		s.kill(t)
		<-sent
		// What is left of it may die too: nothing the first time, then containerd, then all.
		for _, program := range [][]string{{}, {"containerd"}, {"containerd", "containerd-shim-runc-v2", "agent"}}[round] {
			killAll(t, l.pidsOf(t, program))
		}
	}
	s := l.serve(t, lease)
	l.checkReaped(t)
	st.send(t, s.api, 0, len(st.jobs))
	for n := range st.jobs {
		s.ended(t, st.id(n))
	}
	s.stop(t)
	st.check(t, l.kept(t))
}

func killAll(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("kill process %d: %v", pid, err)
		}
	}
}

func drain(ch <-chan struct{}) {
	for len(ch) > 0 {
		<-ch
	}
}

// checkReaped checks that of all instances only the running server's has containers, cgroups and
// folders.
func (l *lab) checkReaped(t *testing.T) {
	t.Helper()
	locks := l.match(t, filepath.Join(l.data, "runner/*.lock"))
	if len(locks) != 1 {
		t.Fatalf("the running server's lock is not the only one: %v", locks)
	}
	prefix := strings.TrimSuffix(filepath.Base(locks[0]), ".lock") + "-"
	cfg, err := config.Load(config.LoadOptions{Path: l.config, Flags: map[string]string{"data": l.data}})
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := containerd.Connect(t.Context(), daemonOptions(cfg, testLogger(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := daemon.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	list, err := daemon.Client().Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := l.match(t, filepath.Join(l.data, "runner/*-*/agent.sock"))
	for i := range names {
		names[i] = filepath.Dir(names[i])
	}
	for _, c := range list {
		names = append(names, c.ID())
	}
	for _, dir := range l.cgroupFolders(t) {
		for _, file := range l.match(t, filepath.Join(dir, "*", "cgroup.procs")) {
			names = append(names, filepath.Dir(file))
		}
	}
	for _, name := range names {
		if !strings.HasPrefix(filepath.Base(name), prefix) {
			t.Errorf("a dead server's container is left: %s", name)
		}
	}
}

func testKillEngine(t *testing.T, l *lab) {
	const jobs, each = 24, 6
	st := newStream(jobs)
	s := l.serve(t)
	for round, program := range []string{"agent", "containerd", "agent"} {
		st.send(t, s.api, round*each, (round+1)*each)
		var pids []int
		eventually(t, "there is a "+program, func() bool {
			pids = l.pidsOf(t, program)
			return len(pids) > 0
		})
		killAll(t, pids)
		s.ended(t, st.id(round*each)) // the others wait or run when the next is killed
	}
	st.send(t, s.api, 0, jobs)
	for n := range jobs {
		s.ended(t, st.id(n))
	}
	s.stop(t)
	st.check(t, l.kept(t))
}
