package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
)

func TestStoreHealth(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	h.do(http.MethodGet, "/v1/store", "").want(http.StatusUnauthorized)
	got := into[web.StoreHealth](h.as("carol-key").do(http.MethodGet, "/v1/store", "").want(http.StatusOK))
	if got.Status != "ok" || got.Reason != "" || got.Kind != "file" || got.Durability != "local" || got.Bytes != 4096 || *got.Free != 1<<30 ||
		len(got.Warnings) != 1 || *got.Schema != (web.StoreSchema{Written: 1, MinReader: 1, Known: 1}) {
		t.Errorf("it says %+v", got)
	}
}

// mute is a store that takes jobs, and does not say how it fares.
type mute struct{ web.Store }

func (mute) Describe(context.Context) (store.Description, error) {
	return store.Description{Kind: store.KindRedis, Durability: "replicated", Free: -1}, errors.New("NOPERM")
}

func TestStoreHealthWhereThereIsNone(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for err, status := range map[error]string{
		fmt.Errorf("write: %w", store.ErrNoRoom): "full", store.ErrUnavailable: "unavailable", errors.New("broken"): "unavailable", nil: "ok",
	} {
		h.store.SetFailure(err)
		got := into[web.StoreHealth](h.do(http.MethodGet, "/v1/store", "").want(http.StatusOK))
		if got.Status != status || (got.Reason == "") != (err == nil) || len(got.Warnings) != 1 {
			t.Errorf("with %v it says %+v", err, got)
		}
	}
	h = setup(t, func(o *web.Options) { o.Store = mute{o.Store} })
	got := into[web.StoreHealth](h.do(http.MethodGet, "/v1/store", "").want(http.StatusOK))
	if got.Status != "ok" || got.Kind != "redis" || got.Free != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "NOPERM") {
		t.Errorf("of one that is mute it says %+v", got)
	}
}

// stuck is a store that answers nobody.
type stuck struct{ web.Store }

func (stuck) Ping(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestStoreHealthIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) {
		o.Store, o.Timeouts.Store = stuck{o.Store}, 10*time.Millisecond
	})
	got := into[web.StoreHealth](h.do(http.MethodGet, "/v1/store", "").want(http.StatusOK))
	if got.Status != "unavailable" || !strings.Contains(got.Reason, "deadline") {
		t.Errorf("it says %+v", got)
	}
}
