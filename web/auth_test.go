package web_test

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"optimus/web"
)

func TestKeysAndRoles(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	a := h.do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized)
	if a.faults(); a.Header.Get("Www-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	for _, key := range []string{"alice", "Alice-key", "alice-key-", hashOf("alice-key")} {
		h.as(key).do(http.MethodGet, "/v1/languages", "").want(http.StatusUnauthorized)
	}
	h.do(http.MethodGet, "/v1/languages", "", "X-API-Key", "carol-key").want(http.StatusOK)
	h.do(http.MethodGet, "/v1/languages", "", "Authorization", "bearer carol-key").want(http.StatusOK)
	h.do(http.MethodGet, "/v1/languages", "", "Authorization", "Basic carol-key").want(http.StatusUnauthorized)
	h.do(http.MethodGet, "/v1/languages", "", "Authorization", "Bearer").want(http.StatusUnauthorized)

	h.as("carol-key").do(http.MethodPost, "/v1/jobs", hello).want(http.StatusForbidden).faults()
	h.as("alice-key").do(http.MethodPost, "/v1/queues/default/pause", "").want(http.StatusForbidden).faults()
	h.as("root-key").do(http.MethodPost, "/v1/queues/default/pause", "").want(http.StatusOK)
	for _, public := range []string{"/health", "/ready", "/version", "/", "/docs", "/docs/page.js", "/docs/icon.svg", "/openapi.json"} {
		h.do(http.MethodGet, public, "").want(http.StatusOK)
	}
	h.do(http.MethodGet, "/metrics", "").want(http.StatusUnauthorized)
	h.as("carol-key").do(http.MethodGet, "/metrics", "").want(http.StatusOK)
	open := setup(t, keyed, func(o *web.Options) { o.PublicMetrics = true })
	open.do(http.MethodGet, "/metrics", "").want(http.StatusOK)
	if strings.Contains(h.log.String(), "-key") {
		t.Errorf("a key in the log: %s", h.log)
	}
}

func TestOriginalKeysInItsOwnForm(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	a := h.do(http.MethodPost, "/execute", "{}").want(http.StatusUnauthorized)
	if !strings.HasPrefix(string(a.Body), `{"error":{"code":"UNAUTHORIZED","message":`) {
		t.Errorf("body %s", a.Body)
	}
}

func TestTenantsSeeTheirOwn(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed)
	alice, bob, root := h.as("alice-key"), h.as("bob-key"), h.as("root-key")
	id := alice.submit(hello).String()
	bob.submit(hello)
	if job := into[web.Job](alice.do(http.MethodGet, "/v1/jobs/"+id, "").want(http.StatusOK)); job.Tenant != "alice" {
		t.Errorf("%+v", job)
	}
	root.do(http.MethodGet, "/v1/jobs/"+id, "").want(http.StatusOK)
	for _, r := range [][2]string{
		{"GET", "/v1/jobs/" + id},
		{"DELETE", "/v1/jobs/" + id},
		{"POST", "/v1/jobs/" + id + "/cancel"},
		{"GET", "/v1/jobs/" + id + "/events"},
		{"GET", "/job/" + id},
		{"POST", "/job/" + id + "/cancel"},
	} {
		bob.do(r[0], r[1], "").want(http.StatusNotFound)
	}
	count := func(h *harness, query string) int {
		return len(into[web.JobList](h.do(http.MethodGet, "/v1/jobs"+query, "").want(http.StatusOK)).Jobs)
	}
	if n := count(alice, ""); n != 1 {
		t.Errorf("alice sees %d jobs", n)
	}
	if all, one := count(root, ""), count(root, "?tenant=bob"); all != 2 || one != 1 {
		t.Errorf("root sees %d jobs, %d of bob", all, one)
	}
	alice.do(http.MethodGet, "/v1/jobs?tenant=bob", "").want(http.StatusForbidden).faults()
	// The same idempotency key of two tenants is two keys.
	a := into[web.Job](alice.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", "k").want(http.StatusAccepted))
	b := into[web.Job](bob.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", "k").want(http.StatusAccepted))
	if a.ID == b.ID {
		t.Error("one job for two tenants")
	}
}

func TestRateLimitWithoutKeys(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.PerMinute = 2 })
	for range 2 {
		h.do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)
	}
	a := h.do(http.MethodGet, "/v1/languages", "").want(http.StatusTooManyRequests)
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.do(http.MethodGet, "/health", "").want(http.StatusOK)
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	start := time.Now()
	h := setup(t, keyed, func(o *web.Options) {
		o.Keys[0].PerMinute = 3
		o.Now = func() time.Time { return start.Add(time.Duration(offset.Load())) }
	}).as("alice-key")
	for range 3 {
		h.do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)
	}
	for range 3 {
		a := h.do(http.MethodGet, "/v1/languages", "").want(http.StatusTooManyRequests)
		if a.faults(); a.Header.Get("Retry-After") != "20" {
			t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
		}
	}
	h.as("bob-key").do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)
	offset.Store(int64(20 * time.Second))
	h.do(http.MethodGet, "/v1/languages", "").want(http.StatusOK)
	h.do(http.MethodGet, "/v1/languages", "").want(http.StatusTooManyRequests)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := web.New(web.Options{Keys: []web.Key{
		{Name: "", Hash: hashOf("a"), Roles: web.Roles()},
		{Name: "b", Hash: "abc", Roles: web.Roles()},
		{Name: "c", Hash: hashOf("c")},
		{Name: "d", Hash: hashOf("d"), Roles: []web.Role{"owner"}},
		{Name: "e", Hash: hashOf("e"), Roles: web.Roles(), PerMinute: -1},
		{Name: "f", Hash: hashOf("f"), Roles: web.Roles()},
		{Name: "g", Hash: hashOf("f"), Roles: web.Roles()},
	}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, say := range []string{"no store", "no catalogue", "no clock", "no name", "64 hex", "no role", `"owner"`, "below 0", "earlier key"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("error does not say %q: %v", say, err)
		}
	}
}

