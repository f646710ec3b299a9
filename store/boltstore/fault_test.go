package boltstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest"
)

// childPath, in the environment, makes the test binary a child that submits jobs until it is killed.
const childPath = "BOLTSTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		os.Exit(submitForEver(path))
	}
	if dir := os.Getenv(liveFolder); dir != "" {
		if err := live(dir, os.Getenv(liveHow)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// submitForEver submits from several goroutines, and prints the id of each submission that was
// acknowledged; it claims and finishes some of them meanwhile.
func submitForEver(path string) int {
	s, err := Open(path, store.Options{MaxDepth: 1 << 30})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				j, _, err := s.Submit(ctx, store.NewJob{Queue: "q"})
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Println("submitted", j.ID)
				mu.Unlock()
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			cs, err := s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: []store.Lane{store.LaneOf(sandbox.Language{})}, Max: 1, Lease: time.Minute})
			if err != nil {
				return
			}
			for _, c := range cs {
				if s.Finish(ctx, c.Lease, sandbox.Report{Verdict: sandbox.Accepted}) == nil {
					mu.Lock()
					fmt.Println("finished", c.Job.ID)
					mu.Unlock()
				}
			}
		}
	})
	wg.Wait()
	return 1
}

// TestKill kills a process in the middle of a stream of submissions, several times over: every
// one that was acknowledged is there, and every one that was finished is completed.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	acknowledged := map[store.ID]bool{} // whether it was finished
	for round := range 3 {
		killAfter(t, path, 150*(round+1), acknowledged)
		s := openTest(t, path)
		for id, finished := range acknowledged {
			j, err := s.Get(t.Context(), id)
			if err != nil || finished && (j.State != store.Completed || j.Report == nil) {
				t.Fatalf("round %d: job %s: %+v, %v", round, id, j, err)
			}
		}
		checkIndexes(t, s)
		must(t, s.Close())
	}
}

// killAfter starts a child, and kills it when it has said so many lines.
func killAfter(t *testing.T, path string, lines int, acknowledged map[store.ID]bool) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	said := bufio.NewScanner(out)
	for n := 0; said.Scan(); n++ {
		if n == lines {
			must(t, child.Process.Kill())
		}
		word, text, _ := strings.Cut(said.Text(), " ")
		id, err := store.ParseID(text)
		if err != nil {
			continue // the last line may be cut off
		}
		acknowledged[id] = acknowledged[id] || word == "finished"
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child was not killed: %v", err)
	}
	if len(acknowledged) < lines/3 {
		t.Fatalf("only %d submissions were acknowledged", len(acknowledged))
	}
}

// room bounds the file's size; 0 is no bound.
func room(t *testing.T, s *Store, bytes int) {
	t.Helper()
	must(t, s.write(t.Context(), func(*batch) error {
		s.db.MaxSize = bytes // in the writer, to which it belongs
		return nil
	}))
}

func largeJob() store.NewJob {
	return store.NewJob{Queue: "q", Submission: sandbox.Submission{Source: sandbox.Source{
		Files: []sandbox.File{{Name: "main", Content: make([]byte, 1<<20)}},
	}}}
}

// TestFullDisk lets the file grow no more.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := openTest(t, path)
	first := submitTest(t, s, store.NewJob{Queue: "q"})
	large := largeJob()
	room(t, s, 1<<16)
	for range 3 {
		_, _, err := s.Submit(t.Context(), large)
		if !errors.Is(err, store.ErrNoRoom) || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) {
			t.Fatalf("a submission to a full disk gave %v", err)
		}
	}
	if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ping gave %v", err)
	}
	if q, err := s.Queues(t.Context()); err != nil || q[0].Totals.Submitted != 1 {
		t.Errorf("figures: %+v, %v", q, err)
	}
	if _, err := s.Get(t.Context(), first.ID); err != nil {
		t.Errorf("the first job: %v", err)
	}
	room(t, s, 0)
	must(t, s.Ping(t.Context()))
	second := submitTest(t, s, large)
	cs := claimTest(t, s, 2)
	if cs[0].Job.ID != first.ID || cs[1].Job.ID != second.ID {
		t.Errorf("claimed %s and %s, want %s and %s", cs[0].Job.ID, cs[1].Job.ID, first.ID, second.ID)
	}
	checkIndexes(t, s)
}

