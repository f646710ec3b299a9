package modes

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/web"
)

// What the registered workers run is told beside what is run here, of a server with a worker and of one without.
func TestLanguagesOfOtherWorkers(t *testing.T) {
	t.Parallel()
	st, err := boltstore.Open(filepath.Join(t.TempDir(), "optimus.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	worker := store.Worker{Name: "other", Lanes: []store.Lane{{Language: "java", Tier: sandbox.Dedicated}}}
	if err := st.Heartbeat(t.Context(), worker, time.Hour); err != nil {
		t.Fatal(err)
	}
	all := testCatalogue(t, nil)
	all.unworked = true
	for name, c := range map[string]struct {
		here         languages
		java, python web.LanguageState
		takesPython  bool
	}{
		"a worker that has nothing": {
			here: testCatalogue(t, func(string) (heldImage, bool) { return heldImage{}, false }),
			java: web.LanguageElsewhere, python: web.LanguageMissing,
		},
		"a worker that has all": {here: testCatalogue(t, nil), java: web.LanguageAvailable, python: web.LanguageAvailable, takesPython: true},
		"no worker":             {here: all, java: web.LanguageElsewhere, python: web.LanguageNoWorker, takesPython: true},
	} {
		both := &elsewhere{here: c.here, all: all}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); both.follow(ctx, st, zerolog.Nop()) }()
		for both.lanes.Load() == nil && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		stop()
		<-ended
		for _, l := range both.Languages() {
			want := c.python
			if l.Name == "java" {
				want = c.java
			}
			if l.State != want || (l.HowToGet == "") != l.Available() {
				t.Errorf("%s: %s %s is %q, get it with %q; want %q", name, l.Name, l.Version, l.State, l.HowToGet, want)
			}
		}
		if _, err := both.Resolve("java", ""); err != nil {
			t.Errorf("%s: java is refused: %v", name, err)
		}
		if _, err := both.Resolve("python", ""); (err == nil) != c.takesPython {
			t.Errorf("%s: python: %v", name, err)
		}
	}
}
