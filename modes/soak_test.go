package modes

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"optimus/store"
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
	s := newSoak(t, l, languages)
	for range soakClients {
		s.all.Go(s.client)
	}
	s.unrest(length/2, append(victims(), "serve"))
	s.followed = true
	s.unrest(length/2, victims())
	s.account(length)
}

// soakClients is how many clients submit at once: more than there are slots, so that jobs wait.
const soakClients = 4

// soak is a soak under way.
type soak struct {
	t        *testing.T
	lab      *lab
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

func newSoak(t *testing.T, l *lab, languages []string) *soak {
	t.Helper()
	r := chance(t)
	s := &soak{
		t: t, lab: l, programs: soakPrograms(t, r, languages), chance: r, started: time.Now(),
		ended: make(chan struct{}), want: map[string]soakProgram{}, kills: map[string]int{},
	}
	s.serve()
	return s
}

func (s *soak) serve() {
	s.server = s.lab.serve(s.t, "OPTIMUS_LIMITS_FILE_SIZE=1GiB") // as programs of the catalogue want it
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
