package modes

import (
	"context"
	"testing"

	"github.com/rs/zerolog"

	"optimus/sandbox/containerd"
)

// TestTheIndexTellsOfChanges, and of nothing else.
func TestTheIndexTellsOfChanges(t *testing.T) {
	t.Parallel()
	var present []containerd.Image
	x := newImageIndex(func(context.Context) ([]containerd.Image, error) { return present, nil }, zerolog.Nop())
	for _, step := range []struct {
		what    string
		present []containerd.Image
		changed bool
	}{
		{"the first look", []containerd.Image{{Ref: "a", Digest: "1", Unpacked: true}}, false},
		{"the same", []containerd.Image{{Ref: "a", Digest: "1", Unpacked: true}}, false},
		{"one built anew", []containerd.Image{{Ref: "a", Digest: "2", Unpacked: true}}, true},
		{"another, not whole yet", []containerd.Image{{Ref: "a", Digest: "2", Unpacked: true}, {Ref: "b", Digest: "1"}}, false},
		{"another", []containerd.Image{{Ref: "a", Digest: "2", Unpacked: true}, {Ref: "b", Digest: "1", Unpacked: true}}, true},
		{"none", nil, true},
	} {
		present = step.present
		if _, err := x.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		changed := len(x.changed) > 0
		if changed {
			<-x.changed
		}
		if changed != step.changed {
			t.Errorf("%s: told of a change: %v, want %v", step.what, changed, step.changed)
		}
	}
}
