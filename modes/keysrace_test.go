package modes

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"optimus/config"
	"optimus/store"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

// onEachStore runs a test with the keys of a file and with those of a Redis-protocol server.
func onEachStore(t *testing.T, do func(*testing.T, web.KeyManager)) {
	t.Helper()
	for name, url := range map[string]string{"file": "", "server": redistest.Start(t).URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Redis.URL = config.NewSecret(url)
			st, err := openStore(t.Context(), cfg, store.Options{}, true)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
			do(t, web.KeyManager{Store: st, Now: time.Now})
		})
	}
}

func newAdminKey(t *testing.T, m web.KeyManager) string {
	t.Helper()
	made, err := m.Create(t.Context(), web.KeyRequest{Name: "root", Roles: []string{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// Of the last two admins' keys, each revoked while the other is there, one stays.
func TestTheLastAdminStaysWhenAllAreRevokedAtOnce(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, m web.KeyManager) {
		t.Helper()
		left := newAdminKey(t, m)
		for range 20 {
			ids := []string{left, newAdminKey(t, m)}
			errs := make([]error, len(ids))
			var wg sync.WaitGroup
			for i, id := range ids {
				wg.Go(func() { errs[i] = m.Revoke(t.Context(), id) })
			}
			wg.Wait()
			list, err := m.List(t.Context())
			if err != nil || len(list.Keys) != 1 {
				t.Fatalf("%d keys are left, %v; they were revoked with %v", len(list.Keys), err, errs)
			}
			left = list.Keys[0].ID
			problem, refused := errors.AsType[*web.Problem](errs[slices.Index(ids, left)])
			if !refused || problem.Status != http.StatusConflict || errs[1-slices.Index(ids, left)] != nil {
				t.Fatalf("%s is left; they were revoked with %v", left, errs)
			}
		}
	})
}

// A key that is revoked while somebody rotates it with an overlap does not come back.
func TestARevokedKeyDoesNotComeBack(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, m web.KeyManager) {
		t.Helper()
		newAdminKey(t, m)
		for range 20 {
			id := newAdminKey(t, m)
			var rotated, revoked error
			var wg sync.WaitGroup
			wg.Go(func() { _, rotated = m.Rotate(t.Context(), id, time.Hour) })
			wg.Go(func() { revoked = m.Revoke(t.Context(), id) })
			wg.Wait()
			list, err := m.List(t.Context())
			if err != nil || revoked != nil || slices.ContainsFunc(list.Keys, func(k web.KeyInfo) bool { return k.ID == id }) {
				t.Fatalf("the key was revoked with %v and rotated with %v, and is among %+v, %v", revoked, rotated, list.Keys, err)
			}
		}
	})
}
