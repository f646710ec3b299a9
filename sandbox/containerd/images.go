package containerd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"optimus/sandbox"
)

// LabelOwner is the label of every containerd object that Optimus made.
const LabelOwner = "optimus"

// imageLabel is the value of LabelOwner on an image.
const imageLabel = "image"

// Image is an image that is present.
type Image struct {
	// Ref is its full name, such as "optimus.local/python:trixie".
	Ref string `json:"ref"`
	// Digest is its target's, such as "sha256:…": a manifest's or an index's.
	Digest string `json:"digest"`
	// Size, in bytes, is that of the stored blobs for this platform.
	Size int64 `json:"size"`
	// Created is when the image came to this machine.
	Created time.Time `json:"created"`
	// Unpacked tells whether a container can be made of it without unpacking it first.
	Unpacked bool `json:"unpacked"`
	// Handle is the client's own object, for making containers of it.
	Handle client.Image `json:"-"`
}

// Progress is how far an operation on an image is.
type Progress struct {
	// Stage is what is being done, such as "pull", "unpack" or "build".
	Stage string
	// Detail adds to it in words; may be empty.
	Detail string
	// Done and Total are bytes; Total is 0 where it is not known.
	Done, Total int64
}

// progressEvery is the pace at which what runs for long is told of.
const progressEvery = 200 * time.Millisecond

// tellEvery calls tell each progressEvery, from a goroutine that has ended when stop returns.
func tellEvery(tell func()) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// ProgressFunc is told now and then, from one goroutine at a time; nil is allowed.
type ProgressFunc func(Progress)

func (f ProgressFunc) tell(p Progress) {
	if f != nil {
		f(p)
	}
}

// Images is the image store of a containerd, in the client's namespace, for the platform of
// this machine. Its methods may be called by many goroutines at once.
//
// References are taken as people write them: "python:3" is "docker.io/library/python:3".
type Images struct {
	client      *client.Client
	snapshotter string
}

// NewImages gives the image store of c, unpacking for snapshotter.
func NewImages(c *client.Client, snapshotter string) *Images {
	return &Images{client: c, snapshotter: snapshotter}
}

// leased gives a context by which what is brought here is not collected before it has its name. What
// has none when free is called goes then, and its room is free when that returns.
func (i *Images) leased(ctx context.Context) (_ context.Context, free func(), err error) {
	const longest = 24 * time.Hour // of a pull, should this process die
	service := i.client.LeasesService()
	lease, err := service.Create(ctx, leases.WithRandomID(), leases.WithExpiration(longest))
	if err != nil {
		return nil, nil, fmt.Errorf("take a lease: %w", err)
	}
	return leases.WithLease(ctx, lease.ID), func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		_ = service.Delete(ctx, lease, leases.SynchronousDelete) // it expires by itself
	}, nil
}

// FullRef completes an image reference with registry and tag.
func FullRef(ref string) (string, error) {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return "", fmt.Errorf("image reference %q: %w: write it as registry/name:tag", ref, err)
	}
	return named.String(), nil
}

// List gives every image that is there whole, sorted by reference.
func (i *Images) List(ctx context.Context) ([]Image, error) {
	handles, err := i.client.ListImages(ctx)
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	list := make([]Image, 0, len(handles))
	for _, h := range handles {
		img, err := i.describe(ctx, h)
		if errdefs.IsNotFound(err) {
			continue // removed meanwhile, or fetched in part
		}
		if err != nil {
			return nil, err
		}
		list = append(list, img)
	}
	slices.SortFunc(list, func(a, b Image) int { return strings.Compare(a.Ref, b.Ref) })
	return list, nil
}

// Get gives the image of that reference; where it is absent the error wraps
// [sandbox.ErrImageMissing].
func (i *Images) Get(ctx context.Context, ref string) (Image, error) {
	full, err := FullRef(ref)
	if err != nil {
		return Image{}, err
	}
	h, err := i.client.GetImage(ctx, full)
	if errdefs.IsNotFound(err) {
		return Image{}, fmt.Errorf("image %s: %w: get it by `optimus admin images build`, `pull` or `import`",
			full, sandbox.ErrImageMissing)
	}
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", full, err)
	}
	return i.describe(ctx, h)
}

func (i *Images) describe(ctx context.Context, h client.Image) (Image, error) {
	img := Image{Ref: h.Name(), Digest: h.Target().Digest.String(), Created: h.Metadata().CreatedAt, Handle: h}
	var err error
	if img.Size, err = h.Size(ctx); err != nil {
		return img, fmt.Errorf("image %s: size: %w", img.Ref, err)
	}
	if img.Unpacked, err = h.IsUnpacked(ctx, i.snapshotter); err != nil {
		return img, fmt.Errorf("image %s: %w", img.Ref, err)
	}
	return img, nil
}

// Config gives the image's own settings, such as its environment.
func (i *Images) Config(ctx context.Context, img Image) (ocispec.ImageConfig, error) {
	spec, err := img.Handle.Spec(ctx)
	if err != nil {
		return ocispec.ImageConfig{}, fmt.Errorf("image %s: %w", img.Ref, err)
	}
	return spec.Config, nil
}

// Unpack makes sure that containers can be made of the image at once.
func (i *Images) Unpack(ctx context.Context, img Image, progress ProgressFunc) (Image, error) {
	if img.Unpacked {
		return img, nil
	}
	progress.tell(Progress{Stage: "unpack", Detail: img.Ref, Total: img.Size})
	if err := img.Handle.Unpack(ctx, i.snapshotter); err != nil {
		return img, fmt.Errorf("unpack image %s: %w: %s", img.Ref, err, hint(err, "is it whole?"))
	}
	img.Unpacked = true
	return img, nil
}

// Export writes the image, for this machine's platform, as an OCI archive that [Images.Import]
// and Docker read.
func (i *Images) Export(ctx context.Context, ref string, w io.Writer) error {
	img, err := i.Get(ctx, ref)
	if err != nil {
		return err
	}
	err = i.client.Export(ctx, w, archive.WithPlatform(platforms.Default()),
		archive.WithImage(i.client.ImageService(), img.Ref))
	if err != nil {
		return fmt.Errorf("export image %s: %w", img.Ref, err)
	}
	return nil
}

// Remove deletes an image, waiting until its space is free; containers made of it keep their
// files. An absent image is an error that wraps [sandbox.ErrImageMissing].
func (i *Images) Remove(ctx context.Context, ref string) error {
	img, err := i.Get(ctx, ref)
	if err != nil {
		return err
	}
	err = i.client.ImageService().Delete(ctx, img.Ref, images.SynchronousDelete())
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove image %s: %w", img.Ref, err)
	}
	return nil
}

// Unwanted gives the images whose reference is not in keep.
func (i *Images) Unwanted(ctx context.Context, keep []string) ([]Image, error) {
	wanted := make(map[string]bool, len(keep))
	for _, ref := range keep {
		full, err := FullRef(ref)
		if err != nil {
			return nil, err
		}
		wanted[full] = true
	}
	all, err := i.List(ctx)
	return slices.DeleteFunc(all, func(img Image) bool { return wanted[img.Ref] }), err
}
