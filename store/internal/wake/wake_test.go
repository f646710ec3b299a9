package wake

import (
	"slices"
	"testing"
	"time"

	"optimus/store"
)

func has(ch <-chan struct{}) bool {
	select {
	case _, open := <-ch:
		return open
	default:
		return false
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case _, open := <-ch:
		return !open
	default:
		return false
	}
}

// TestOneIsWoken: by turns, of those that wait for the lane, and nobody twice who has not looked.
func TestOneIsWoken(t *testing.T) {
	t.Parallel()
	w := New[string, int]()
	a, b, c := w.Add([]string{"x"}), w.Add([]string{"y", "x"}), w.Add([]string{"y"})
	if got := w.Lanes(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("waited for are %v", got)
	}
	for i, want := range []bool{true, true, false} {
		if w.One("x", i) != want {
			t.Errorf("wake-up %d for x went otherwise than %v", i, want)
		}
	}
	if !has(a.C()) || !has(b.C()) || has(c.C()) {
		t.Error("others were woken")
	}
	if !w.One("x", 7) || !has(a.C()) {
		t.Error("it was not the turn of who has waited longest")
	}
}

// TestWhatIsNotTakenIsHandedOn: unless it told of nothing certain.
func TestWhatIsNotTakenIsHandedOn(t *testing.T) {
	t.Parallel()
	w := New[string, int]()
	for name, c := range map[string]struct {
		wake func(x *Worker[string, int])
		want *int
	}{
		"nothing":          {func(*Worker[string, int]) {}, nil},
		"taken":            {func(x *Worker[string, int]) { w.One("x", 5); has(x.C()) }, nil},
		"not taken":        {func(*Worker[string, int]) { w.One("x", 5) }, new(5)},
		"all were to look": {func(*Worker[string, int]) { w.One("x", 5); w.Look() }, nil},
	} {
		x := w.Add([]string{"x"})
		c.wake(x)
		if got := w.Remove(x); (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: handed on is %v", name, got)
		}
		if w.Remove(x) != nil || !closed(x.C()) || w.One("x", 1) {
			t.Errorf("%s: the wait is not over", name)
		}
	}
}

func TestOthersWait(t *testing.T) {
	t.Parallel()
	w := New[string, int]()
	id := store.NewID(time.UnixMilli(1), 1, 1)
	asked, endAsked := w.Cancellations()
	first, endFirst := w.Watch(id)
	second, endSecond := w.Watch(id)
	w.Cancelled()
	w.Event(id)
	w.Event(store.ID{})
	if !has(asked) || !has(first) || !has(second) {
		t.Error("not all were told")
	}
	w.LookAll()
	if !has(asked) || !has(first) || !has(second) {
		t.Error("not all look")
	}
	endAsked()
	endAsked()
	if last, again := endFirst(), endFirst(); last || again || !closed(asked) || !closed(first) || !w.Watched(id) {
		t.Error("a wait that ended ends others, or itself not")
	}
	if last, again := endSecond(), endSecond(); !last || again || w.Watched(id) {
		t.Errorf("the last to watch was the last: %v, then %v", last, again)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	w := New[string, int]()
	x := w.Add([]string{"x"})
	asked, endAsked := w.Cancellations()
	watched, endWatched := w.Watch(store.ID{})
	w.Close()
	if !closed(x.C()) || !closed(asked) || !closed(watched) {
		t.Error("a wait goes on")
	}
	w.Remove(x)
	endAsked()
	if endWatched() {
		t.Error("a watch that Close has ended was ended again")
	}
	if ch, _ := w.Cancellations(); ch != nil || w.Add(nil) != nil {
		t.Error("a new wait began")
	}
	if ch, _ := w.Watch(store.ID{}); ch != nil {
		t.Error("a new watch began")
	}
}
