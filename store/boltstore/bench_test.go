package boltstore

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "bench.db"), store.DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// benchJob is about what a judge's user sends: a small program, three tests.
func benchJob(tenant string) store.NewJob {
	expected := "3\n"
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

// BenchmarkSubmit is one client that waits for each submission to be durable.
func BenchmarkSubmit(b *testing.B) {
	s, n := benchStore(b), benchJob("a")
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		began := time.Now()
		if _, _, err := s.Submit(b.Context(), n); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
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
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cycles/s")
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
