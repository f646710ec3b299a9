package containerd

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzCgroupFiles: whatever a file of the kernel says, its readers give a value that stands in it or an error.
func FuzzCgroupFiles(f *testing.F) {
	for _, seed := range []string{
		"0\n", "9223372036854771712\n", "max\n", "-1", "", "1 2", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
		"low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n", "usage_usec 12\nuser_usec 99999999999999999999\n", "oom_kill\noom_kill \n",
		"32 25 0:28 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n33 25 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n",
		"1 2 3 - cgroup\n", " - \n - - -\n", "\x00\xff - cgroup a b,c,,",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := readInt(path); err == nil && !strings.ContainsAny(string(data), "0123456789") {
			t.Errorf("readInt gives %d of %q", n, data)
		}
		if n, err := readKeyed(path, "oom_kill"); err == nil && n != 0 && !bytes.Contains(data, []byte("oom_kill")) {
			t.Errorf("readKeyed gives %d of %q", n, data)
		}
		if m, err := cgroupMounts(path); err == nil && m.v2 == "" && !m.hasV1("memory") {
			t.Errorf("cgroupMounts takes %q", data)
		}
	})
}

// FuzzArchiveIndex: whatever an archive holds, its index is read within bounds or refused.
func FuzzArchiveIndex(f *testing.F) {
	for _, seed := range []string{
		`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:00","size":1,"annotations":{"io.containerd.image.name":"a"}}]}`,
		"", "[[[[", `{"manifests":null}`, `{"manifests":[{"digest":"../../etc/passwd","size":-1}]}`, strings.Repeat("[", 20_000),
	} {
		for _, name := range []string{ocispec.ImageIndexFile, "./" + ocispec.ImageIndexFile, "x/../" + ocispec.ImageIndexFile, "blobs/sha256/00"} {
			var archive bytes.Buffer
			w := tar.NewWriter(&archive)
			if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(seed)), Mode: 0o600}); err != nil {
				f.Fatal(err)
			}
			if _, err := w.Write([]byte(seed)); err != nil {
				f.Fatal(err)
			}
			f.Add(archive.Bytes())
			if err := w.Close(); err != nil {
				f.Fatal(err)
			}
			f.Add(archive.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		index, err := readIndex(bytes.NewReader(archive))
		if err == nil && len(index.Manifests) > len(archive) {
			t.Errorf("%d manifests in %d bytes", len(index.Manifests), len(archive))
		}
	})
}
