package containerd

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"optimus/sandbox"
)

// maxIndexSize bounds what is read of an archive's index, in bytes.
const maxIndexSize = 4 << 20

// Import reads an OCI or Docker archive, unpacks its images for this machine's platform and
// gives them. A reference that was there before then means the imported image. Importing the
// same archive again changes nothing.
func (i *Images) Import(ctx context.Context, r io.Reader, progress ProgressFunc) ([]Image, error) {
	return i.importFrom(ctx, r, Progress{Stage: "import"}, progress)
}

// ImportFile is Import from a file. Where all that its index names is present already it
// reads the index alone.
func (i *Images) ImportFile(ctx context.Context, name string, progress ProgressFunc) ([]Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("import images: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("import images: %w", err)
	}
	if present, err := i.presentAll(ctx, f); err == nil && len(present) > 0 {
		return present, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("import images: %w", err)
	}
	list, err := i.importFrom(ctx, f, Progress{Stage: "import", Detail: name, Total: info.Size()}, progress)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// importFrom tells p as it reads, with what is done filled in.
func (i *Images) importFrom(ctx context.Context, r io.Reader, p Progress, progress ProgressFunc) ([]Image, error) {
	ctx, free, err := i.leased(ctx)
	if err != nil {
		return nil, fmt.Errorf("import images: %w", err)
	}
	defer free()
	counted := &countingReader{r: r, tell: func(n int64) {
		p.Done = n
		progress.tell(p)
	}}
	imported, err := i.readArchive(ctx, counted)
	if err != nil {
		return nil, fmt.Errorf("import images: %w: %s", err,
			hint(err, "is it an OCI or Docker archive, whole, for "+platforms.DefaultString()+"?"))
	}
	if len(imported) == 0 {
		return nil, errors.New("import images: the archive names none: export it with a name, as `docker save NAME` does")
	}
	// What follows an archive's end is not read.
	counted.tell(max(counted.n, p.Total))
	list := make([]Image, 0, len(imported))
	for _, meta := range imported {
		img, err := i.adopt(ctx, meta, progress)
		if err != nil {
			return nil, err
		}
		list = append(list, img)
	}
	return list, nil
}

// readArchive brings an archive's blobs here and gives its images, none of which is known by its
// name yet.
func (i *Images) readArchive(ctx context.Context, r io.Reader) ([]images.Image, error) {
	store := &begunBlobs{Store: i.client.ContentStore()}
	top, err := archive.ImportIndex(ctx, store, r)
	if err != nil {
		store.abort(ctx)
		return nil, err //nolint:wrapcheck // importFrom says what was done
	}
	blob, err := content.ReadBlob(ctx, store, top)
	if err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	var index ocispec.Index
	if err := json.Unmarshal(blob, &index); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	// By its labels a blob keeps those that it names.
	label := images.SetChildrenLabels(store, images.FilterPlatforms(images.ChildrenHandler(store), platforms.Default()))
	if err := images.WalkNotEmpty(ctx, label, top); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	var list []images.Image
	for _, m := range index.Manifests {
		if name := m.Annotations[images.AnnotationImageName]; name != "" {
			list = append(list, images.Image{Name: name, Target: m, Labels: map[string]string{LabelOwner: imageLabel}})
		}
	}
	return list, nil
}

// begunBlobs is a content store that knows which blobs were begun.
type begunBlobs struct {
	content.Store

	refs []string
}

// Writer begins a blob.
func (s *begunBlobs) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	s.refs = append(s.refs, o.Ref)
	return s.Store.Writer(ctx, opts...) //nolint:wrapcheck // as the store gives it
}

// abort removes what is there of those that are not whole. Their room comes first: without any,
// containerd can't even note that the lease has ended.
func (s *begunBlobs) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	for _, ref := range s.refs {
		_ = s.Abort(ctx, ref) // most are whole
	}
}

// adopt unpacks an image that has just come, and then lets it have its name: what had the name before
// keeps it until then, and for good where there is no room.
func (i *Images) adopt(ctx context.Context, meta images.Image, progress ProgressFunc) (Image, error) {
	img, err := i.describe(ctx, client.NewImage(i.client, meta))
	if err != nil {
		return Image{}, err
	}
	if img, err = i.Unpack(ctx, img, progress); err != nil {
		return Image{}, err
	}
	store := i.client.ImageService()
	named, err := store.Update(ctx, meta, "target", "labels")
	if errdefs.IsNotFound(err) {
		named, err = store.Create(ctx, meta)
	}
	if err != nil {
		return Image{}, fmt.Errorf("name image %s: %w", img.Ref, err)
	}
	return i.describe(ctx, client.NewImage(i.client, named))
}

// presentAll gives the images that the archive's index names, if each is present, unpacked
// and the very same; none otherwise.
func (i *Images) presentAll(ctx context.Context, r io.Reader) ([]Image, error) {
	index, err := readIndex(r)
	if err != nil {
		return nil, err
	}
	var list []Image
	for _, m := range index.Manifests {
		ref := m.Annotations[images.AnnotationImageName]
		if ref == "" {
			return nil, nil
		}
		img, err := i.Get(ctx, ref)
		if errors.Is(err, sandbox.ErrImageMissing) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if img.Ref != ref || img.Digest != m.Digest.String() || !img.Unpacked {
			return nil, nil
		}
		list = append(list, img)
	}
	return list, nil
}

// readIndex finds index.json in an OCI archive, skipping blobs by seeking where it can.
func readIndex(r io.Reader) (ocispec.Index, error) {
	var index ocispec.Index
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err != nil {
			return index, fmt.Errorf("read the archive's index: %w", err)
		}
		if path.Clean(h.Name) == ocispec.ImageIndexFile {
			err := json.NewDecoder(io.LimitReader(tr, maxIndexSize)).Decode(&index)
			if err != nil {
				return index, fmt.Errorf("read the archive's index: %w", err)
			}
			return index, nil
		}
	}
}

// countingReader tells now and then how much was read.
type countingReader struct {
	r       io.Reader
	n, told int64
	tell    func(n int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	const step = 8 << 20
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n-c.told >= step {
		c.told = c.n
		c.tell(c.n)
	}
	return n, err //nolint:wrapcheck // io.EOF must stay itself
}
