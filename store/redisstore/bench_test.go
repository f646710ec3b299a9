package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/redistest"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	srv := redistest.New(b.TempDir())
	must(b, srv.Start())
	b.Cleanup(srv.Kill)
	return openTest(b, Options{URL: srv.URL}, store.Options{})
}

// benchJob is a submission of about the usual size: a small program, three tests.
func benchJob(tenant string) store.NewJob {
	expected := sandbox.Text("3\n")
	test := sandbox.TestCase{ID: "1", Input: []byte("1 2\n"), Expected: &expected, Weight: 1}
	return store.NewJob{
		Tenant: tenant, Queue: "default",
		Submission: sandbox.Submission{
			Language: sandbox.Language{Name: "python", Image: "optimus.local/python:trixie", Run: []string{"python3", "{source}"}},
			Source:   sandbox.Source{Files: []sandbox.File{{Name: "main.py", Content: []byte("print(sum(map(int, input().split())))\n")}}},
			Tests:    []sandbox.TestCase{test, test, test},
		},
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// cpuTime is what the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// infoOf is a figure of the server's own.
func infoOf(b *testing.B, s *Store, name string) float64 {
	b.Helper()
	text, err := s.client.Info(b.Context(), "everything").Result()
	must(b, err)
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			must(b, err)
			return n
		}
	}
	b.Fatalf("the server does not tell %s", name)
	return 0
}

// BenchmarkSubmit is one client that waits for each submission.
func BenchmarkSubmit(b *testing.B) {
	s := benchStore(b)
	n := benchJob("a")
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, _, err := s.Submit(b.Context(), n); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(micros(took[len(took)/2]), "p50-µs")
	b.ReportMetric(micros(took[len(took)*99/100]), "p99-µs")
}

// BenchmarkCycle is 64 clients, each of which submits, claims and finishes.
func BenchmarkCycle(b *testing.B) {
	const clients = 64
	s := benchStore(b)
	work := make(chan struct{})
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for range work {
				if err := cycle(b.Context(), s, benchJob(fmt.Sprint(i%8))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	used, server := cpuTime(b), infoOf(b, s, "used_cpu_user")+infoOf(b, s, "used_cpu_sys")
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	server = infoOf(b, s, "used_cpu_user") + infoOf(b, s, "used_cpu_sys") - server
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
	b.ReportMetric(micros(cpuTime(b)-used)/float64(b.N), "cpu-µs/cycle")
	b.ReportMetric(server*1e6/float64(b.N), "server-µs/cycle")
}

// BenchmarkCrowdedCycle is one client's cycle beside jobs of 1,000 tenants that wait in 40 lanes.
func BenchmarkCrowdedCycle(b *testing.B) {
	for _, jobs := range []int{0, 10_000, 100_000} {
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			s := benchStore(b)
			before := infoOf(b, s, "used_memory")
			crowd(b, s, jobs)
			memory := infoOf(b, s, "used_memory") - before
			server := infoOf(b, s, "used_cpu_user") + infoOf(b, s, "used_cpu_sys")
			for b.Loop() {
				n := benchJob("late")
				n.Queue, n.Submission.Language, n.Priority = "crowd", crowdLane(7), 5
				if err := cycle(b.Context(), s, n); err != nil {
					b.Fatal(err)
				}
			}
			server = infoOf(b, s, "used_cpu_user") + infoOf(b, s, "used_cpu_sys") - server
			b.ReportMetric(server*1e6/float64(b.N), "server-µs/cycle")
			if jobs > 0 {
				b.ReportMetric(memory/float64(jobs), "B/job")
			}
		})
	}
}

// crowd fills a queue with jobs of 1,000 tenants in 40 lanes, of three priorities.
func crowd(b *testing.B, s *Store, jobs int) {
	b.Helper()
	share(b, 256, jobs, func(i int) error {
		_, _, err := s.Submit(b.Context(), crowdJob(i))
		return err
	})
}

func crowdJob(i int) store.NewJob {
	n := benchJob(fmt.Sprint(i % 1000))
	n.Submission.Language = crowdLane(i % crowdLanes)
	n.Queue, n.Priority = "crowd", i%3
	return n
}

// share has clients do something n times, and gives how often a second.
func share(b *testing.B, clients, n int, do func(i int) error) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// BenchmarkMillion fills a queue with a million jobs, and compares how many submissions and claims a second it
// then takes with how many an empty queue on the same server does. It is run once, whatever b.N.
func BenchmarkMillion(b *testing.B) {
	const jobs, rounds, batch, most = 1_000_000, 7, 4000, 8
	srv := redistest.New(b.TempDir())
	must(b, srv.Start())
	b.Cleanup(srv.Kill)
	full := openTest(b, Options{URL: srv.URL, Prefix: "full"}, store.Options{})
	empty := openTest(b, Options{URL: srv.URL, Prefix: "empty"}, store.Options{})
	before := infoOf(b, full, "used_memory")
	began := time.Now()
	crowd(b, full, jobs)
	filled := time.Since(began)
	for infoOf(b, full, "aof_rewrite_in_progress") == 1 {
		time.Sleep(time.Second)
	}
	payload, err := full.o.EncodeSubmission(crowdJob(0))
	must(b, err)
	over := (infoOf(b, full, "used_memory")-before)/jobs - float64(len(payload))

	submits, claims := map[*Store][]float64{}, map[*Store][]float64{}
	for range rounds {
		for _, s := range []*Store{empty, full} {
			submits[s] = append(submits[s], share(b, 64, batch, func(i int) error {
				_, _, err := s.Submit(b.Context(), crowdJob(i))
				return err
			}))
			leases := make([][]store.Claim, batch/most)
			claims[s] = append(claims[s], most*share(b, 16, batch/most, func(i int) (err error) {
				leases[i], err = s.Claim(b.Context(), store.ClaimRequest{Worker: "w", Lanes: allLanes(), Max: most, Lease: time.Hour})
				return err
			}))
			left := slices.Concat(leases...)
			if len(left) != batch {
				b.Fatalf("claimed %d jobs, want %d", len(left), batch)
			}
			share(b, 64, batch, func(i int) error {
				return s.Finish(b.Context(), left[i].Lease, sandbox.Report{Verdict: sandbox.Accepted})
			})
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(filled.Seconds(), "s-to-fill")
	b.ReportMetric(over, "B/job-over-payload")
	b.ReportMetric(slower(submits[empty], submits[full]), "submit-times-slower")
	b.ReportMetric(slower(claims[empty], claims[full]), "claim-times-slower")
	b.ReportMetric(middle(submits[full]), "submits/s")
	b.ReportMetric(middle(claims[full]), "claims/s")
}

// slower is how many times the second rates are lower than the first, in the middle of the pairs.
func slower(a, b []float64) float64 {
	var ratios []float64
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return middle(ratios)
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// cycle is one job's life. The job that it claims may be another client's: there are as many
// claims as submissions.
func cycle(ctx context.Context, s *Store, n store.NewJob) error {
	if _, _, err := s.Submit(ctx, n); err != nil {
		return err
	}
	cs, err := s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: []store.Lane{n.Lane()}, Max: 1, Lease: time.Minute})
	if err != nil || len(cs) != 1 {
		return fmt.Errorf("claimed %d: %w", len(cs), err)
	}
	return s.Finish(ctx, cs[0].Lease, sandbox.Report{
		Verdict: sandbox.Accepted, Score: 3, MaxScore: 3,
		Tests: []sandbox.TestReport{{ID: "1", Verdict: sandbox.Accepted, Score: 1, Weight: 1}},
	})
}
