package modes

import (
	"encoding/json"
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

	"optimus/sandbox"
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
	// soakDescriptors is how many more descriptors a server may hold in the end than in the midst.
	soakDescriptors = 16
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
	programs []example
	server   *serving
	started  time.Time

	at    atomic.Pointer[api] // where clients submit; nil while there is no server
	ended chan struct{}
	all   sync.WaitGroup

	mu   sync.Mutex
	next int
	// want has the verdict that each acknowledged job must get.
	want map[string]example

	kills    map[string]int
	followed bool // the server's figures are kept
	samples  []soakFigures
}

// soakFigures are a server's figures at a time.
type soakFigures struct {
	minutes, memory, group, descriptors float64
}

func newSoak(t *testing.T, l *lab, languages []string) *soak {
	t.Helper()
	all, err := readExamples("../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(e example) bool { return !slices.Contains(languages, e.Language) })
	for i := range all {
		if all[i].Expect == sandbox.Accepted {
			all[i].Limits = unhurried() // whatever else the machine does
		}
	}
	s := &soak{
		t: t, lab: l, chance: chance(t), programs: all, started: time.Now(),
		ended: make(chan struct{}), want: map[string]example{}, kills: map[string]int{},
	}
	s.serve()
	return s
}

func (s *soak) serve() {
	s.server = s.lab.serve(s.t, "OPTIMUS_WORKER_LEASE=3s") // a killed server's jobs wait for its end
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
		program := s.programs[(n*7)%len(s.programs)] // each in turn, languages mixed
		header := http.Header{"Idempotency-Key": {strconv.Itoa(n)}}
		id := s.insist(http.MethodPost, "/v1/jobs", program.request(), header).ID
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
	pause := func() time.Duration { return soakCalm + time.Duration(s.chance.Int64N(int64(soakUnrest))) }
	kill := time.NewTimer(pause())
	defer kill.Stop()
	for {
		select {
		case <-end.C:
			return
		case <-tell.C:
			s.tell()
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

// tell prints where the soak is, and keeps the server's figures.
func (s *soak) tell() {
	s.t.Helper()
	f := s.figures()
	if s.followed {
		s.samples = append(s.samples, f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t.Logf("%4.0f s: %d jobs acknowledged, killed %v; serve has %.1f MB and %.0f descriptors, the cgroup %.1f MB",
		time.Since(s.started).Seconds(), len(s.want), s.kills, f.memory/1e6, f.descriptors, f.group/1e6)
}

func (s *soak) figures() soakFigures {
	s.t.Helper()
	memory, err := pss(s.server.pid)
	if err != nil {
		s.t.Fatal(err)
	}
	return soakFigures{
		minutes: time.Since(s.started).Minutes(), memory: float64(memory), group: float64(s.lab.groupMemory(s.t)),
		descriptors: float64(len(s.lab.match(s.t, fmt.Sprintf("/proc/%d/fd/*", s.server.pid)))),
	}
}

// groupMemory is what the folder's cgroup holds, in bytes; 0 while there is none.
func (l *lab) groupMemory(t *testing.T) (bytes int64) {
	t.Helper()
	for _, dir := range l.cgroupFolders(t) {
		for _, name := range []string{"memory.usage_in_bytes", "memory.current"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue // of another hierarchy
			}
			if bytes, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bytes
}

// account ends the soak, and counts: what isn't as it should be fails the test.
func (s *soak) account(length time.Duration) {
	s.t.Helper()
	close(s.ended)
	s.all.Wait()
	for id := range s.want {
		s.server.ended(s.t, id)
	}
	last := s.figures()
	s.server.stop(s.t)
	kept := s.lab.kept(s.t)
	var reported, lost, wrong int
	for id, program := range s.want {
		job, ok := kept[id]
		if !ok {
			lost++
			s.t.Errorf("job %s of %s is lost", id, program.name)
			continue
		}
		if job.State.Terminal() {
			reported++
		}
		if job.Verdict != program.Expect || job.State != store.Completed {
			wrong++
			s.t.Errorf("job %s of %s is %s, %s, want %s: attempts %+v, report %+v",
				id, program.name, job.State, job.Verdict, program.Expect, job.Attempts, job.Report)
		}
	}
	doubled := len(kept) - len(s.want) + lost
	if doubled != 0 {
		s.t.Errorf("%d jobs are kept, %d were acknowledged", len(kept), len(s.want))
	}
	leaked := 0
	if !s.t.Run("nothing is left", func(t *testing.T) { s.lab.assertNothingLeft(t) }) {
		leaked++
	}
	if len(s.samples) > 0 && last.descriptors > s.samples[0].descriptors+soakDescriptors {
		leaked++
		s.t.Errorf("the server had %.0f descriptors, and in the end %.0f", s.samples[0].descriptors, last.descriptors)
	}
	s.t.Logf("soak of %s: submitted %d, reported %d, lost %d, doubled %d, wrong %d, leaked %d; killed %v",
		length, len(s.want), reported, lost, doubled, wrong, leaked, s.kills)
	s.t.Logf("a minute of the second half: serve %+.2f MB, %+.1f descriptors; its cgroup %+.2f MB",
		s.slope(func(f soakFigures) float64 { return f.memory })/1e6,
		s.slope(func(f soakFigures) float64 { return f.descriptors }),
		s.slope(func(f soakFigures) float64 { return f.group })/1e6)
}

// slope is how much a figure rises in a minute, by least squares over the second half.
func (s *soak) slope(figure func(soakFigures) float64) float64 {
	var x, y, xx, xy float64
	n := float64(len(s.samples))
	for _, f := range s.samples {
		x += f.minutes
		y += figure(f)
		xx += f.minutes * f.minutes
		xy += f.minutes * figure(f)
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
