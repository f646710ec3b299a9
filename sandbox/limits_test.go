package sandbox_test

import (
	"reflect"
	"testing"
	"time"

	"optimus/sandbox"
)

// every gives each field of a Limits the same value, fields added later included.
func every(n int64) sandbox.Limits {
	var l sandbox.Limits
	v := reflect.ValueOf(&l).Elem()
	for _, field := range v.Fields() {
		field.SetInt(n)
	}
	return l
}

func TestLimitsOr(t *testing.T) {
	t.Parallel()
	if got := (sandbox.Limits{}).Or(every(7)); got != every(7) {
		t.Errorf("not every field is filled: %+v", got)
	}
	if got := every(3).Or(every(7)); got != every(3) {
		t.Errorf("a stated field was replaced: %+v", got)
	}
}

func TestLimitsResolved(t *testing.T) {
	t.Parallel()
	got := sandbox.Limits{Memory: 100}.Resolved()
	if got.Stack != 100 || got.Disk != 100 {
		t.Errorf("stack %d and disk %d, want the memory's", got.Stack, got.Disk)
	}
	got = sandbox.Limits{Memory: 100, Stack: 8, Disk: 9}.Resolved()
	if got.Stack != 8 || got.Disk != 9 {
		t.Errorf("stated stack %d and disk %d were replaced", got.Stack, got.Disk)
	}
}

func TestLimitsScaled(t *testing.T) {
	t.Parallel()
	got := every(100).Scaled(2, 1.5)
	if got.CPU != 200 || got.Wall != 200 || got.Memory != 150 || got.Output != 100 || got.Processes != 100 {
		t.Errorf("scaled to %+v", got)
	}
	if got := every(100).Scaled(0, 0); got != every(100) {
		t.Errorf("a factor of 0 is 1, but gives %+v", got)
	}
}

func TestTestLimits(t *testing.T) {
	t.Parallel()
	lang := sandbox.Language{
		Limits:     sandbox.Limits{CPU: 10 * time.Second, Wall: 20 * time.Second, Memory: 256, Output: 64},
		TimeFactor: 2, MemoryFactor: 3,
	}
	got := lang.TestLimits(sandbox.Limits{CPU: time.Second, Memory: 100}, sandbox.Limits{CPU: 3 * time.Second})
	want := sandbox.Limits{CPU: 6 * time.Second, Wall: 20 * time.Second, Memory: 300, Output: 64, Stack: 300, Disk: 300}
	if got != want {
		t.Errorf("got  %+v\nwant %+v: the test's, else the submission's, both scaled, else the language's as they are", got, want)
	}
}
