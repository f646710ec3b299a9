package modes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// stream submits jobs, each under a key of its own, from several clients at once, to whichever
// server is there.
type stream struct {
	server atomic.Pointer[api]
	ended  chan struct{}
	all    sync.WaitGroup
	// outages: the store may be away for a while, and a refusal that says when to try again is no fault.
	outages bool
	// name begins the jobs' idempotency keys, which no other stream has.
	name string
	// job is what the clients submit under a number; square is the default.
	job func(n int) web.JobRequest

	mu sync.Mutex
	// ids are of the acknowledged jobs, by their number.
	ids map[int]string
	// begun is how many numbers are given out.
	begun int
}

const (
	clients = 2
	// pace of a client: together they give two slots about half of what these can judge, so that
	// what waits while nothing can be run does not wait for long.
	pace = 400 * time.Millisecond
)

// newStream begins a stream, which stands still until it is given a server.
func newStream(t *testing.T) *stream {
	t.Helper()
	st := &stream{name: uuid.NewString() + "-", job: square, ids: map[int]string{}, ended: make(chan struct{})}
	for range clients {
		st.all.Go(func() { st.client(t) })
	}
	return st
}

func (st *stream) client(t *testing.T) {
	t.Helper()
	for {
		select {
		case <-st.ended:
			return
		case <-t.Context().Done():
			return
		case <-time.After(pace):
		}
		st.mu.Lock()
		n := st.begun
		st.begun++
		st.mu.Unlock()
		for !st.send(t, n) && t.Context().Err() == nil {
			time.Sleep(pace / 10) // there is no server now
		}
	}
}

// send submits a job, and tells whether it needs no other try.
func (st *stream) send(t *testing.T, n int) bool {
	t.Helper()
	a := st.server.Load()
	if a == nil {
		return false
	}
	r, err := a.try(t.Context(), http.MethodPost, "/v1/jobs", st.job(n), http.Header{"Idempotency-Key": {st.name + strconv.Itoa(n)}})
	if err != nil {
		return false
	}
	if st.outages && r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "" {
		return false
	}
	if r.status != http.StatusAccepted && r.status != http.StatusOK {
		if t.Context().Err() == nil {
			t.Errorf("submission %d gives %d: %s", n, r.status, r.body)
		}
		return true
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ids[n] = strings.TrimPrefix(r.header.Get("Location"), "/v1/jobs/")
	return true
}

// end lets every client have its last job acknowledged, and waits until all jobs have ended.
func (st *stream) end(t *testing.T, s *serving) {
	t.Helper()
	st.server.Store(s.api)
	close(st.ended)
	st.all.Wait()
	for _, id := range st.ids {
		s.ended(t, id)
	}
}

// check checks that each job was acknowledged, made once, judged once, and accepted; and that there
// are as many others.
func (st *stream) check(t *testing.T, kept map[string]store.Job, others int) {
	t.Helper()
	if len(st.ids) != st.begun || len(kept) != st.begun+others {
		t.Errorf("of %d jobs %d were acknowledged, and with %d others %d are kept", st.begun, len(st.ids), others, len(kept))
	}
	for n, id := range st.ids {
		if _, ok := kept[id]; !ok {
			t.Errorf("job %d, acknowledged as %q, is lost", n, id)
		}
	}
	checkSquares(t, kept)
}

// chance is where random tests take their moments and victims from. Its seed is printed, and can
// be given by OPTIMUS_TEST_SEED.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64() //nolint:gosec // guards no secret
	if given := os.Getenv("OPTIMUS_TEST_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("OPTIMUS_TEST_SEED: %v", err)
		}
	}
	t.Logf("OPTIMUS_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // guards no secret
}

// kills is how often each test kills: OPTIMUS_TEST_KILLS, else 20.
func kills(t *testing.T) int {
	t.Helper()
	given := os.Getenv("OPTIMUS_TEST_KILLS")
	if given == "" {
		return 20
	}
	n, err := strconv.Atoi(given)
	if err != nil {
		t.Fatalf("OPTIMUS_TEST_KILLS: %v", err)
	}
	return n
}

