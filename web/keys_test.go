package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/store"
	"optimus/web"
	"optimus/web/webtest"
)

// newKey makes a key by the API.
func (h *harness) newKey(body string) web.NewKey {
	h.t.Helper()
	a := h.do(http.MethodPost, "/v1/keys", body).want(http.StatusCreated)
	if a.Header.Get("Cache-Control") != "no-store" {
		h.t.Errorf("an answer with a key may be kept: %v", a.Header)
	}
	return into[web.NewKey](a)
}

func TestStoredKeys(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.do(http.MethodPost, "/v1/keys", `{"name":"course"}`).want(http.StatusConflict).faults()
	root := h.newKey(`{"name":"root","roles":["admin"]}`)
	if !strings.HasPrefix(root.Secret, web.KeyPrefix) || len(root.Secret) != len(web.KeyPrefix)+43 {
		t.Errorf("the key is %q", root.Secret)
	}
	// From now on every request needs one.
	h.do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized)
	admin := h.as(root.Secret)
	course := admin.newKey(`{"name":"course","rate":2.5}`)
	for _, role := range []string{"submit", "read"} {
		if !strings.Contains(strings.Join(course.Roles, " "), role) {
			t.Errorf("roles %v", course.Roles)
		}
	}
	job := into[web.Job](h.as(course.Secret).do(http.MethodPost, "/v1/jobs", hello).want(http.StatusAccepted))
	if job.Tenant != "course" {
		t.Errorf("the job is of %q", job.Tenant)
	}
	for _, r := range [][2]string{{"GET", "/v1/keys"}, {"POST", "/v1/keys"}, {"DELETE", "/v1/keys/" + root.ID}, {"POST", "/v1/keys/" + root.ID + "/rotate"}} {
		h.as(course.Secret).do(r[0], r[1], "").want(http.StatusForbidden).faults()
		h.do(r[0], r[1], "").want(http.StatusUnauthorized).faults()
	}
	a := admin.do(http.MethodGet, "/v1/keys", "").want(http.StatusOK)
	if list := into[web.KeyList](a); len(list.Keys) != 2 || list.Keys[1].Rate != 2.5 || list.Keys[0].State != "valid" {
		t.Errorf("%+v", list)
	}
	kept, err := h.store.APIKeys(t.Context())
	must(t, err)
	for _, secret := range []string{root.Secret, course.Secret} {
		if strings.Contains(string(a.Body)+h.log.String(), secret) {
			t.Error("a key is shown again, or in the log")
		}
		for _, k := range kept {
			if raw, err := store.EncodeAPIKey(k); err != nil || strings.Contains(string(raw), secret) {
				t.Errorf("a key is in the store: %s, %v", raw, err)
			}
		}
		// The hash is no key.
		h.as(hashOf(secret)).do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized)
	}
	admin.do(http.MethodDelete, "/v1/keys/"+root.ID, "").want(http.StatusConflict).faults()
	admin.do(http.MethodDelete, "/v1/keys/"+course.ID, "").want(http.StatusNoContent)
	admin.do(http.MethodDelete, "/v1/keys/"+course.ID, "").want(http.StatusNotFound).faults()
	h.as(course.Secret).do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized)
	admin.do(http.MethodDelete, "/v1/keys/"+root.ID, "").want(http.StatusConflict).faults()
}

func TestKeysOfConfigurationAndStore(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	first := h.as("root-key").newKey(`{"name":"alice","roles":["read"]}`)
	id := h.as("alice-key").submit(hello).String()
	h.as(first.Secret).do(http.MethodGet, "/v1/jobs/"+id, "").want(http.StatusOK) // one tenant
	h.as("root-key").do(http.MethodDelete, "/v1/keys/"+first.ID, "").want(http.StatusNoContent)
	h.as("alice-key").do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	start := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	h := setup(t, keyed, func(o *web.Options) { o.Now = func() time.Time { return start.Add(time.Duration(offset.Load())) } })
	admin := h.as("root-key")
	k := admin.newKey(`{"name":"course","expires_at":"2026-05-06T08:08:09Z"}`)
	h.as(k.Secret).do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)
	offset.Store(int64(time.Hour))
	p := into[web.Problem](h.as(k.Secret).do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized))
	if !strings.Contains(p.Detail, "expired at 2026-05-06T08:08:09Z") {
		t.Errorf("it says %q", p.Detail)
	}
	if list := into[web.KeyList](admin.do(http.MethodGet, "/v1/keys", "")); list.Keys[0].State != "expired" {
		t.Errorf("%+v", list)
	}
	// A new one lasts as long as the old one was made for.
	again := into[web.NewKey](admin.do(http.MethodPost, "/v1/keys/"+k.ID+"/rotate", "").want(http.StatusCreated))
	if !again.ExpiresAt.Equal(start.Add(2 * time.Hour)) {
		t.Errorf("%+v", again)
	}
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	h := setup(t, func(o *web.Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) } })
	works := func(k web.NewKey, want int) {
		t.Helper()
		h.as(k.Secret).do(http.MethodGet, "/v1/languages", "").want(want)
	}
	first := h.newKey(`{"name":"root","roles":["admin"],"rate":100}`)
	second := into[web.NewKey](h.as(first.Secret).do(http.MethodPost, "/v1/keys/"+first.ID+"/rotate", "").want(http.StatusCreated))
	if second.Name != "root" || second.Rate != 100 || len(second.Roles) != 1 || second.ID == first.ID || second.Secret == first.Secret {
		t.Errorf("%+v became %+v", first, second)
	}
	works(first, http.StatusUnauthorized)
	third := into[web.NewKey](h.as(second.Secret).do(http.MethodPost, "/v1/keys/"+second.ID+"/rotate", `{"overlap_seconds":60}`).want(http.StatusCreated))
	works(second, http.StatusOK)
	works(third, http.StatusOK)
	// In a minute it would be the only one.
	p := h.as(third.Secret).do(http.MethodDelete, "/v1/keys/"+third.ID, "").want(http.StatusConflict)
	if !strings.Contains(string(p.Body), "that does not expire") {
		t.Errorf("%s", p.Body)
	}
	offset.Store(int64(61 * time.Second))
	works(second, http.StatusUnauthorized)
	works(third, http.StatusOK)
}

