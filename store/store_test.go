package store_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"optimus/sandbox"
	"optimus/store"
)

func TestIDCarriesWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(t, "ms")).UTC()
		queue := rapid.Uint16().Draw(t, "queue")
		shard := rapid.Uint16Range(0, store.MaxShard).Draw(t, "shard")
		id := store.NewID(at, queue, shard)
		if !id.Time().Equal(at) || id.Queue() != queue || id.Shard() != shard {
			t.Fatalf("%s carries %s, queue %d, shard %d; want %s, %d, %d", id, id.Time(), id.Queue(), id.Shard(), at, queue, shard)
		}
		again, err := store.ParseID(id.String())
		if err != nil || again != id {
			t.Fatalf("%s was read as %s, %v", id, again, err)
		}
		text, err := id.MarshalText()
		var third store.ID
		if err != nil || third.UnmarshalText(text) != nil || third != id {
			t.Fatalf("%s became %s by its text %s", id, third, text)
		}
	})
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, 1<<48-1), 2, 2).Draw(t, "times")
		if times[0] == times[1] {
			t.Skip("one millisecond")
		}
		a := store.NewID(time.UnixMilli(times[0]), rapid.Uint16().Draw(t, "queue"), 0)
		b := store.NewID(time.UnixMilli(times[1]), rapid.Uint16().Draw(t, "queue"), 0)
		if (times[0] < times[1]) != (strings.Compare(a.String(), b.String()) < 0) {
			t.Fatalf("%s of %d and %s of %d", a, times[0], b, times[1])
		}
	})
}

func TestNextIDSortsAfter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		queue, shard := rapid.Uint16().Draw(t, "queue"), rapid.Uint16Range(0, store.MaxShard).Draw(t, "shard")
		at := time.UnixMilli(1_700_000_000_000)
		prev := store.NewID(at, queue, shard)
		if rapid.Bool().Draw(t, "at the end of a millisecond") {
			copy(prev[10:], []byte{prev[10] | 0x3f, 0xff, 0xff, 0xff, 0xff, 0xf0})
		}
		for range 20 {
			at = at.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "ms")) * time.Millisecond)
			id := store.NextID(prev, at, queue, shard)
			if bytes.Compare(prev[:], id[:]) >= 0 || id.Queue() != queue || id.Shard() != shard {
				t.Fatalf("%s, queue %d, follows %s, queue %d", id, id.Queue(), prev, queue)
			}
			if _, err := store.ParseID(id.String()); err != nil {
				t.Fatal(err)
			}
			prev = id
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("019b76da-a800-8000-8000-000000000000")
	f.Add("019b76da-a800-4000-8000-000000000000") // version 4
	f.Add("019b76da-a800-8000-c000-000000000000") // another variant
	f.Add("{019b76da-a800-8000-8000-00000000000}")
	f.Add("019B76DA-A800-8000-8000-000000000000")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := store.ParseID(s)
		if err != nil {
			if !errors.Is(err, store.ErrInvalidID) || id != (store.ID{}) {
				t.Errorf("%q gave %s, %v", s, id, err)
			}
			return
		}
		if !strings.EqualFold(id.String(), s) {
			t.Errorf("%q was read as %s", s, id)
		}
	})
}

