package containerd

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"optimus/sandbox"
)

func TestAvailableMemory(t *testing.T) {
	t.Parallel()
	const meminfo = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n"
	v2 := mountedCgroups{v2: "/sys/fs/cgroup"}
	v1 := mountedCgroups{v1: map[string]string{"memory": "/sys/fs/cgroup/memory"}, v2: "/sys/fs/cgroup/unified"}
	for name, test := range map[string]struct {
		mounts mountedCgroups
		files  map[string]string
		want   int64
	}{
		"the machine's":          {v2, map[string]string{"proc/meminfo": meminfo}, 8000000 << 10},
		"v2, of the parent":      {v2, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/pod/optimus/memory.max": "1000\n"}, 500},
		"v2, of one above":       {v2, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/pod/memory.max": "1000\n", "sys/fs/cgroup/pod/optimus/memory.max": "max\n"}, 500},
		"v2, at the top":         {v2, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "1000\n"}, 500},
		"v2, of a gigabyte":      {v2, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/pod/memory.max": "1073741824\n"}, 1<<30 - 128<<20},
		"v2, larger than it all": {v2, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/pod/memory.max": "90000000000\n"}, 8000000 << 10},
		"v1":                     {v1, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "1000\n"}, 500},
		"v1, none":               {v1, map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8000000 << 10},
		"not told":               {v2, nil, unbounded},
	} {
		root := fstest.MapFS{}
		for file, content := range test.files {
			root[file] = &fstest.MapFile{Data: []byte(content)}
		}
		if got := availableMemory(fs.FS(root), test.mounts, "/pod/optimus"); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestCheckMemory(t *testing.T) {
	t.Parallel()
	const run = 1 << 30
	for _, test := range []struct {
		bytes  int64
		status Status
		detail string
	}{
		{4 * (run + runOverhead), StatusOK, "4 slots"},
		{4*(run+runOverhead) - 1, StatusWarn, "3 of the largest fit"},
		{run, StatusWarn, "does not fit"},
		{unbounded, StatusWarn, "how much"},
	} {
		got := CheckMemory(test.bytes, 4, run)
		if got.Status != test.status || !strings.Contains(got.Detail, test.detail) || (got.Fix == "") != (got.Status == StatusOK) {
			t.Errorf("with %d bytes: %+v, want %s and %q", test.bytes, got, test.status, test.detail)
		}
	}
}

// TestRunsReserveTheirMemory: a slot is had only with the memory of its run, one that is too large
// for the machine has it alone, and who gives up leaves no trace.
func TestRunsReserveTheirMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		r := &Runner{memory: newMemoryPool(100 * mib), free: make(chan int, 3), instance: &instance{}}
		for i := range 3 {
			r.free <- i
		}
		small, large := sandbox.Limits{Memory: 10 * mib}, sandbox.Limits{Memory: 1 << 40}
		first, err := r.slotFor(t.Context(), small)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := r.slotFor(t.Context(), small); err != nil {
			t.Errorf("two small ones do not fit: %v", err)
		} else {
			r.release(second)
		}
		given := errors.New("given up")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(given)
		if _, err := r.slotFor(ctx, large); !errors.Is(err, given) {
			t.Errorf("error %v, want the cause", err)
		}
		got := make(chan slot)
		go func() {
			s, err := r.slotFor(t.Context(), large)
			if err != nil {
				t.Error(err)
			}
			got <- s
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Error("a large run got memory that a small one has")
		default:
		}
		r.release(first)
		r.release(<-got)
		if len(r.free) != 3 || !r.memory.free.TryAcquire(100*mib) {
			t.Errorf("%d of 3 slots are free, or not all memory is", len(r.free))
		}
	})
}