func TestKeysHostile(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed).as("root-key")
	for _, body := range []string{
		`{}`, `{"name":""}`, `{"name":"A"}`, `{"name":"a b"}`, `{"name":"../x"}`, `{"name":"a\u0000"}`, `{"name":"` + strings.Repeat("a", 64) + `"}`,
		`{"name":"a","roles":[]}`, `{"name":"a","roles":["owner"]}`, `{"name":"a","roles":["read","read"]}`, `{"name":"a","roles":"read"}`,
		`{"name":"a","rate":-1}`, `{"name":"a","rate":1e9}`, `{"name":"a","expires_at":"soon"}`, `{"name":"a","expires_at":"2020-01-01T00:00:00Z"}`,
		`{"name":"a","expires_at":"9999-01-01T00:00:00Z"}`, `{"name":"a","hash":"00"}`, `{"name":"a","secret":"mine"}`,
	} {
		h.do(http.MethodPost, "/v1/keys", body).want(http.StatusUnprocessableEntity).faults()
	}
	for _, body := range []string{"", `{"name":"a","name":"b"}`, "[", "\xff", strings.Repeat("[", 1000)} {
		if a := h.do(http.MethodPost, "/v1/keys", body); a.Status != http.StatusBadRequest && a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q gives %d: %s", body, a.Status, a.Body)
		}
	}
	h.do(http.MethodPost, "/v1/keys", `{"name":"a"}`, "Content-Type", "text/plain").want(http.StatusUnsupportedMediaType)
	for _, id := range []string{"%00", "..%2f..%2fetc", "k-%ff", strings.Repeat("x", 300)} {
		if a := h.do(http.MethodDelete, "/v1/keys/"+id, ""); a.Status != http.StatusNotFound && a.Status != http.StatusUnprocessableEntity {
			t.Errorf("DELETE %s gives %d: %s", id, a.Status, a.Body)
		}
	}
	k := h.newKey(`{"name":"a"}`)
	for _, body := range []string{`{"overlap_seconds":-1}`, `{"overlap_seconds":1e300}`, `{"overlap":1}`} {
		h.do(http.MethodPost, "/v1/keys/"+k.ID+"/rotate", body).want(http.StatusUnprocessableEntity).faults()
	}
	if list := into[web.KeyList](h.do(http.MethodGet, "/v1/keys", "")); len(list.Keys) != 1 || list.Keys[0].ID != k.ID {
		t.Errorf("refused requests have made %+v", list)
	}
	h.store.SetFailure(store.ErrUnavailable)
	h.do(http.MethodPost, "/v1/keys", `{"name":"b"}`).want(http.StatusServiceUnavailable).faults()
	h.do(http.MethodDelete, "/v1/keys/"+k.ID, "").want(http.StatusServiceUnavailable).faults()
	h.do(http.MethodPost, "/v1/keys/"+k.ID+"/rotate", "").want(http.StatusServiceUnavailable).faults()
}

func TestRequiredKeysNeverOpenAServer(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.RequireKeys = true })
	h.do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized)
	h.do(http.MethodPost, "/v1/keys", `{"name":"root","roles":["admin"]}`).want(http.StatusUnauthorized)
}

// What another process does to the keys of the store holds here too, without a request.
func TestKeysOfOtherServers(t *testing.T) {
	t.Parallel()
	here, there := setup(t, keyed), setup(t, keyed)
	told := &log{}
	o := web.Options{Store: there.store, Log: zerolog.New(told), Now: time.Now, Catalogue: webtest.Catalogue{}}
	keyed(&o)
	first, err := web.New(o)
	must(t, err)
	here.store, here.srv = there.store, first
	s := web.NewSwitch(first)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.FollowKeys(ctx) }()
	until := func(k web.NewKey, want int) {
		t.Helper()
		for here.as(k.Secret).do(http.MethodGet, "/v1/queues", "").Status != want {
			if t.Context().Err() != nil {
				t.Fatalf("the key never gives %d", want)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	k := there.as("root-key").newKey(`{"name":"course"}`)
	until(k, http.StatusOK)
	there.as("root-key").do(http.MethodDelete, "/v1/keys/"+k.ID, "").want(http.StatusNoContent)
	until(k, http.StatusUnauthorized)
	// While the store does not answer, what was read last holds; then it is read again.
	k = there.as("root-key").newKey(`{"name":"course"}`)
	until(k, http.StatusOK)
	must(t, s.To(o)) // the next server has the same keys
	there.store.SetFailure(errors.New("away"))
	for !strings.Contains(told.String(), "cannot be read") && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	here.as(k.Secret).do(http.MethodGet, "/openapi.json", "").want(http.StatusOK)
	there.store.SetFailure(nil)
	until(k, http.StatusOK)
	cancel()
	<-ended
}
