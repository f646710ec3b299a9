package boltstore

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// holder describes the process that has the file at path locked, as far as the kernel tells it.
func holder(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "another process"
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return "another process"
	}
	pid := lockOwner(string(locks), fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino))
	if pid == "" {
		return "another process"
	}
	name, err := os.ReadFile("/proc/" + pid + "/comm") // its command line may hold secrets
	if err != nil {
		return "process " + pid
	}
	return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
}

// lockOwner finds in the text of /proc/locks whose lock is on a file, named as there by device and
// inode; empty where nobody's is, or where it is a process that is not seen from here.
func lockOwner(locks, file string) string {
	for line := range strings.Lines(locks) {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:01:123456 0 EOF
		fields := strings.Fields(line)
		if len(fields) >= 6 && fields[1] == "FLOCK" && fields[5] == file && fields[4] != "0" && !strings.HasPrefix(fields[4], "-") {
			return fields[4]
		}
	}
	return ""
}
