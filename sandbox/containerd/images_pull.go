package containerd

import (
	"context"
	"fmt"
	"sync"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Pull fetches an image from its registry for this machine's platform and unpacks it. A
// registry on this machine may speak plain HTTP.
func (i *Images) Pull(ctx context.Context, ref string, progress ProgressFunc) (Image, error) {
	full, err := FullRef(ref)
	if err != nil {
		return Image{}, err
	}
	ctx, free, err := i.leased(ctx)
	if err != nil {
		return Image{}, fmt.Errorf("pull image %s: %w", full, err)
	}
	defer free()

	watch := &pullWatch{store: i.client.ContentStore(), ref: full, progress: progress}
	stop := watch.start(ctx)
	// Unpacked before it has its name, as by [Images.adopt]; even where its files are here already, all
	// its blobs are fetched, or it could not be exported.
	h, err := i.client.Pull(ctx, full,
		client.WithPlatform(platforms.DefaultString()),
		client.WithPullUnpack, client.WithPullSnapshotter(i.snapshotter), client.WithUnpackOpts([]client.UnpackOpt{client.WithUnpackFetchAllContent()}),
		client.WithPullLabel(LabelOwner, imageLabel),
		client.WithImageHandler(images.HandlerFunc(watch.handle)))
	stop()
	if err != nil {
		return Image{}, fmt.Errorf("pull image %s: %w: %s", full, err, hint(err, "check the name and this machine's way to the registry, "+
			"or bring it as a file by `optimus admin images import`"))
	}
	return i.describe(ctx, h)
}

// pullWatch tells how far a pull is, from the content store.
type pullWatch struct {
	store    content.Store
	ref      string
	progress ProgressFunc

	mu    sync.Mutex
	parts []ocispec.Descriptor
}

// handle notes each part of the image when the pull comes to know of it.
func (w *pullWatch) handle(_ context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts = append(w.parts, desc)
	return nil, nil
}

// start tells until the function that it gives is called, which tells for the last time.
func (w *pullWatch) start(ctx context.Context) (stop func()) {
	stopTicking := tellEvery(func() { w.tell(ctx) })
	return func() {
		stopTicking()
		w.tell(ctx)
	}
}

func (w *pullWatch) tell(ctx context.Context) {
	w.mu.Lock()
	parts := append([]ocispec.Descriptor(nil), w.parts...)
	w.mu.Unlock()
	p := Progress{Stage: "pull", Detail: w.ref}
	for _, part := range parts {
		p.Total += part.Size
		if _, err := w.store.Info(ctx, part.Digest); err == nil {
			p.Done += part.Size
		} else if status, err := w.store.Status(ctx, remotes.MakeRefKey(ctx, part)); err == nil {
			p.Done += status.Offset
		}
	}
	w.progress.tell(p)
}
