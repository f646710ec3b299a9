package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"optimus/packaging/program"
)

// recipe is what an image is made from.
type recipe struct {
	root     string // of the repository
	binary   string
	version  string
	revision string
	// made is the only time in it, so that the same sources give the same image.
	made time.Time
}

// build makes the image, which depends on nothing but the recipe.
func (r recipe) build() (v1.Image, error) {
	arch, err := program.Architecture(r.binary)
	if err != nil {
		return nil, err
	}
	files, err := r.files()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON),
		mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: r.made}, CreatedBy: "make image", Comment: "Dockerfile"}})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: r.made}
	config.Config = imageConfig(r.version, r.revision)
	return mutate.ConfigFile(img, config)
}

// files gives the layer: every entry after the folders that it lies in.
func (r recipe) files() ([]byte, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	made := map[string]bool{"/": true}
	add := func(h *tar.Header, data []byte) error {
		h.Name = strings.TrimPrefix(h.Name, "/")
		h.ModTime, h.Size, h.Format = r.made, int64(len(data)), tar.FormatPAX
		if err := w.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		_, err := w.Write(data)
		return err
	}
	for _, e := range entries() {
		for _, dir := range parents(e.path) {
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := add(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil); err != nil {
				return nil, err
			}
		}
		data, err := content(r.root, r.binary, e)
		if err != nil {
			return nil, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.path, Mode: e.mode, Uid: e.owner, Gid: e.owner}
		if e.dir {
			made[e.path] = true
			h.Typeflag, h.Name = tar.TypeDir, e.path+"/"
		}
		if err := add(h, data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
}

// parents lists the folders that a path lies in, outermost first.
func parents(name string) []string {
	var dirs []string
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

// blob is a file of an OCI layout.
type blob struct {
	digest v1.Hash
	data   []byte
}

// blobs gives the image's layers, configuration and manifest.
func blobs(img v1.Image) ([]blob, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	var all []blob
	add := func(digest v1.Hash, err error, data []byte, dataErr error) error {
		if err == nil {
			err = dataErr
		}
		all = append(all, blob{digest, data})
		return err
	}
	for _, layer := range layers {
		packed, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(packed)
		digest, digestErr := layer.Digest()
		if err := add(digest, digestErr, data, err); err != nil {
			return nil, err
		}
	}
	config, configErr := img.RawConfigFile()
	name, nameErr := img.ConfigName()
	if err := add(name, nameErr, config, configErr); err != nil {
		return nil, err
	}
	manifest, manifestErr := img.RawManifest()
	digest, digestErr := img.Digest()
	return all, add(digest, digestErr, manifest, manifestErr)
}

// writeArchive writes the image as an OCI layout in a tar file, which `ctr images import`, `docker load` and
// `optimus admin images import` take. name is what it is called there.
func writeArchive(file, name string, img v1.Image) (err error) {
	all, err := blobs(img)
	if err != nil {
		return err
	}
	manifest := all[len(all)-1]
	tag := name[strings.LastIndexByte(name, ':')+1:]
	index, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: types.OCIManifestSchema1, Size: int64(len(manifest.data)), Digest: manifest.digest,
			Annotations: map[string]string{"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag},
		}},
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file + ".part")
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err == nil {
			err = os.Rename(f.Name(), file)
		}
	}()
	w := tar.NewWriter(f)
	add := func(name string, data []byte) error {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := w.Write(data)
		return err
	}
	if err := add("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := add("index.json", index); err != nil {
		return err
	}
	for _, b := range all {
		if err := add("blobs/"+b.digest.Algorithm+"/"+b.digest.Hex, b.data); err != nil {
			return err
		}
	}
	return w.Close()
}
