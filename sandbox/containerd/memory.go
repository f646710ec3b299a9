package containerd

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sync/semaphore"
)

// runOverhead is what a run takes of the machine's memory beside what its limit bounds: its init,
// and its input and output on their way through agent and host. In bytes.
const runOverhead = 16 << 20

// MemoryOfRun is what a run with a memory limit takes of the machine's memory, in bytes.
func MemoryOfRun(limit int64) int64 { return limit + runOverhead }

// memoryPool is the machine's memory, of which each run reserves its limit before it begins: what
// the runs under way may take together is always there.
type memoryPool struct {
	bytes int64
	free  *semaphore.Weighted
}

func newMemoryPool(bytes int64) *memoryPool {
	return &memoryPool{bytes, semaphore.NewWeighted(bytes)}
}

// take waits for the memory of a run with that limit, and gives what to put back. A run that
// asks for more than there is gets all of it: it has the machine to itself.
func (m *memoryPool) take(ctx context.Context, limit int64) (int64, error) {
	n := min(MemoryOfRun(limit), m.bytes)
	if err := m.free.Acquire(ctx, n); err != nil {
		return 0, fmt.Errorf("wait for %d MiB of memory: %w", n>>20, context.Cause(ctx))
	}
	return n, nil
}

func (m *memoryPool) put(n int64) { m.free.Release(n) }

// ownMemory is what is kept of a cgroup's limit, at most half of it, for Optimus itself and the agents,
// which are in the same group as the runs: two or three times what they were seen to take. In bytes.
const ownMemory = 128 << 20

// unbounded stands for memory whose amount the machine does not tell.
const unbounded = math.MaxInt64

// memoryOfRuns is availableMemory on this machine; parent is as stated, or empty.
func memoryOfRuns(parent string) (int64, error) {
	mounts, err := cgroupMounts("/proc/self/mountinfo")
	if err != nil {
		return 0, err
	}
	if parent, err = cgroupParent(mounts, parent); err != nil {
		return 0, err
	}
	return availableMemory(os.DirFS("/"), mounts, parent), nil
}

// availableMemory gives the bytes that runs below the cgroup parent can have together: what the
// machine has available (proc(5), MemAvailable), or less where parent or a group above it has a
// limit, of which Optimus itself has a part.
func availableMemory(root fs.FS, m mountedCgroups, parent string) int64 {
	bytes := int64(unbounded)
	text, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemAvailable:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				bytes = kib << 10
			}
		}
	}
	top, file := m.v1["memory"], "memory.limit_in_bytes"
	if top == "" {
		top, file = m.v2, "memory.max"
	}
	top = strings.TrimPrefix(top, "/")
	for dir := path.Join(top, parent); len(dir) >= len(top) && dir != "."; dir = path.Dir(dir) {
		// "max", or no such file: no limit here.
		if limit, err := strconv.ParseInt(procLine(root, path.Join(dir, file)), 10, 64); err == nil {
			bytes = min(bytes, limit-min(ownMemory, limit/2))
		}
	}
	return bytes
}

// CheckMemory tells whether all slots can have the largest run at once: bytes is what runs may have
// together, largest what one may be given.
func CheckMemory(bytes int64, slots int, largest int64) Check {
	const name = "memory"
	const fix = "give it more memory, or lower [limits] memory or [worker] slots"
	each := MemoryOfRun(largest)
	detail := fmt.Sprintf("%d MiB for runs; %d slots of up to %d MiB", bytes>>20, slots, each>>20)
	switch {
	case bytes == unbounded:
		return warned(name, "neither /proc/meminfo nor cgroups tell how much there is", "mount /proc")
	case bytes < each:
		return warned(name, detail+": the largest run that is allowed does not fit, and the machine may end it", fix)
	case bytes/each < int64(slots):
		return warned(name, fmt.Sprintf("%s: %d of the largest fit at once, others wait for their turn", detail, bytes/each), fix)
	}
	return passed(name, detail)
}