// TestOneFaultSpoilsNoOther has operations that fail in every way share a transaction with good ones.
func TestOneFaultSpoilsNoOther(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "jobs.db"))
	refusal := errors.New("refused")
	var ops []*op
	add := func(do func(*batch) error) *op {
		o := &op{ctx: t.Context(), do: do, done: make(chan error, 1)}
		ops = append(ops, o)
		return o
	}
	submit := func(b *batch) error {
		_, err := b.submit(store.NewJob{Queue: "q", MaxAttempts: 1}, []byte("{}"))
		return err
	}
	good := []*op{add(submit)}
	refused := add(func(*batch) error { return refusal })
	good = append(good, add(submit))
	faulty := add(func(b *batch) error { b.put(bucketMeta, nil, nil); return nil }) // a key must not be empty
	panics := add(func(*batch) error { panic("page 7 is odd") })
	good = append(good, add(submit))
	all := s.together(t, ops)
	for _, o := range good {
		if all[o] != nil {
			t.Errorf("a good operation gave %v", all[o])
		}
	}
	if !errors.Is(all[refused], refusal) || !errors.Is(all[faulty], store.ErrUnavailable) || !errors.Is(all[panics], store.ErrSchema) {
		t.Errorf("refused: %v; faulty: %v; panics: %v", all[refused], all[faulty], all[panics])
	}
	if q, err := s.Queues(t.Context()); err != nil || q[0].Ready != 3 || q[0].Totals.Submitted != 3 {
		t.Errorf("figures: %+v, %v", q, err)
	}
	checkIndexes(t, s)
}

// together has the writer find all the operations at once.
func (s *Store) together(t *testing.T, ops []*op) map[*op]error {
	t.Helper()
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.write(t.Context(), func(*batch) error {
			close(held)
			<-hold
			return nil
		})
	}()
	<-held
	for _, o := range ops {
		s.ops <- o
	}
	close(hold)
	answers := map[*op]error{}
	for _, o := range ops {
		answers[o] = <-o.done
	}
	return answers
}

// TestEarlyAnswers: a claim is answered before its commit, but never that of a job whose
// submission shares the transaction; and a reader sees what was answered.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "jobs.db"))
	claim := func(early *bool) *op {
		o := &op{ctx: t.Context(), done: make(chan error, 1), early: true}
		o.do = func(b *batch) error {
			b.claim(store.ClaimRequest{Lanes: []store.Lane{store.LaneOf(sandbox.Language{})}, Max: 1, Lease: time.Minute},
				func(whole, store.Lease, time.Duration) {})
			*early = !b.late
			return nil
		}
		return o
	}
	var early bool
	submit := &op{ctx: t.Context(), done: make(chan error, 1), do: func(b *batch) error {
		_, err := b.submit(store.NewJob{Queue: "q"}, []byte("{}"))
		return err
	}}
	for _, err := range s.together(t, []*op{submit, claim(&early)}) {
		must(t, err)
	}
	if early {
		t.Error("the claim of a job that is not durable was answered early")
	}
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	for _, err := range s.together(t, []*op{claim(&early)}) {
		must(t, err)
	}
	j, err := s.Get(t.Context(), id)
	if err != nil || j.State != store.Running || !early {
		t.Errorf("after its claim, which was answered early: %v, the job is %s, %v", early, j.State, err)
	}
}

