package sandboxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is a small file system of its own: an ext4 in a file, mounted by way of a loop device.
type Disk struct {
	// Dir is where it is mounted.
	Dir string
	// filler is the file that takes its room, and stop ends the taking; both are Fill's.
	filler *os.File
	stop   func()
}

// NewDisk mounts a fresh disk of so many MiB on a folder, which must exist. It ends with the test.
// A machine without loop devices fails the test.
func NewDisk(t *testing.T, dir string, size int) *Disk {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk.ext4")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, int64(size)*mib); err != nil {
		t.Fatal(err)
	}
	// Root, too, must find it full, so nothing is set aside for it.
	system(t, "mkfs.ext4", "-q", "-F", "-m", "0", file)
	system(t, "mount", "-o", "loop", file, dir)
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v, %v", dir, err, unix.Unmount(dir, unix.MNT_DETACH))
		}
	})
	d := &Disk{Dir: dir, stop: func() {}}
	t.Cleanup(func() { d.stop() })
	return d
}

// system runs a command of the machine's that must go well.
func system(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// Fill leaves so many MiB free; with 0 not a byte, nor of what becomes free before Empty.
func (d *Disk) Fill(t *testing.T, left int) {
	t.Helper()
	var err error
	if d.filler, err = os.Create(filepath.Join(d.Dir, "filler")); err != nil {
		t.Fatal(err)
	}
	for written := 1; written > 0; {
		written = 0
		for block := make([]byte, mib); len(block) > 0 && (left == 0 || d.Free(t) > int64(left)*mib); {
			n, err := d.filler.Write(block)
			written += n
			if err != nil {
				block = block[:len(block)/2] // to the last byte
			}
		}
		// What was set aside for writing it is free again once it is written.
		if err := d.filler.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	d.stop = sync.OnceFunc(func() { _ = d.filler.Close() })
	if left == 0 {
		d.keepFull()
	}
}

// keepFull takes what becomes free: an end of a container makes room, perhaps enough for another.
func (d *Disk) keepFull() {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for block := make([]byte, kib); ; {
			select {
			case <-tick.C:
				for err := error(nil); err == nil; {
					_, err = d.filler.Write(block)
				}
			case <-quit:
				return
			}
		}
	}()
	d.stop = sync.OnceFunc(func() {
		close(quit)
		<-ended
		_ = d.filler.Close()
	})
}

const kib = 1 << 10

// Empty makes the room free that Fill took.
func (d *Disk) Empty(t *testing.T) {
	t.Helper()
	d.stop()
	if err := os.Remove(d.filler.Name()); err != nil {
		t.Error(err)
	}
}

// Free tells how many bytes are free.
func (d *Disk) Free(t *testing.T) int64 {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(d.Dir, &fs); err != nil {
		t.Fatalf("statfs %s: %v", d.Dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize //nolint:gosec // of a small disk
}
