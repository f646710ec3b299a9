package containerd

import (
	"os"
	"testing"
	"time"

	"optimus/sandbox"
)

// lives tells how many containers there are.
func lives(t *testing.T, r *Runner) int {
	t.Helper()
	list, err := r.client.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// TestAnImageBuiltAnew: the containers of what it was before end with their last program, and so
// leave nothing that keeps the old image on the disk; those of what it is now stay.
func TestAnImageBuiltAnew(t *testing.T) {
	r := newTestRunner(t, func(o *RunnerOptions) { o.Idle = 0 })
	images := r.daemon.Images()
	before := probe()
	image, err := images.Get(t.Context(), probeRef)
	if err != nil {
		t.Fatal(err)
	}
	before.Digest = image.Digest
	if failed := r.Warm(t.Context(), before); len(failed) > 0 {
		t.Fatal(failed)
	}
	old := prepare(t, r.Runner, before, "x")
	program, err := os.ReadFile("testdata/probe/main.go")
	if err != nil {
		t.Fatal(err)
	}
	now := probe()
	now.Digest = importOne(t, images, programArchive(t, probeRef, "anew", string(program))).Digest
	if now.Digest == before.Digest {
		t.Fatal("the new image is the old one")
	}
	if failed := r.Warm(t.Context(), now); len(failed) > 0 {
		t.Fatal(failed)
	}
	ended := old.(*Program).place.c.closed
	if o := run(t, old, "", "true"); !o.OK() {
		t.Errorf("a program that was there before: %+v", o)
	}
	if n := lives(t, r.Runner); n != 2 {
		t.Errorf("%d containers while both are used, want 2", n)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	<-ended
	p := prepare(t, r.Runner, now, "x")
	kept := p.(*Program).place.c
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if again := prepare(t, r.Runner, now, "x"); again.(*Program).place.c != kept || lives(t, r.Runner) != 1 {
		t.Errorf("the new image's container was not kept, or %d containers are left", lives(t, r.Runner))
	}
}

// TestALanguageThatIsNotKept has its container end when nobody has been in it for a while, in
// either tier, and gets another for its next program.
func TestALanguageThatIsNotKept(t *testing.T) {
	r := newTestRunner(t, func(o *RunnerOptions) { o.Idle = 0 })
	for _, tier := range []sandbox.Tier{sandbox.Shared, sandbox.Dedicated} {
		lang := probe()
		lang.Tier = tier
		for range 2 {
			p := prepare(t, r.Runner, lang, "x")
			other := prepare(t, r.Runner, lang, "x")
			ended := p.(*Program).place.c.closed
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if o := run(t, other, "", "true"); !o.OK() {
				t.Errorf("%s: with another's end: %+v", tier, o)
			}
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			<-ended
		}
	}
	for shelves := 1; shelves > 0; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		shelves = len(r.warm)
		r.mu.Unlock()
	}
	for lives(t, r.Runner) > 0 { // one of the pool may still be in the making
		time.Sleep(time.Millisecond)
	}
}

// TestNoPool: with none made ahead, a dedicated job's container is made for it, and no other.
func TestNoPool(t *testing.T) {
	r := newTestRunner(t, func(o *RunnerOptions) { o.Pool = 0 })
	lang := probe()
	lang.Tier = sandbox.Dedicated
	if failed := r.Warm(t.Context(), lang); len(failed) > 0 || lives(t, r.Runner) != 0 {
		t.Errorf("warmed: %v, %d containers; want none", failed, lives(t, r.Runner))
	}
	if o := run(t, prepare(t, r.Runner, lang, "x"), "", "true"); !o.OK() || lives(t, r.Runner) != 1 {
		t.Errorf("run: %+v with %d containers, want 1", o, lives(t, r.Runner))
	}
}
