package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest/powercut"
)

// liveFolder, in the environment, makes the test binary a child that lives in that folder as liveHow says.
const (
	liveFolder = "BOLTSTORE_TEST_LIVE"
	liveHow    = "BOLTSTORE_TEST_HOW"
)

const fileOfJobs = "jobs.db"

// life is a store's life, of which each promise is noted once it is made.
type life struct {
	s     *Store
	notes *os.File
	n     int
	run   string
}

// live opens the store, has it live, and closes it.
func live(dir, how string) (err error) {
	notes, err := os.OpenFile(filepath.Join(dir, powercut.Notes), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s, err := Open(filepath.Join(dir, fileOfJobs), store.Options{BackoffBase: time.Millisecond})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(), notes.Close()) }()
	l := &life{s: s, notes: notes, run: how}
	if how == "again" {
		return l.submit(2, 10_000)
	}
	for range 2 {
		if err := errors.Join(l.submit(4, 100), l.work(), l.submit(2, 30_000), l.forget()); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) note(format string, args ...any) {
	if _, err := fmt.Fprintf(l.notes, format+"\n", args...); err != nil {
		panic(err)
	}
}

// content is that of the n-th job's program.
func content(n, size int) []byte { return bytes.Repeat([]byte{byte('a' + n%26)}, size) }

func (l *life) submit(count, size int) error {
	for range count {
		l.n++
		key := fmt.Sprintf("%s-%d", l.run, l.n)
		j, _, err := l.s.Submit(context.Background(), store.NewJob{
			Queue: "q", Key: key, MaxAttempts: 9,
			Submission: sandbox.Submission{Source: sandbox.Source{Files: []sandbox.File{{
				Name: fmt.Sprintf("n%d-%d", l.n, size), Content: content(l.n, size),
			}}}},
		})
		if err != nil {
			return err
		}
		l.note("submitted %s %s", j.ID, key)
	}
	return nil
}

// work claims four jobs and ends each in a way of its own.
func (l *life) work() error {
	ctx := context.Background()
	cs, err := l.s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: []store.Lane{store.LaneOf(sandbox.Language{})}, Max: 4, Lease: time.Hour})
	if err != nil || len(cs) < 4 {
		return fmt.Errorf("claimed %d: %w", len(cs), err)
	}
	for _, c := range cs[:2] {
		err = errors.Join(err,
			l.s.Progress(ctx, c.Lease, store.Event{Type: store.EventTest, Data: []byte(`{"id":"1"}`)}),
			l.s.Finish(ctx, c.Lease, sandbox.Report{Verdict: sandbox.Accepted, Worker: c.Job.ID.String()}))
		l.note("ended %s %s", c.Job.ID, store.Completed)
	}
	err = errors.Join(err, l.s.GiveBack(ctx, cs[2].Lease, store.GiveBack{Counted: true, Reason: "tried"}))
	l.note("counted %s", cs[2].Job.ID)
	_, cancelErr := l.s.Cancel(ctx, cs[3].Job.ID)
	l.note("asked %s", cs[3].Job.ID)
	return errors.Join(err, cancelErr, l.s.Finish(ctx, cs[3].Lease, sandbox.Report{Verdict: sandbox.Cancelled}))
}

// forget cancels a queued job and deletes an ended one.
func (l *life) forget() error {
	ctx := context.Background()
	page, err := l.s.List(ctx, store.Filter{States: []store.State{store.Queued}, Limit: 1})
	if err != nil {
		return err
	}
	if _, err = l.s.Cancel(ctx, page.Jobs[0].ID); err != nil {
		return err
	}
	l.note("ended %s %s", page.Jobs[0].ID, store.Cancelled)
	page, err = l.s.List(ctx, store.Filter{States: []store.State{store.Completed}, Limit: 1})
	if err != nil {
		return err
	}
	l.note("deleting %s", page.Jobs[0].ID)
	if err := l.s.Delete(ctx, page.Jobs[0].ID); err != nil {
		return err
	}
	l.note("deleted %s", page.Jobs[0].ID)
	_, err = l.s.Sweep(ctx)
	return err
}

// recordLife has a child live in a file system that holds the disk.
func recordLife(t *testing.T, before *powercut.Disk, how string) *powercut.Recording {
	t.Helper()
	return powercut.Record(t, before, func(dir string) {
		self, err := os.Executable()
		must(t, err)
		child := exec.CommandContext(t.Context(), self)
		child.Env = append(os.Environ(), liveFolder+"="+dir, liveHow+"="+how)
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("the child: %v\n%s", err, out)
		}
	})
}

// holds opens what a cut left, and checks that all is there that the notes promise, and nothing half.
func holds(t *testing.T, disk *powercut.Disk, notes []string) {
	t.Helper()
	dir := inMemory(t)
	disk.Put(t, dir)
	s, err := Open(filepath.Join(dir, fileOfJobs), store.Options{})
	if err != nil {
		t.Fatalf("after %d promises: %v", len(notes), err)
	}
	defer func() { must(t, s.Close()) }()
	checkIndexes(t, s)
	for id, p := range promises(t, notes) {
		p.check(t, s, id)
	}
	page, err := s.List(t.Context(), store.Filter{Limit: 1000})
	must(t, err)
	for _, j := range page.Jobs {
		isWhole(t, s, j.ID)
	}
	submitTest(t, s, store.NewJob{Queue: "q"}) // and it goes on
}