// soon is a random moment within the life of some jobs.
func soon(r *rand.Rand) time.Duration { return time.Duration(r.Int64N(int64(pace))) }

// victims are what of a server's processes can be killed beside itself.
func victims() []string { return []string{"agent", "containerd-shim-runc-v2", "containerd", "init"} }

// victim gives a random process of that kind, 0 where there is none.
func (l *lab) victim(t *testing.T, r *rand.Rand, kind string) int {
	t.Helper()
	pids := l.pidsOf(t, kind)
	if kind == "init" {
		pids = l.inits(t)
	}
	if len(pids) == 0 {
		return 0
	}
	return pids[r.IntN(len(pids))]
}

// inits gives the first process of each box.
func (l *lab) inits(t *testing.T) (pids []int) {
	t.Helper()
	agents := l.pidsOf(t, "agent")
	for pid := range l.processes(t, func(string) bool { return true }) {
		if slices.Contains(agents, parent(pid)) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// testKillServer kills the server again and again, at random moments of its life and of its jobs,
// alone and together with something else.
func testKillServer(t *testing.T, l *lab) {
	r, lease := chance(t), "OPTIMUS_WORKER_LEASE=1h" // for whose end no job of a killed server waits
	st := newStream(t)
	for round := range kills(t) {
		s := l.start(t, lease)
		if early := round%4 == 3; !early {
			s.untilReady(t)
			st.server.Store(s.api)
			l.checkReaped(t)
		}
		time.Sleep(soon(r))
		dying := []int{s.pid}
		if round%2 == 1 {
			dying = append(dying, l.victim(t, r, victims()[r.IntN(len(victims()))]))
			r.Shuffle(len(dying), func(i, j int) { dying[i], dying[j] = dying[j], dying[i] })
		}
		killAll(t, dying)
		<-s.exited
	}
	s := l.serve(t, lease)
	l.checkReaped(t)
	st.end(t, s)
	s.stop(t)
	st.check(t, l.kept(t), 0)
}

// testKillEngine kills each kind of process that a server runs programs with, alone and any two at
// once, while the server stays.
func testKillEngine(t *testing.T, l *lab) {
	r := chance(t)
	var rounds [][]string
	for i, one := range victims() {
		rounds = append(rounds, []string{one}, []string{one})
		for _, other := range victims()[i+1:] {
			rounds = append(rounds, []string{one, other})
		}
	}
	for len(rounds) < kills(t) {
		rounds = append(rounds, []string{victims()[r.IntN(len(victims()))]})
	}
	r.Shuffle(len(rounds), func(i, j int) { rounds[i], rounds[j] = rounds[j], rounds[i] })
	s := l.serve(t)
	st := newStream(t)
	st.server.Store(s.api)
	others := 0
	for round, kinds := range rounds {
		time.Sleep(soon(r))
		var dying []int
		eventually(t, fmt.Sprintf("there is of each: %v", kinds), func() bool {
			dying = nil
			for _, kind := range kinds {
				dying = append(dying, l.victim(t, r, kind))
			}
			return !slices.Contains(dying, 0)
		})
		killAll(t, dying)
		if round%3 > 0 { // else the next comes while it still mends itself
			s.ended(t, s.submit(t, square(round)))
			others++
		}
	}
	st.end(t, s)
	// What a containerd that is dead when all stops knows of is removed by the next start.
	s.untilReadiness(t, http.StatusOK)
	s.stop(t)
	st.check(t, l.kept(t), others)
}

func killAll(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if pid == 0 {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("kill process %d: %v", pid, err)
		}
	}
}

// isLocked tells whether a process holds the lock of a file.
func isLocked(t *testing.T, path string) bool {
	t.Helper()
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// checkReaped checks that of all instances only the running server's has containers, cgroups and
// folders.
func (l *lab) checkReaped(t *testing.T) {
	t.Helper()
	// The locks of dead ones go later: containerd may still be at work for them.
	locks := slices.DeleteFunc(l.match(t, filepath.Join(l.data, "runner/*.lock")), func(path string) bool { return !isLocked(t, path) })
	if len(locks) != 1 {
		t.Fatalf("the running server's lock is not the only one that is held: %v", locks)
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
