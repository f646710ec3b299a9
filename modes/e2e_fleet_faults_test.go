package modes

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"optimus/store/storetest/redistest"
)

// line stands between a fleet and its queue's server.
type line struct {
	*toxiproxy.Proxy
	server *toxiproxy.ApiServer
}

func newLine(t *testing.T, s *redistest.Server) *line {
	t.Helper()
	l := &line{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())}
	l.Proxy = toxiproxy.NewProxy(l.server, "queue", "127.0.0.1:0", s.Addr)
	l.start(t)
	t.Cleanup(func() { l.Stop() })
	return l
}

func (l *line) start(t *testing.T) {
	t.Helper()
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
}

// poison makes the line bad.
func (l *line) poison(t *testing.T, toxics ...string) {
	t.Helper()
	for i, toxic := range toxics {
		if _, err := l.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name": "%d", %s}`, i, toxic))); err != nil {
			t.Fatal(err)
		}
	}
}

// cure makes it good again.
func (l *line) cure(t *testing.T, toxics ...string) {
	t.Helper()
	for i := range toxics {
		if err := l.Toxics.RemoveToxic(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// renew cuts the line, and has another with these toxics: of several that are chained none can be taken
// away, once one has ended a connection.
func (l *line) renew(t *testing.T, toxics ...string) {
	t.Helper()
	l.Stop()
	l.Proxy = toxiproxy.NewProxy(l.server, "queue", l.Listen, l.Upstream)
	l.poison(t, toxics...)
	l.start(t)
}

// lossy ends connections for a while at random places, most of them in the midst of a message, which
// comes in small pieces.
func (l *line) lossy(t *testing.T, r *rand.Rand, lasts time.Duration) {
	t.Helper()
	const most, each = 20_000, 500 * time.Millisecond
	for range lasts / each {
		var toxics []string
		for _, way := range []string{"upstream", "downstream"} {
			toxics = append(toxics, fmt.Sprintf(`"type": "slicer", "stream": %q, "attributes": {"average_size": 500, "size_variation": 100, "delay": 100}`, way),
				fmt.Sprintf(`"type": "limit_data", "stream": %q, "toxicity": 0.7, "attributes": {"bytes": %d}`, way, r.IntN(most)))
		}
		l.renew(t, append(toxics, fmt.Sprintf(`"type": "reset_peer", "stream": "upstream", "toxicity": 0.3, "attributes": {"timeout": %d}`, r.IntN(200)))...)
		time.Sleep(each)
	}
	l.renew(t)
}

// testFleetBadLine has the line to the queue slow, cut, deaf in each direction, and lossy, while jobs
// stream: none is lost or reported twice.
func testFleetBadLine(t *testing.T, l *lab) {
	const lasts = 3 * time.Second // beyond a lease
	r := chance(t)
	queue := redistest.OnPort(t)
	p := newLine(t, queue)
	f := newFleet(l, "redis://"+p.Listen, "OPTIMUS_WORKER_LEASE=2s")
	server, worker := f.api(t), f.work(t)
	st := newStream(t)
	st.outages = true
	st.server.Store(server.api)
	for _, toxics := range [][]string{
		{
			`"type": "latency", "stream": "downstream", "attributes": {"latency": 200, "jitter": 50}`,
			`"type": "latency", "stream": "upstream", "attributes": {"latency": 200, "jitter": 50}`,
		},
		{`"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}`},
		{`"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}`},
		{`"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 100}`},
		{`"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 2000}`},
	} {
		p.poison(t, toxics...)
		time.Sleep(lasts)
		p.cure(t, toxics...)
		server.untilReadiness(t, http.StatusOK)
	}
	p.lossy(t, r, lasts)
	server.untilReadiness(t, http.StatusOK)
	p.Stop()
	server.untilReadiness(t, http.StatusServiceUnavailable)
	time.Sleep(lasts)
	p.start(t)
	st.end(t, server)
	worker.stop(t)
	server.stop(t)
	f.redis.URL = queue.URL
	st.check(t, f.kept(t), 0)
}
