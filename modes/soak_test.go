package modes

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

const (
	// shortSoak is what every run of the tests has; `make soak` is longer.
	shortSoak = 20 * time.Second
	// soakSample is how often a soak looks, and tells.
	soakSample = 5 * time.Second
	// soakCalm is the least time between two kills, soakUnrest what chance adds to it at the most.
	soakCalm, soakUnrest = 2 * time.Second, 5 * time.Second
	// soakPace is how often the server's figures are taken while it is followed.
	soakPace = 250 * time.Millisecond
	// How much more may be held at the end of a server's half than in its midst (see growths) before it
	// counts as a leak: by the server itself, which has 9 to 17 MB and some 33 descriptors, four fewer
	// while it has no containerd; and, in MB, by its programs, each of which may take 256.
	soakMemory, soakDescriptors, soakGroup = 8, 8, 128
)

// TestSoak has honest and hostile programs judged while everything is killed at random moments: in the
// first half the server too, in the second only what runs programs, so that one server's memory and
// descriptors can be followed. OPTIMUS_TEST_SOAK is how long, OPTIMUS_TEST_SEED makes the same choices.
func TestSoak(t *testing.T) {
	s := newSoak(t)
	s.start = func() *serving { return s.lab.serve(t, soakSettings) }
	s.kept = s.lab.kept
	s.run()
}

// TestSoakOfAFleet has a server without a worker, two workers, and the queue's server at the end of a line,
// of which all but the first have their faults in both halves.
func TestSoakOfAFleet(t *testing.T) {
	s := newSoak(t)
	queue := redistest.OnPort(t, "--appendfsync", "always")
	line := newLine(t, queue)
	f := newFleet(s.lab, "redis://"+line.Listen, soakSettings, "OPTIMUS_REDIS_DURABILITY=fsync", "OPTIMUS_WORKER_LEASE=3s")
	f.redis.URL = queue.URL
	workers := []*serving{f.work(t), f.work(t)}
	s.start = func() *serving { return f.api(t) }
	s.kept = f.kept
	s.others = queueFaults(t, queue, line, s.chance)
	s.others["work"] = func() { f.replace(t, &workers[s.chance.IntN(len(workers))]) }
	s.end = func() {
		for _, w := range workers {
			w.stop(t)
		}
	}
	s.run()
}