// promise is what was promised of a job.
type promise struct {
	key      string
	state    store.State // in which it ended
	counted  bool
	asked    bool // to cancel
	deleting bool // was begun
	deleted  bool
}

func promises(t *testing.T, notes []string) map[store.ID]*promise {
	t.Helper()
	of := map[store.ID]*promise{}
	for _, line := range notes {
		words := strings.Fields(line)
		id, err := store.ParseID(words[1])
		must(t, err)
		if of[id] == nil {
			of[id] = &promise{}
		}
		switch p := of[id]; words[0] {
		case "submitted":
			p.key = words[2]
		case "ended":
			p.state = store.State(words[2])
		case "counted":
			p.counted = true
		case "asked":
			p.asked = true
		case "deleting":
			p.deleting = true
		case "deleted":
			p.deleted = true
		default:
			t.Fatalf("note %q", line)
		}
	}
	return of
}

func (p *promise) check(t *testing.T, s *Store, id store.ID) {
	t.Helper()
	j, err := s.Get(t.Context(), id)
	gone := errors.Is(err, store.ErrNotFound)
	switch {
	case p.deleted && !gone:
		t.Errorf("job %s was deleted, and is there: %v", id, err)
	case gone && p.deleting:
		return
	case err != nil:
		t.Fatalf("job %s was promised: %v", id, err)
	case p.state != "" && j.State != p.state:
		t.Errorf("job %s is %s, and had become %s", id, j.State, p.state)
	case p.counted && j.Counted == 0:
		t.Errorf("job %s has lost an attempt", id)
	case p.asked && !j.CancelRequested && j.State != store.Cancelled:
		t.Errorf("the wish to cancel job %s is lost", id)
	}
	if got, err := s.LookupKey(t.Context(), "", p.key, [32]byte{}); p.key != "" && (err != nil || got != id) {
		t.Errorf("key %s is job %s's, and gave %s, %v", p.key, id, got, err)
	}
}

// isWhole checks that a job, promised or not, has all its parts.
func isWhole(t *testing.T, s *Store, id store.ID) {
	t.Helper()
	j, err := s.Get(t.Context(), id)
	must(t, err)
	var n, size int
	main := j.Submission.Source.Files[0]
	if _, err := fmt.Sscanf(main.Name, "n%d-%d", &n, &size); err != nil || !bytes.Equal(main.Content, content(n, size)) {
		t.Errorf("job %s: its program %s has %d bytes: %v", id, main.Name, len(main.Content), err)
	}
	if j.State.Terminal() != (j.Report != nil) || j.State == store.Completed && j.Report.Worker != id.String() {
		t.Errorf("job %s is %s with report %+v", id, j.State, j.Report)
	}
	events, err := s.Events(t.Context(), id, 0)
	if err != nil || len(events) == 0 {
		t.Errorf("job %s has the events %v, %v", id, events, err)
	}
}

// cutter tries what cuts leave, each once.
type cutter struct {
	t       *testing.T
	rec     *powercut.Recording
	earlier []string // promises of the time before the recording
	tried   map[string]bool
}

func (c *cutter) try(n int, how string, disk *powercut.Disk) {
	notes := append(slices.Clip(c.earlier), c.rec.Notes(n)...)
	mark := fmt.Sprintf("%x %d", disk.Sum(), len(notes))
	if c.tried[mark] {
		return
	}
	c.tried[mark] = true
	if !c.t.Run(fmt.Sprintf("after %d, %s", n, how), func(t *testing.T) { holds(t, disk, notes) }) {
		c.t.FailNow()
	}
}

// cuts tries, at each cut, what a disk may have made of it.
func (c *cutter) cuts() {
	c.t.Helper()
	c.tried = map[string]bool{}
	for n, cut := range c.rec.Cuts() {
		c.try(n, "nothing unsynced", cut.Pages(func() bool { return false }))
		c.try(n, "all", cut.Pages(func() bool { return true }))
		c.try(n, "the last alone", cut.Last())
		if n%2 == 0 {
			c.try(n, "some pages", cut.Pages(coin(n)))
		} else {
			c.try(n, "some sectors", cut.Sectors(coin(n)))
		}
	}
	c.t.Logf("%d steps, %d disks", c.rec.Len(), len(c.tried))
	if len(c.tried) < 10 {
		c.t.Errorf("only %d different disks", len(c.tried))
	}
}

// coin falls the same way each time for a cut.
func coin(n int) powercut.Fate {
	chance := rand.New(rand.NewPCG(uint64(n), 6)) //nolint:gosec // a test's
	return func() bool { return chance.IntN(2) == 0 }
}

// TestPowerCut cuts the power after every single step of a store's life, from the making of its file on,
// growth included; and, of a few of the disks that this leaves, after every step of the life that follows.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	rec := recordLife(t, powercut.NewDisk(t, t.TempDir()), "life")
	if n := rec.Resizes(); n < 2 {
		t.Errorf("the file grew %d times, want 2 or more", n)
	}
	(&cutter{t: t, rec: rec}).cuts()
	for n, cut := range rec.Cuts() {
		if n%90 != 7 {
			continue
		}
		second := recordLife(t, cut.Pages(coin(n)), "again")
		(&cutter{t: t, rec: second, earlier: rec.Notes(n)}).cuts()
	}
}
