package modes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"optimus/store"
)

// soakFigures are a server's figures at a time.
type soakFigures struct {
	at time.Duration // since the soak began
	// memory, in bytes, is the server's own, without the pages of files such as the store's; group,
	// in bytes, what its programs' cgroup holds.
	memory, descriptors, group float64
}

func (s *soak) figures() soakFigures {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.server.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	text, _, _ := strings.Cut(after, "kB")
	memory, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return soakFigures{
		at: time.Since(s.started), memory: memory * 1024, group: float64(s.lab.groupMemory(s.t)),
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
func (s *soak) account() {
	s.t.Helper()
	close(s.ended)
	s.all.Wait()
	for id := range s.want {
		s.server.ended(s.t, id)
	}
	s.server.stop(s.t)
	s.end()
	kept := s.kept(s.t)
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
		if job.Verdict != program.want || job.State != store.Completed {
			wrong++
			s.t.Errorf("job %s of %s is %s, %s, want %s: attempts %+v, report %+v",
				id, program.name, job.State, job.Verdict, program.want, job.Attempts, job.Report)
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
	for _, g := range s.growths() {
		s.t.Logf("%s: from %.1f to %.1f %s in the second half, %+.2f a minute", g.name, g.before, g.after, g.unit, g.rise())
		if g.after-g.before > g.bound {
			leaked++
			s.t.Errorf("%s has grown by more than %.0f %s", g.name, g.bound, g.unit)
		}
	}
	s.t.Logf("soak of %s: submitted %d, reported %d, lost %d, doubled %d, wrong %d, leaked %d; killed %v",
		s.length, len(s.want), reported, lost, doubled, wrong, leaked, s.kills)
}

// growth is how a figure of the server was at two times.
type growth struct {
	name, unit    string
	before, after float64
	minutes       float64 // between the two
	bound         float64 // on what is no leak
}

// rise is the growth in a minute.
func (g growth) rise() float64 { return (g.after - g.before) / max(g.minutes, 1e-9) }

// growths compares the middle third of the time in which one server was followed with the last third;
// the first is for its caches and pools to fill. Of each it takes the median, which neither a
// collector of garbage moves nor a program that takes all that it may.
func (s *soak) growths() []growth {
	third := len(s.samples) / 3
	if third == 0 {
		s.t.Error("the server was followed for too short a time")
		return nil
	}
	before, after := s.samples[third:2*third], s.samples[len(s.samples)-third:]
	growths := []growth{
		{name: "memory of serve", unit: "MB", bound: soakMemory},
		{name: "descriptors of serve", bound: soakDescriptors},
		{name: "memory of the programs' cgroup", unit: "MB", bound: soakGroup},
	}
	for i, figure := range []func(soakFigures) float64{
		func(f soakFigures) float64 { return f.memory / 1e6 },
		func(f soakFigures) float64 { return f.descriptors },
		func(f soakFigures) float64 { return f.group / 1e6 },
	} {
		g := &growths[i]
		g.before, g.after = medianOf(before, figure), medianOf(after, figure)
		g.minutes = medianOf(after, minutes) - medianOf(before, minutes)
	}
	return growths
}

func minutes(f soakFigures) float64 { return f.at.Minutes() }

func medianOf(samples []soakFigures, figure func(soakFigures) float64) float64 {
	values := make([]float64, len(samples))
	for i, f := range samples {
		values[i] = figure(f)
	}
	return median(values)
}

// TestSoakSeesALeak: what grows all the time is one, what jumps is none.
func TestSoakSeesALeak(t *testing.T) {
	t.Parallel()
	s := &soak{t: t}
	for i := range 90 {
		f := soakFigures{at: time.Duration(i) * time.Second, memory: 50e6, descriptors: 40 + float64(i), group: 100e6}
		if i%3 == 0 {
			f.group = 900e6
		}
		s.samples = append(s.samples, f)
	}
	for _, g := range s.growths() {
		if leaks := g.after-g.before > g.bound; leaks != (g.unit == "") {
			t.Errorf("of steady memory and growing descriptors: %+v", g)
		}
	}
}