// queueFaults are what may befall the queue's server and the line to it, each until it is over.
func queueFaults(t *testing.T, queue *redistest.Server, line *line, r *rand.Rand) map[string]func() {
	t.Helper()
	const lasts = 4 * time.Second // beyond a lease
	tell := func(words ...any) {
		if err := queue.Client(t).Do(t.Context(), words...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]func(){
		"queue": func() {
			queue.Kill()
			if err := queue.Start(); err != nil {
				t.Fatal(err)
			}
		},
		"queue frozen": func() {
			queue.Signal(t, syscall.SIGSTOP)
			time.Sleep(lasts)
			queue.Signal(t, syscall.SIGCONT)
		},
		"queue full": func() {
			tell("CONFIG", "SET", "maxmemory", "1mb")
			time.Sleep(lasts)
			tell("CONFIG", "SET", "maxmemory", "0")
		},
		"queue read-only": func() {
			tell("REPLICAOF", "127.0.0.1", "1") // where nobody is
			time.Sleep(lasts)
			tell("REPLICAOF", "NO", "ONE")
		},
		"queue without scripts": func() { tell("SCRIPT", "FLUSH") },
		"line lossy":            func() { line.lossy(t, r, lasts) },
		"line cut": func() {
			line.Stop()
			time.Sleep(lasts)
			line.start(t)
		},
	}
}

// soakSettings are as programs of the catalogue want them.
const soakSettings = "OPTIMUS_LIMITS_FILE_SIZE=1GiB"

// run soaks, and accounts for it.
func (s *soak) run() {
	s.t.Helper()
	s.serve()
	for range soakClients {
		s.all.Go(s.client)
	}
	kinds := append(victims(), slices.Sorted(maps.Keys(s.others))...)
	s.unrest(s.length/2, append(kinds, "serve"))
	s.followed = true
	s.unrest(s.length/2, kinds)
	s.account()
}

// soakClients is how many clients submit at once: more than there are slots, so that jobs wait.
const soakClients = 4

// soak is a soak under way.
type soak struct {
	t      *testing.T
	lab    *lab
	length time.Duration
	// start starts a server, and kept reads what is kept once all have stopped.
	start func() *serving
	kept  func(t *testing.T) map[string]store.Job
	// others kill what else there is, by kind, and have it started anew; end stops that.
	others   map[string]func()
	end      func()
	chance   *rand.Rand // the killer's
	programs []soakProgram
	server   *serving
	started  time.Time

	at    atomic.Pointer[api] // where clients submit; nil while there is no server
	ended chan struct{}
	all   sync.WaitGroup

	mu   sync.Mutex
	next int
	// want has the verdict that each acknowledged job must get.
	want map[string]soakProgram

	kills    map[string]int
	followed bool // the server's figures are kept
	samples  []soakFigures
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	length := shortSoak
	languages := []string{"python"}
	if given := os.Getenv("OPTIMUS_TEST_SOAK"); given != "" {
		var err error
		if length, err = time.ParseDuration(given); err != nil {
			t.Fatalf("OPTIMUS_TEST_SOAK: %v", err)
		}
		languages = append(languages, "cpp", "java", "rust")
	}
	l := newLab(t)
	t.Cleanup(func() { l.explain(t) })
	for _, language := range languages {
		l.needs(t, language)
	}
	r := chance(t)
	return &soak{
		t: t, lab: l, length: length, programs: soakPrograms(t, r, languages), chance: r, started: time.Now(),
		ended: make(chan struct{}), want: map[string]soakProgram{}, kills: map[string]int{}, end: func() {},
	}
}

func (s *soak) serve() {
	s.server = s.start()
	s.at.Store(s.server.api)
}

// client submits one program after the other, each once the one before has ended.
func (s *soak) client() {
	for {
		select {
		case <-s.ended:
			return
		case <-s.t.Context().Done():
			return
		default:
		}
		s.mu.Lock()
		n := s.next
		s.next++
		s.mu.Unlock()
		program := s.programs[n%len(s.programs)]
		header := http.Header{"Idempotency-Key": {strconv.Itoa(n)}}
		id := s.insist(http.MethodPost, "/v1/jobs", program.request, header).ID
		if id == "" {
			return
		}
		s.mu.Lock()
		s.want[id] = program
		s.mu.Unlock()
		for job := (web.Job{}); s.t.Context().Err() == nil && !store.State(job.State).Terminal(); {
			job = s.insist(http.MethodGet, "/v1/jobs/"+id+"?wait=10s", nil, nil)
		}
	}
}

// insist asks whichever server is there until one answers.
func (s *soak) insist(method, path string, body any, header http.Header) (job web.Job) {
	for ; s.t.Context().Err() == nil; time.Sleep(100 * time.Millisecond) {
		at := s.at.Load()
		if at == nil {
			continue
		}
		a, err := at.try(s.t.Context(), method, path, body, header)
		switch {
		case err != nil, a.status == http.StatusServiceUnavailable:
		case a.status/100 != 2 || json.Unmarshal(a.body, &job) != nil:
			s.t.Errorf("%s %s gives %d: %s", method, path, a.status, a.body)
			return job
		default:
			return job
		}
	}
	return job
}

// unrest kills something of these kinds now and then, for as long as is said.
func (s *soak) unrest(length time.Duration, kinds []string) {
	s.t.Helper()
	end := time.NewTimer(length)
	defer end.Stop()
	tell := time.NewTicker(soakSample)
	defer tell.Stop()
	look := time.NewTicker(soakPace)
	defer look.Stop()
	pause := func() time.Duration { return soakCalm + time.Duration(s.chance.Int64N(int64(soakUnrest))) }
	kill := time.NewTimer(pause())
	defer kill.Stop()
	for {
		select {
		case <-end.C:
			return
		case <-tell.C:
			s.tell()
		case <-look.C:
			if s.followed {
				s.samples = append(s.samples, s.figures())
			}
		case <-s.server.exited:
			s.t.Fatalf("the server ended by itself: %s\n%s", s.server.state, s.server.readLog(s.t))
		case <-kill.C:
			s.kill(kinds[s.chance.IntN(len(kinds))])
			kill.Reset(pause())
		}
	}
}

func (s *soak) kill(kind string) {
	s.t.Helper()
	if other, ok := s.others[kind]; ok {
		other()
		s.kills[kind]++
		return
	}
	if kind != "serve" {
		if pid := s.lab.victim(s.t, s.chance, kind); pid != 0 {
			killAll(s.t, []int{pid})
			s.kills[kind]++
		}
		return
	}
	s.at.Store(nil)
	s.server.send(s.t, syscall.SIGKILL)
	<-s.server.exited
	s.kills[kind]++
	s.serve()
}

// tell prints where the soak is.
func (s *soak) tell() {
	s.t.Helper()
	f := s.figures()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Logf("%4.0f s: %d jobs acknowledged, killed %v; serve has %.1f MB and %.0f descriptors, the cgroup %.1f MB",
		f.at.Seconds(), len(s.want), s.kills, f.memory/1e6, f.descriptors, f.group/1e6)
}