func TestCheckListen(t *testing.T) {
	t.Parallel()
	for addr, ok := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:80": true, "localhost:0": true, "127.9.9.9:1": true, "unix:/run/o.sock": true,
		"[::ffff:127.0.0.1]:1": true,
		":8080":                false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "example.org:80": false, "8080": false, "": false,
	} {
		if err := web.CheckListen(addr, 0); (err == nil) != ok {
			t.Errorf("%q without keys: %v", addr, err)
		}
	}
	if err := web.CheckListen("0.0.0.0:80", 1); err != nil {
		t.Error(err)
	}
	if err := web.CheckListen("0.0.0.0:80", 0); !strings.Contains(err.Error(), "[[keys]]") {
		t.Errorf("does not say what to configure: %v", err)
	}
}

func TestNamesThatLeadHere(t *testing.T) {
	t.Parallel()
	open, closed := setup(t), setup(t, keyed).as("alice-key")
	for host, want := range map[string]int{
		"127.0.0.1:8080": http.StatusOK, "[::1]:8080": http.StatusOK, "[::1]": http.StatusOK, "192.0.2.7": http.StatusOK,
		"localhost": http.StatusOK, "LOCALHOST.:8080": http.StatusOK, "optimus.localhost:8080": http.StatusOK, "": http.StatusOK,
		"evil.example": http.StatusForbidden, "evil.example:8080": http.StatusForbidden, "127.0.0.1.evil.example": http.StatusForbidden,
		"localhost.evil.example": http.StatusForbidden, "notlocalhost": http.StatusForbidden, "[evil.example]:8080": http.StatusForbidden,
	} {
		// As a page that was loaded by this name asks: of one origin with the server.
		open.do(http.MethodGet, "/v1/jobs", "", "Host", host).want(want)
		closed.do(http.MethodGet, "/v1/jobs", "", "Host", host).want(http.StatusOK)
	}
	open.do(http.MethodPost, "/v1/jobs", hello, "Host", "evil.example", "Origin", "http://evil.example").want(http.StatusForbidden).faults()
	open.do(http.MethodPost, "/v1/keys", `{"name":"a","roles":["admin"]}`, "Host", "evil.example").want(http.StatusForbidden).faults()
	open.do(http.MethodPost, "/execute", hello, "Host", "evil.example").want(http.StatusForbidden)
	open.do(http.MethodGet, "/", "", "Host", "evil.example").want(http.StatusOK) // it is the same for everyone

	// A socket has no name: clients make one up.
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "o.sock")) //nolint:noctx // it is there at once
	must(t, err)
	server := &http.Server{Handler: open.srv.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", listener.Addr().String())
	}}}
	res, err := client.Get("http://optimus/v1/jobs") //nolint:noctx // the test's own server
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("by a socket the answer is %s", res.Status)
	}
}

func TestWebPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		h := setup(t)
		h.do(http.MethodPost, "/v1/jobs", hello, header...).want(http.StatusForbidden).faults()
		h.do(http.MethodPost, "/v1/queues/default/pause", "", header...).want(http.StatusForbidden).faults()
		h.do(http.MethodPost, "/execute", hello, header...).want(http.StatusForbidden)
		h.do(http.MethodGet, "/v1/jobs", "", header...).want(http.StatusOK) // the browser shows it to nobody
		setup(t, keyed).as("alice-key").do(http.MethodPost, "/v1/jobs", hello, header...).want(http.StatusAccepted)
	}
	setup(t).do(http.MethodPost, "/v1/jobs", hello, "Sec-Fetch-Site", "same-origin").want(http.StatusAccepted)
}
