package sandboxtest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// newMarker makes an argument by which a process can be told from any other on this machine.
func newMarker() string { return "optimus-suite-" + rand.Text() }

// noProcess tells of a process that has the marker among its arguments. A run is over when its
// processes are dead; what the kernel still has to tidy up gets a moment.
func noProcess(marker string) error {
	for deadline := time.Now().Add(time.Second); ; time.Sleep(5 * time.Millisecond) {
		pid := find(marker)
		if pid == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %s of the run is still alive after it", pid)
		}
	}
}

func find(marker string) string {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is well formed
	for _, f := range files {
		line, err := os.ReadFile(f) // #nosec G304 -- below /proc
		if err == nil && bytes.Contains(line, []byte(marker)) {
			return filepath.Base(filepath.Dir(f))
		}
	}
	return ""
}
