package containerd

import (
	"archive/tar"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// registry serves the one image of an OCI archive as "tiny:one", under any digest that it has.
func registry(t *testing.T, archive string) (host string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	index, err := readIndex(f)
	if err != nil {
		t.Fatal(err)
	}
	manifest := index.Manifests[0].Digest
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	blobs := map[string][]byte{}
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if blobs["sha256:"+path.Base(h.Name)], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/v2/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/v2/tiny/manifests/{ref}", func(w http.ResponseWriter, r *http.Request) {
		ref := r.PathValue("ref")
		if ref == "one" {
			ref = manifest.String()
		}
		blob, found := blobs[ref]
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Docker-Content-Digest", ref)
		http.ServeContent(w, r, "", buildTime(), strings.NewReader(string(blob)))
	})
	mux.HandleFunc("/v2/tiny/blobs/{digest}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", buildTime(), strings.NewReader(string(blobs[r.PathValue("digest")])))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestPull(t *testing.T) {
	o, _ := privateOptions(t)
	images := connect(t, o).Images()
	ctx := t.Context()
	host := registry(t, tinyArchive(t, "optimus.local/tiny:one", "one"))
	var mu sync.Mutex
	var last Progress
	img, err := images.Pull(ctx, host+"/tiny:one", func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Stage == "pull" {
			last = p
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if img.Ref != host+"/tiny:one" || !img.Unpacked || img.Handle.Labels()[LabelOwner] != imageLabel {
		t.Errorf("pulled %+v", img)
	}
	if last.Total != img.Size || last.Done != last.Total {
		t.Errorf("progress ends with %+v, want all of %d bytes", last, img.Size)
	}
	config, err := images.Config(ctx, img)
	if err != nil || len(config.Env) == 0 {
		t.Errorf("config %+v, error %v", config, err)
	}
	again, err := images.Pull(ctx, host+"/tiny@"+img.Digest, nil)
	if err != nil || again.Digest != img.Digest {
		t.Errorf("by digest: %+v, error %v", again, err)
	}
	if _, err := images.Pull(ctx, host+"/tiny:absent", nil); err == nil || !strings.Contains(err.Error(), "admin images import") {
		t.Errorf("error %v, want the next step", err)
	}
	if list, err := images.List(ctx); err != nil || len(list) != 2 {
		t.Errorf("images %+v, error %v", list, err)
	}
}
