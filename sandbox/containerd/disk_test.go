package containerd

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"optimus/sandbox/sandboxtest"
)

// diskOptions are those of a private daemon whose images lie on a small disk.
func diskOptions(t *testing.T, size int) (DaemonOptions, *sandboxtest.Disk) {
	t.Helper()
	o, _ := privateOptions(t)
	root := filepath.Join(o.Dir, "root")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	return o, sandboxtest.NewDisk(t, root, size)
}

// TestFullDiskKeepsTheImage: an import for which the disk has too little room, in whichever part,
// says so, leaves nothing, and leaves the image that had the name.
func TestFullDiskKeepsTheImage(t *testing.T) {
	const ref, bulk = "optimus.local/tiny:one", 12 << 20
	o, disk := diskOptions(t, 64)
	images := connect(t, o).Images()
	old := importOne(t, images, tinyArchive(t, ref, "one"))
	large := tinyArchive(t, ref, rand.Text()+strings.Repeat("x", bulk))
	// Too little for its blobs; enough for these, and too little to unpack them.
	for _, left := range []int{6, 20} {
		disk.Fill(t, left)
		_, err := images.ImportFile(t.Context(), large, nil)
		if err == nil || !strings.Contains(err.Error(), "no space left on device: make room") {
			t.Fatalf("with %d MiB an import gives %v, want it to say that there is no room", left, err)
		}
		list, err := images.List(t.Context())
		if err != nil || len(list) != 1 || list[0].Digest != old.Digest || !list[0].Unpacked {
			t.Fatalf("with %d MiB the images are %+v, error %v, want the one that was there: %+v", left, list, err, old)
		}
		if free := disk.Free(t); free < int64(left-2)<<20 {
			t.Errorf("of %d MiB the import has left %d bytes", left, free)
		}
		disk.Empty(t)
	}
	if moved := importOne(t, images, large); moved.Ref != ref || moved.Digest == old.Digest || !moved.Unpacked {
		t.Errorf("once there is room, the import gives %+v", moved)
	}
}

// TestDiskOfTheFolderStays: the last user undoes containerd's mounts, not the machine's.
func TestDiskOfTheFolderStays(t *testing.T) {
	o, disk := diskOptions(t, 32)
	for range 2 {
		d, err := Connect(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		img := importOne(t, d.Images(), tinyArchive(t, "optimus.local/tiny:one", "one"))
		if err := d.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(disk.Dir, "io.containerd.content.v1.content/blobs/sha256", strings.TrimPrefix(img.Digest, "sha256:"))); err != nil {
			t.Fatalf("once the daemon has ended: %v", err)
		}
		points, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || len(mountPointsBelow(string(points), o.Dir)) != 1 {
			t.Errorf("mounted are %q, %v, want the disk alone", mountPointsBelow(string(points), o.Dir), err)
		}
	}
}