// TestClaimWhoseCommitFails: a claim was answered before its commit failed. It is a lost lease,
// and the job is there for the next.
func TestClaimWhoseCommitFails(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "jobs.db"))
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	room(t, s, 1<<16)
	var lost store.Lease
	claim := &op{ctx: t.Context(), done: make(chan error, 1), early: true, do: func(b *batch) error {
		b.claim(store.ClaimRequest{Lanes: []store.Lane{store.LaneOf(sandbox.Language{})}, Max: 1, Lease: time.Minute},
			func(_ whole, l store.Lease, _ time.Duration) { lost = l })
		return nil
	}}
	submit := &op{ctx: t.Context(), done: make(chan error, 1), do: func(b *batch) error {
		_, err := b.submit(store.NewJob{Queue: "q"}, make([]byte, 1<<20))
		return err
	}}
	answers := s.together(t, []*op{claim, submit})
	if answers[claim] != nil || !errors.Is(answers[submit], store.ErrUnavailable) {
		t.Fatalf("the claim gave %v, the submission %v", answers[claim], answers[submit])
	}
	rs, err := s.Renew(t.Context(), []store.Lease{lost}, time.Minute)
	if err != nil || lost.Job != id || !rs[0].Lost {
		t.Errorf("the lease of %s: %+v, %v", lost.Job, rs, err)
	}
	room(t, s, 0)
	if c := claimTest(t, s, 1)[0]; c.Job.ID != id || c.Job.Counted != 1 {
		t.Errorf("claimed then: %+v", c.Job)
	}
	checkIndexes(t, s)
}

// TestACrashIsNoOutage: the time during which nobody has the file open is no outage, by which an
// expiry would be pardoned: the job may be what ended the process.
func TestACrashIsNoOutage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	clock := storetest.NewClock()
	var id store.ID
	for round := range 3 {
		s, err := Open(path, store.Options{Now: clock.Now})
		must(t, err)
		if round == 0 {
			id = submitTest(t, s, store.NewJob{Queue: "q"}).ID
		}
		_, err = s.Sweep(t.Context())
		must(t, err)
		claimTest(t, s, 1)
		must(t, s.Close())
		clock.Move(time.Hour)
		s, err = Open(path, store.Options{Now: clock.Now})
		must(t, err)
		for range 30 { // past the lease, and past the delay of the retry
			clock.Move(store.MaxClockStep)
			_, err = s.Sweep(t.Context())
			must(t, err)
		}
		j, err := s.Get(t.Context(), id)
		if err != nil || j.Counted != round+1 {
			t.Fatalf("after crash %d: %+v, %v", round+1, j, err)
		}
		must(t, s.Close())
	}
	s := openTest(t, path)
	if j, err := s.Get(t.Context(), id); err != nil || j.State != store.Failed || len(j.Attempts) != 3 {
		t.Errorf("in the end: %+v, %v", j, err)
	}
}

// TestLeasesEndWithTheirProcess: neither a lease's length nor an outage keeps a job from the next process.
func TestLeasesEndWithTheirProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	clock := storetest.NewClock()
	open := func() *Store {
		s, err := Open(path, store.Options{Now: clock.Now})
		must(t, err)
		return s
	}
	sweep := func(s *Store) int {
		swept, err := s.Sweep(t.Context())
		must(t, err)
		return swept.Expired
	}
	s := open()
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	lost := claimTest(t, s, 1)[0].Lease
	clock.Move(2 * store.MaxClockStep)
	if expired := sweep(s); expired != 0 { // the lease begins anew
		t.Fatalf("after an outage %d leases expired", expired)
	}
	must(t, s.Close())
	s = open()
	defer s.Close()
	if rs, err := s.Renew(t.Context(), []store.Lease{lost}, time.Hour); err != nil || !rs[0].Lost {
		t.Errorf("the lease of the process before: %+v, %v", rs, err)
	}
	if expired := sweep(s); expired != 1 {
		t.Errorf("%d leases expired, want the one of the process before", expired)
	}
	if j, err := s.Get(t.Context(), id); err != nil || j.State != store.Queued || len(j.Attempts) != 1 {
		t.Errorf("its job is %+v, %v", j, err)
	}
	checkIndexes(t, s)
}

// TestALeaseOfNoJob: a file with the lease of a job that is not there is refused, and let go of.
func TestALeaseOfNoJob(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := openTest(t, path)
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	claimTest(t, s, 1)
	must(t, s.Close())
	edit(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("jobs")).Delete(jobKey(id)) })
	for range 2 {
		if _, err := Open(path, store.Options{}); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), path+" is damaged") {
			t.Fatalf("opening it gives %v", err)
		}
	}
}
