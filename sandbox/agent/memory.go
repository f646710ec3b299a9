package agent

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetStart gives back what only the start has touched: the garbage of the packages' own
// initialisation, and the pages of the binary that it ran through, which come back from the page
// cache one by one where they are needed again. Of a container's memory at rest that is half.
func forgetStart() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return // it is but thrift
	}
	defer maps.Close()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for s := bufio.NewScanner(maps); s.Scan(); {
		// proc(5): address range, permissions, offset, device, inode, path.
		fields := strings.Fields(s.Text())
		if len(fields) < 6 || fields[5] != self || strings.Contains(fields[1], "w") {
			continue
		}
		forget(fields[0])
	}
}

// forget unmaps the pages of a read-only file mapping, given as in /proc/self/maps.
func forget(addresses string) {
	var start, end uintptr
	if _, err := fmt.Sscanf(addresses, "%x-%x", &start, &end); err == nil && start < end {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED)
	}
}