// TestTransitions compares the table with what the states mean: every state is reached from
// nothing, ends are left by a re-drive alone, and the table decides each pair in one way.
func TestTransitions(t *testing.T) {
	t.Parallel()
	reached := make(map[store.State]bool)
	reached[""] = true
	for range store.Transitions() {
		for _, e := range store.Transitions() {
			reached[e.To] = reached[e.To] || reached[e.From]
		}
	}
	delete(reached, "")
	if len(reached) != len(store.States()) {
		t.Errorf("reached are %v, the states are %v", reached, store.States())
	}
	for _, s := range store.States() {
		if !reached[s] {
			t.Errorf("%s is never reached", s)
		}
	}
	seen := make(map[store.Transition]bool)
	for _, e := range store.Transitions() {
		if seen[e.Transition] {
			t.Errorf("%s is there twice", e.Transition)
		}
		seen[e.Transition] = true
		if e.From.Terminal() && e.Transition != store.Redriven {
			t.Errorf("%s leaves %s, which is an end", e.Transition, e.From)
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, from := range append(store.States(), "", "odd") {
		for _, e := range store.Transitions() {
			to, err := store.Next(from, e.Transition)
			allowed := slices.Contains(store.Transitions(), store.Edge{Transition: e.Transition, From: from, To: to})
			if allowed != (err == nil) || err != nil && (!errors.Is(err, store.ErrTransition) || to != from) {
				t.Errorf("%s of %q gave %q, %v", e.Transition, from, to, err)
			}
		}
	}
}

func TestTransitionTable(t *testing.T) {
	t.Parallel()
	table := store.TransitionTable()
	for _, row := range []string{
		"| transition | from | to |\n|---|---|---|\n| submit | – | `queued` |\n",
		"\n| claim | `queued` | `running` |\n", "\n| redrive | `failed` | `queued` |\n",
	} {
		if !strings.Contains(table, row) {
			t.Errorf("%q is not in\n%s", row, table)
		}
	}
	if n := strings.Count(table, "\n"); n != 2+len(store.Transitions()) {
		t.Errorf("%d lines", n)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	o := store.Options{BackoffBase: time.Second, BackoffMax: time.Minute}
	for counted, base := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 7: time.Minute, 1000: time.Minute} {
		for range 100 {
			if d := o.Backoff(counted); d < base || d > min(base+base/5, time.Minute) {
				t.Fatalf("after %d attempts %s", counted, d)
			}
		}
	}
}

func TestWithDefaults(t *testing.T) {
	t.Parallel()
	o, d := store.Options{MaxAttempts: 7}.WithDefaults(), store.DefaultOptions()
	if o.MaxAttempts != 7 || o.KeyTTL != d.KeyTTL || o.MaxPayload != d.MaxPayload || o.Now == nil || o.Now().Location() != time.UTC {
		t.Errorf("%+v", o)
	}
	if o.MaxDepth != 0 || o.Retention != 0 || o.TenantRunning != 0 || o.TenantQueued != 0 {
		t.Errorf("zero means no bound: %+v", o)
	}
}

func TestQueueFullError(t *testing.T) {
	t.Parallel()
	err := error(&store.QueueFullError{Queue: "q", Depth: 5, RetryAfter: time.Second})
	if !errors.Is(err, store.ErrQueueFull) || errors.Is(err, store.ErrTooLarge) {
		t.Error("it is not what it is")
	}
	if want := `queue "q" is full: its unfinished jobs may hold 7 bytes; try again in 1s`; (&store.QueueFullError{Queue: "q", Bytes: 7, RetryAfter: time.Second}).Error() != want {
		t.Errorf("of bytes it does not say %q", want)
	}
	if want := `queue "q" takes no more of this API key: 3 jobs of it are unfinished; try again in 1s`; (&store.QueueFullError{Queue: "q", TenantQueued: 3, RetryAfter: time.Second}).Error() != want {
		t.Errorf("of a tenant it does not say %q", want)
	}
	if want := `queue "q" is full: 5 jobs are waiting; try again in 1s`; err.Error() != want {
		t.Errorf("it says %q", err)
	}
}

func TestLaneOf(t *testing.T) {
	t.Parallel()
	if l := store.LaneOf(sandbox.Language{Name: "rust"}); l.String() != "rust/shared" {
		t.Errorf("lane %s", l)
	}
	n := store.NewJob{Submission: sandbox.Submission{Language: sandbox.Language{Name: "go", Tier: sandbox.Dedicated}}}
	if l := n.Lane(); l.String() != "go/dedicated" {
		t.Errorf("lane %s", l)
	}
}
