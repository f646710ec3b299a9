package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/boltstore"
)

// Every operation of a store is told of once, by a name of its own, with its error; a store that nobody
// observes is itself.
func TestObserved(t *testing.T) {
	t.Parallel()
	st, err := boltstore.Open(filepath.Join(t.TempDir(), "jobs.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if store.Observed(st, time.Now, nil) != store.Store(st) {
		t.Error("a store that nobody observes is wrapped")
	}
	type call struct {
		operation string
		took      time.Duration
		err       error
	}
	var told []call
	now := time.Unix(0, 0)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	o := store.Observed(st, clock, func(operation string, took time.Duration, err error) { told = append(told, call{operation, took, err}) })
	unseen := []string{"Cancellations", "Close", "Wake", "Watch"}
	names := map[string]bool{}
	for name, method := range methods(o) {
		if name == "Close" {
			continue
		}
		told = nil
		result := callWithZeros(t.Context(), method)
		if slices.Contains(unseen, name) {
			if len(told) != 0 {
				t.Errorf("%s is told of as %v", name, told)
			}
			continue
		}
		if len(told) != 1 {
			t.Errorf("%s is told of as %v", name, told)
			continue
		}
		if told[0].took != time.Second || !errors.Is(told[0].err, result) || names[told[0].operation] {
			t.Errorf("%s, which gave %v, is told of as %+v", name, result, told[0])
		}
		names[told[0].operation] = true
	}
	if len(names) < 20 {
		t.Errorf("only %d operations: %v", len(names), names)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if err := o.Ping(t.Context()); !errors.Is(err, store.ErrClosed) || store.Result(told[len(told)-1].err) != "failed" {
		t.Errorf("a closed store gives %v", err)
	}
}

func methods(s store.Store) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	v := reflect.ValueOf(s)
	for m := range reflect.TypeFor[store.Store]().Methods() {
		all[m.Name] = v.MethodByName(m.Name)
	}
	return all
}

// callWithZeros calls a method and gives its error.
func callWithZeros(ctx context.Context, method reflect.Value) error {
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		if !method.Type().IsVariadic() || i < method.Type().NumIn()-1 {
			args = append(args, reflect.Zero(method.Type().In(i)))
		}
	}
	results := method.Call(args)
	err, _ := reflect.TypeAssert[error](results[len(results)-1])
	return err
}

func TestResult(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "ok"},
		{fmt.Errorf("job: %w", store.ErrNotFound), "refused"},
		{&store.QueueFullError{}, "refused"},
		{store.ErrLeaseLost, "refused"},
		{fmt.Errorf("claim: %w", context.Canceled), "cancelled"},
		{fmt.Errorf("claim: %w", context.DeadlineExceeded), "failed"},
		{store.ErrNoRoom, "failed"},
		{store.ErrClosed, "failed"},
		{errors.New("damaged"), "failed"},
	} {
		if got := store.Result(c.err); got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
}
