package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/boltstore"
	"optimus/web"
)

// A real file says how it fares, to whoever may read.
func TestStoreHealth(t *testing.T) {
	t.Parallel()
	st, err := boltstore.Open(filepath.Join(t.TempDir(), "optimus.db"), store.Options{})
	must(t, err)
	t.Cleanup(func() { _ = st.Close() })
	h := setup(t, keyed, func(o *web.Options) { o.Store = st })
	h.do(http.MethodGet, "/v1/store", "").want(http.StatusUnauthorized)
	a := h.as("carol-key").do(http.MethodGet, "/v1/store", "").want(http.StatusOK)
	got := into[web.StoreHealth](a)
	if got.Status != "ok" || got.Reason != "" || got.Latency <= 0 || got.Kind != "file" || got.Durability != "fsync" || got.Bytes <= 0 ||
		got.Free == nil || *got.Free <= 0 || len(got.Warnings) != 0 || got.Schema == nil || got.Schema.Written < 1 || got.Schema.Known < got.Schema.Written {
		t.Errorf("it says %s", a.Body)
	}
	must(t, st.Close())
	got = into[web.StoreHealth](h.as("carol-key").do(http.MethodGet, "/v1/store", "").want(http.StatusOK))
	if got.Status != "unavailable" || got.Reason == "" || got.Kind != "file" || got.Schema != nil || got.Free != nil {
		t.Errorf("of a closed one it says %+v", got)
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
