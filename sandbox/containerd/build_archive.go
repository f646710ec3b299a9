package containerd

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationImageName is what containerd names an image by when it imports an archive.
const annotationImageName = images.AnnotationImageName

// tarBlock is the unit of a tar file, in bytes.
const tarBlock = 512

// maxLayer is the largest size that a plain tar header can tell.
const maxLayer = 8<<30 - 1

// archiveWriter writes an OCI archive of one uncompressed layer, which is streamed straight
// into its place: digest and size are known at its end only, so its header is written last.
//
//	blobs/  blobs/sha256/  [layer's header] layer  config  manifest  index.json  oci-layout
//
// An uncompressed layer saves packing here and unpacking in containerd; its digest is its
// diff id too.
type archiveWriter struct {
	f     *os.File
	sum   hash.Hash
	size  int64
	start int64 // of the layer's header
}

func newArchiveWriter(f *os.File) (*archiveWriter, error) {
	a := &archiveWriter{f: f, sum: sha256.New()}
	tw := tar.NewWriter(f)
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: buildTime(), Format: tar.FormatUSTAR}); err != nil {
			return nil, fmt.Errorf("write archive: %w", err)
		}
	}
	if err := tw.Flush(); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	var err error
	if a.start, err = f.Seek(0, io.SeekCurrent); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	if _, err := f.Write(make([]byte, tarBlock)); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	return a, nil
}

// Write takes the next bytes of the layer.
func (a *archiveWriter) Write(p []byte) (int, error) {
	if a.size+int64(len(p)) > maxLayer {
		return 0, errors.New("write archive: the image's files are over 8 GiB")
	}
	n, err := a.f.Write(p)
	a.sum.Write(p[:n])
	a.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write archive: %w", err)
	}
	return n, nil
}

// finish ends the layer and writes what describes it.
func (a *archiveWriter) finish(ref string, config ocispec.ImageConfig) error {
	layer := ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageLayer,
		Digest:    digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(a.sum.Sum(nil))),
		Size:      a.size,
	}
	if rest := a.size % tarBlock; rest != 0 {
		if _, err := a.f.Write(make([]byte, tarBlock-rest)); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	tw := tar.NewWriter(a.f)
	if err := writeDescription(tw, ref, config, layer); err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	var header bytes.Buffer
	if err := tar.NewWriter(&header).WriteHeader(fileHeader(blobName(layer), a.size)); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if _, err := a.f.WriteAt(header.Bytes(), a.start); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// writeDescription writes config, manifest and index of an image of one layer.
func writeDescription(tw *tar.Writer, ref string, config ocispec.ImageConfig, layer ocispec.Descriptor) error {
	created := buildTime()
	configDesc, err := writeBlob(tw, ocispec.MediaTypeImageConfig, ocispec.Image{
		Created:  &created,
		Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"},
		Config:   config,
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}},
	})
	if err != nil {
		return err
	}
	manifest, err := writeBlob(tw, ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    configDesc,
		Layers:    []ocispec.Descriptor{layer},
	})
	if err != nil {
		return err
	}
	manifest.Annotations = map[string]string{annotationImageName: ref, ocispec.AnnotationRefName: ref}
	manifest.Platform = &ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"}
	err = writeJSON(tw, ocispec.ImageIndexFile, ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{manifest},
	})
	if err != nil {
		return err
	}
	return writeJSON(tw, ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
}

func writeBlob(tw *tar.Writer, mediaType string, v any) (ocispec.Descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("write archive: %w", err)
	}
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
	return desc, writeFile(tw, blobName(desc), text)
}

func writeJSON(tw *tar.Writer, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return writeFile(tw, name, text)
}

func writeFile(tw *tar.Writer, name string, text []byte) error {
	if err := tw.WriteHeader(fileHeader(name, int64(len(text)))); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if _, err := tw.Write(text); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

func fileHeader(name string, size int64) *tar.Header {
	return &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644,
		ModTime: buildTime(), Format: tar.FormatUSTAR,
	}
}

func blobName(d ocispec.Descriptor) string { return "blobs/sha256/" + d.Digest.Encoded() }

func buildTime() time.Time { return time.Unix(epoch, 0).UTC() }
