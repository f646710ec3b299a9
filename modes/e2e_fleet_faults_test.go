package modes

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"optimus/store/storetest/redistest"
)

// startProxy stands between a fleet and its queue's server, and makes the line bad.
func startProxy(t *testing.T, s *redistest.Server) *toxiproxy.Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, "queue", "127.0.0.1:0", s.Addr)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// testFleetBadLine has the line to the queue slow, cut, and deaf in each direction, while jobs stream:
// none is lost or reported twice.
func testFleetBadLine(t *testing.T, l *lab) {
	const lasts = 3 * time.Second // beyond a lease
	queue := redistest.OnPort(t)
	p := startProxy(t, queue)
	f := newFleet(l, "redis://"+p.Listen, "OPTIMUS_WORKER_LEASE=2s")
	server, worker := f.api(t), f.work(t)
	st := newStream(t)
	st.outages = true
	st.server.Store(server.api)
	for _, toxic := range []string{
		`{"name": "x", "type": "latency", "stream": "downstream", "attributes": {"latency": 200, "jitter": 50}}`,
		`{"name": "x", "type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`,
		`{"name": "x", "type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`,
		`{"name": "x", "type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 100}}`,
		`{"name": "x", "type": "limit_data", "stream": "downstream", "attributes": {"bytes": 2000}}`,
	} {
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lasts)
		if err := p.Toxics.RemoveToxic(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		server.untilReadiness(t, http.StatusOK)
	}
	p.Stop()
	server.untilReadiness(t, http.StatusServiceUnavailable)
	time.Sleep(lasts)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	st.end(t, server)
	worker.stop(t)
	server.stop(t)
	f.redis.URL = queue.URL
	st.check(t, f.kept(t), 0)
}

// testFleetClock sets the clock of the queue's server an hour forwards and two back while jobs run: no
// lease ends by it.
func testFleetClock(t *testing.T, l *lab) {
	clock := filepath.Join(t.TempDir(), "clock")
	set := func(offset string) {
		t.Helper()
		if err := os.WriteFile(clock, []byte(offset+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("+0")
	found := l.match(t, "/usr/lib/*/faketime/libfaketimeMT.so.1")
	if len(found) == 0 {
		t.Fatal("there is no libfaketime: apt-get install faketime")
	}
	queue := redistest.Start(t)
	queue.Kill()
	// The C library's malloc goes before redis-server's own, which asks for the time before there is any.
	libc := filepath.Join(filepath.Dir(found[0]), "../libc.so.6")
	queue.Env("LD_PRELOAD="+found[0]+":"+libc, "FAKETIME_TIMESTAMP_FILE="+clock, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1")
	if err := queue.Start(); err != nil {
		t.Fatal(err)
	}
	f := newFleet(l, queue.URL, "OPTIMUS_WORKER_LEASE=2s")
	server, worker := f.api(t), f.work(t)
	for _, offset := range []string{"+1h", "-1h", "+0"} {
		ids := []string{server.submit(t, sleeper(3)), server.submit(t, sleeper(3))}
		server.untilRunning(t, ids...)
		ids = append(ids, server.submit(t, square(1)))
		set(offset)
		for _, id := range ids {
			if job := server.ended(t, id); job.Verdict != "accepted" {
				t.Errorf("with the queue's clock at %s the job is %+v", offset, job)
			}
		}
	}
	worker.stop(t)
	server.stop(t)
	checkOnce(t, f.kept(t))
}
