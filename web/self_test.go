package web_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/web"
)

func TestSelfSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed, func(o *web.Options) {
		o.Keys[0].PerMinute = 30
		o.Queues = []string{"exams"}
		o.Limits = web.Limits{Body: 1 << 20, Tests: 7, Wait: 3 * time.Second, Run: sandbox.Limits{CPU: 4 * time.Second, Memory: 1 << 30}}
	})
	for key, want := range map[string]web.Self{
		"alice": {Roles: []string{"submit"}, May: []string{"submit", "read"}, RequestsPerMinute: 30},
		"carol": {Roles: []string{"read"}, May: []string{"read"}},
		"root":  {Roles: []string{"admin"}, May: []string{"submit", "read", "admin"}},
	} {
		a := h.as(key+"-key").do(http.MethodGet, "/v1/self", "").want(http.StatusOK)
		got := into[web.Self](a)
		if !got.KeysNeeded || got.Tenant != key || !slices.Equal(got.Roles, want.Roles) || !slices.Equal(got.May, want.May) ||
			got.RequestsPerMinute != want.RequestsPerMinute || !got.ExpiresAt.IsZero() {
			t.Errorf("%s is %s", key, a.Body)
		}
		l := got.Limits
		if l.Body != 1<<20 || l.Tests != 7 || l.Wait != 3000 || *l.Run.CPU != 4000 || *l.Run.Memory != 1<<30 || l.Source != 256_000 {
			t.Errorf("the limits are %s", a.Body)
		}
		if !slices.Equal(got.Queues, []string{"default", "exams", "slow"}) {
			t.Errorf("queues %v", got.Queues)
		}
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Error("another key may be given the answer")
		}
	}
	for _, key := range []string{"", "nobody"} {
		h.as(key).do(http.MethodGet, "/v1/self", "").want(http.StatusUnauthorized).faults()
	}
}

func TestSelfWithoutKeys(t *testing.T) {
	t.Parallel()
	h := setup(t)
	got := into[web.Self](h.do(http.MethodGet, "/v1/self", "").want(http.StatusOK))
	if got.KeysNeeded || got.Tenant != "" || len(got.May) != 3 {
		t.Errorf("without keys: %+v", got)
	}
	// With the first key that the store gets all is asked anew.
	root := h.newKey(`{"name":"root","roles":["admin"],"rate":2,"expires_at":"2199-12-31T00:00:00Z"}`)
	h.do(http.MethodGet, "/v1/self", "").want(http.StatusUnauthorized)
	got = into[web.Self](h.as(root.Secret).do(http.MethodGet, "/v1/self", "").want(http.StatusOK))
	if !got.KeysNeeded || got.Tenant != "root" || got.RequestsPerMinute != 120 || !got.ExpiresAt.Equal(root.ExpiresAt) {
		t.Errorf("with a stored key: %+v", got)
	}
}

// What may says is what the routes of each role really let through.
func TestSelfAgreesWithTheRoutes(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	for _, key := range []string{"alice-key", "carol-key", "root-key"} {
		may := into[web.Self](h.as(key).do(http.MethodGet, "/v1/self", "").want(http.StatusOK)).May
		for role, r := range map[string][3]string{
			"submit": {http.MethodPost, "/v1/jobs", hello}, "read": {http.MethodGet, "/v1/languages", ""}, "admin": {http.MethodGet, "/v1/keys", ""},
		} {
			allowed := h.as(key).do(r[0], r[1], r[2]).Status != http.StatusForbidden
			if allowed != slices.Contains(may, role) {
				t.Errorf("%s may %v, and %s %s is allowed: %v", key, may, r[0], r[1], allowed)
			}
		}
	}
}
