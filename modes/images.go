package modes

import (
	"context"
	"maps"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox/containerd"
)

// imageIndex knows which images a container can be made of at once. It is asked with every
// submission and every claim, so it keeps what it knows, and follows what containerd tells.
type imageIndex struct {
	list func(ctx context.Context) ([]containerd.Image, error)
	log  zerolog.Logger
	// held is by full reference.
	held atomic.Pointer[map[string]heldImage]
	// changed gets a value, never more than one waiting, when they have changed.
	changed chan struct{}
}

const (
	// lookAgain is how soon an image that is still being unpacked is looked at again.
	lookAgain = 500 * time.Millisecond
	// lookAnyway is how often the images are listed unasked, should an event have been missed.
	lookAnyway = 30 * time.Second
)

func newImageIndex(list func(context.Context) ([]containerd.Image, error), log zerolog.Logger) *imageIndex {
	return &imageIndex{list: list, log: log, changed: make(chan struct{}, 1)}
}

// followImages gives an index of the daemon's images that is kept up to date until the stop.
func followImages(ctx context.Context, life *lifecycle, d *containerd.Daemon, log zerolog.Logger) (*imageIndex, error) {
	x := newImageIndex(d.Images().List, log)
	if _, err := x.refresh(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			// The subscription ends with the daemon; a new one waits for it to come back.
			subscription, unsubscribe := context.WithCancel(ctx)
			changes, broken := d.Client().Subscribe(subscription, `topic~="^/images/"`)
			follow(ctx, x, changes, broken)
			unsubscribe()
		}
	}()
	life.onStop("image index", closeIndex, func(context.Context) error {
		cancel()
		<-ended
		return nil
	})
	return x, nil
}

// follow lists the images after each change, until the subscription is broken or ctx ends.
func follow[E any](ctx context.Context, x *imageIndex, changes <-chan E, broken <-chan error) {
	wait := time.Duration(0)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-broken:
			x.log.Debug().Err(err).Msg("containerd's events have ended; asking for them again")
			select { // not in a tight loop, while there is no daemon
			case <-ctx.Done():
			case <-time.After(lookAgain):
			}
			return
		case <-changes:
		case <-timer.C:
		}
		unpacking, err := x.refresh(ctx)
		if err != nil && ctx.Err() == nil {
			x.log.Warn().Err(err).Msg("listing images failed; what was there before is taken to be there still")
		}
		wait = lookAnyway
		if unpacking || err != nil {
			wait = lookAgain
		}
		timer.Reset(wait)
	}
}

// refresh lists the images, and tells whether one of them is not unpacked yet.
func (x *imageIndex) refresh(ctx context.Context) (unpacking bool, err error) {
	list, err := x.list(ctx)
	if err != nil {
		return false, err
	}
	held := make(map[string]heldImage, len(list))
	for _, i := range list {
		if i.Unpacked {
			held[i.Ref] = heldImage{digest: i.Digest, size: i.Size}
		} else {
			unpacking = true
		}
	}
	if before := x.held.Swap(&held); before != nil && !maps.Equal(*before, held) {
		select {
		case x.changed <- struct{}{}:
		default: // whoever has not looked yet will see this too
		}
	}
	return unpacking, nil
}

// present tells whether a container can be made of the image.
func (x *imageIndex) present(ref string) (heldImage, bool) {
	held := *x.held.Load()
	if image, ok := held[ref]; ok {
		return image, true
	}
	full, err := containerd.FullRef(ref)
	if err != nil {
		return heldImage{}, false
	}
	image, ok := held[full]
	return image, ok
}
