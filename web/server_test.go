package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

// event is one server-sent event as a client reads it.
type event struct{ id, typ, data string }

// stream is an answer that is still being written.
type stream struct {
	status      int
	contentType string
	body        io.Reader
}

// open makes a GET request to a running server; its answer is closed with the test.
func (h *harness) open(url string) stream {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, url, http.NoBody)
	must(h.t, err)
	res, err := http.DefaultClient.Do(req)
	must(h.t, err)
	h.t.Cleanup(func() { _ = res.Body.Close() })
	return stream{status: res.StatusCode, contentType: res.Header.Get("Content-Type"), body: res.Body}
}

// readEvents reads a stream to its end, or until stop says so.
func readEvents(r io.Reader, stop func(event) bool) (events []event) {
	var e event
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.typ = value
		case "data":
			e.data = value
		case "":
			if lines.Text() != "" || e == (event{}) {
				continue
			}
			events = append(events, e)
			if stop(e) {
				return events
			}
			e = event{}
		}
	}
	return events
}

func never(event) bool { return false }

func types(events []event) (out []string) {
	for _, e := range events {
		out = append(out, e.typ)
	}
	return out
}

func TestEvents(t *testing.T) {
	t.Parallel()
	h := setup(t)
	base := h.listen()
	id := h.submit(hello)
	res := h.open(base + "/v1/jobs/" + id.String() + "/events")
	if res.contentType != "text/event-stream" {
		t.Fatalf("content type %q", res.contentType)
	}
	first := readEvents(res.body, func(event) bool { return true })
	if !strings.HasSuffix(first[0].data, `,"state":"queued"}`) || first[0].id != "1" {
		t.Fatalf("first event: %+v", first)
	}
	must(t, h.store.Start(id))
	must(t, h.store.Emit(id, store.EventCompiled, sandbox.Outcome{ExitCode: 0}))
	must(t, h.store.Emit(id, store.EventOutput, store.OutputData{Test: "1", Stream: sandbox.Stdout, Data: []byte("\xff")}))
	must(t, h.store.Emit(id, store.EventRestart, store.RestartData{Test: "1"}))
	must(t, h.store.Emit(id, store.EventTest, accepted().Tests[0]))
	must(t, h.store.Finish(id, accepted()))
	rest := readEvents(res.body, never)
	if got := types(rest); !slices.Equal(got, []string{"state", "compiled", "output", "restart", "test", "state"}) {
		t.Fatalf("events: %v", got)
	}
	for _, e := range rest {
		var at web.EventTime
		must(t, json.Unmarshal([]byte(e.data), &at))
		if at.Time.IsZero() {
			t.Errorf("%s has no time: %s", e.typ, e.data)
		}
	}
	if !strings.HasSuffix(rest[2].data, `,"test":"1","stream":"stdout","data":"/w==","encoding":"base64"}`) {
		t.Errorf("output: %s", rest[2].data)
	}
	if !strings.HasSuffix(rest[3].data, `,"test":"1"}`) {
		t.Errorf("restart: %s", rest[3].data)
	}
	var last web.StateEvent
	must(t, json.Unmarshal([]byte(rest[5].data), &last))
	if last.State != "completed" || last.Verdict != "accepted" {
		t.Errorf("last: %+v", last)
	}
	eventually(t, func() bool { return h.store.Watchers(id) == 0 })
}

func TestEventsGoOn(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	path := "/v1/jobs/" + id.String() + "/events"
	must(t, h.store.Start(id))
	must(t, h.store.Finish(id, accepted()))
	for _, a := range []*answer{h.do(http.MethodGet, path, "", "Last-Event-ID", "2"), h.do(http.MethodGet, path+"?after=2", "")} {
		events := readEvents(bytes.NewReader(a.want(http.StatusOK).Body), never)
		if len(events) != 1 || events[0].id != "3" {
			t.Errorf("events after 2: %+v", events)
		}
	}
	// A job that ended long ago has no events any more: the stream ends all the same.
	must(t, h.store.DropEvents(id))
	if events := readEvents(bytes.NewReader(h.do(http.MethodGet, path, "").want(http.StatusOK).Body), never); len(events) != 0 {
		t.Errorf("events: %+v", events)
	}
	h.do(http.MethodGet, path, "", "Last-Event-ID", "x").want(http.StatusUnprocessableEntity).faults()
	h.do(http.MethodGet, "/v1/jobs/nope/events", "").want(http.StatusUnprocessableEntity).faults()
}

func TestEventsOfARedrivenJobDoNotEndAtItsFirstEnd(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	must(t, h.store.Start(id))
	must(t, h.store.Bury(id, "broke"))
	_, err := h.store.Redrive(t.Context(), id)
	must(t, err)
	done := make(chan *answer)
	go func() { done <- h.do(http.MethodGet, "/v1/jobs/"+id.String()+"/events", "") }()
	eventually(t, func() bool { return h.store.Watchers(id) == 1 })
	must(t, h.store.Start(id))
	must(t, h.store.Finish(id, accepted()))
	events := readEvents(bytes.NewReader((<-done).Body), never)
	if n := len(events); n != 6 || !strings.Contains(events[n-1].data, "completed") {
		t.Errorf("events: %+v", events)
	}
}

func TestHeartbeatAndTimeouts(t *testing.T) {
	t.Parallel()
	// Streams and waits outlive the server's read and write timeouts.
	h := setup(t, func(o *web.Options) {
		o.Timeouts = web.Timeouts{Read: 150 * time.Millisecond, Write: 150 * time.Millisecond, Heartbeat: 50 * time.Millisecond}
	})
	base := h.listen()
	id := h.submit(hello)
	res := h.open(base + "/v1/jobs/" + id.String() + "/events")
	waited := make(chan string, 1)
	go func() {
		res := h.open(base + "/v1/jobs/" + id.String() + "?wait=30s")
		b, _ := io.ReadAll(res.body)
		waited <- string(b)
	}()
	beats := 0
	lines := bufio.NewScanner(res.body)
	for lines.Scan() {
		if lines.Text() == ": still here" {
			if beats++; beats == 8 {
				break
			}
		}
	}
	if beats < 8 {
		t.Fatalf("the stream ended after %d heartbeats: %v", beats, lines.Err())
	}
	must(t, h.store.Start(id))
	must(t, h.store.Finish(id, accepted()))
	if events := readEvents(res.body, never); len(events) != 2 {
		t.Errorf("events: %+v", events)
	}
	if got := <-waited; !strings.Contains(got, `"state":"completed"`) {
		t.Errorf("waited: %s", got)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	h := setup(t)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.srv.Serve(ctx, l) }()
	base := "http://" + l.Addr().String()
	id := h.submit(hello)
	stream := h.open(base + "/v1/jobs/" + id.String() + "/events")
	readEvents(stream.body, func(event) bool { return true })
	waited := make(chan int, 1)
	go func() { waited <- h.open(base + "/v1/jobs/" + id.String() + "?wait=30s").status }()
	eventually(t, func() bool { return h.store.Watchers(id) == 2 })
	stop()
	must(t, <-served)
	if readEvents(stream.body, never) != nil {
		t.Error("events after the stop")
	}
	if status := <-waited; status != http.StatusOK {
		t.Errorf("a waiting request got %d", status)
	}
	if a := h.do(http.MethodGet, "/ready", "").want(http.StatusServiceUnavailable); !strings.Contains(string(a.Body), "stopping") {
		t.Errorf("ready: %s", a.Body)
	}
	if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	h := setup(t)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	if err := h.srv.Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// raw sends bytes to a running server and gives what comes back until it closes.
func raw(t *testing.T, base string, pieces ...string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	for _, p := range pieces {
		if _, err := io.WriteString(conn, p); err != nil {
			break // the server has closed already
		}
	}
	b, _ := io.ReadAll(conn)
	return string(b)
}

func TestHostileConnections(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) {
		o.Timeouts = web.Timeouts{ReadHeader: 200 * time.Millisecond, Read: 300 * time.Millisecond, Idle: 200 * time.Millisecond}
		o.Limits.Body = 1000
	})
	base := h.listen()
	post := func(length string) string {
		return "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + length + "\r\n\r\n"
	}
	for name, c := range map[string]struct {
		pieces []string
		want   string
	}{
		"header that never ends": {[]string{"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"}, ""},
		"body that never comes":  {[]string{post("Content-Length: 10"), `{"a"`}, "HTTP/1.1 408"},
		"huge header":            {[]string{"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n"}, "HTTP/1.1 431"},
		"announced huge body":    {[]string{post("Content-Length: 1000000000000")}, "HTTP/1.1 413"},
		"chunked huge body":      {[]string{post("Transfer-Encoding: chunked"), "fffff\r\n" + strings.Repeat("x", 0xfffff) + "\r\n"}, "HTTP/1.1 413"},
		"broken chunk":           {[]string{post("Transfer-Encoding: chunked\r\nConnection: close"), "zz\r\n\r\n"}, "HTTP/1.1 400"},
		"negative length":        {[]string{post("Content-Length: -1")}, "HTTP/1.1 400"},
		"two lengths":            {[]string{post("Content-Length: 3\r\nContent-Length: 4")}, "HTTP/1.1 400"},
		"no host":                {[]string{"GET /v1/jobs HTTP/1.1\r\n\r\n"}, "HTTP/1.1 400"},
		"strange method":         {[]string{"FROB /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"}, "HTTP/1.1 405"},
		"path with NUL":          {[]string{"GET /v1/jobs/%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"}, "HTTP/1.1 422"},
		"path with dots":         {[]string{"GET /docs/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"}, "HTTP/1.1 404"},
		"not HTTP":               {[]string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"}, "HTTP/1.1 400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := raw(t, base, c.pieces...); !strings.HasPrefix(got, c.want) {
				t.Errorf("answer %.300q, want %s", got, c.want)
			}
		})
	}
}

func TestClientThatGoesAwayWhileWaiting(t *testing.T) {
	t.Parallel()
	h := setup(t)
	base := h.listen()
	id := h.submit(hello)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/jobs/"+id.String()+"?wait=30s", http.NoBody)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(t, func() bool { return h.store.Watchers(id) == 1 })
	cancel()
	<-gone
	eventually(t, func() bool { return h.store.Watchers(id) == 0 })
}

func TestManyStreams(t *testing.T) {
	t.Parallel()
	h := setup(t)
	base := h.listen()
	id := h.submit(hello)
	const clients = 100
	done := make(chan int, clients)
	for range clients {
		res := h.open(base + "/v1/jobs/" + id.String() + "/events")
		go func() { done <- len(readEvents(res.body, never)) }()
	}
	must(t, h.store.Finish(id, accepted()))
	for range clients {
		if n := <-done; n != 2 {
			t.Errorf("%d events", n)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	h := setup(t)
	if got := h.do(http.MethodGet, "/health", "", "X-Request-Id", "abc-1.2_3").Header.Get("X-Request-Id"); got != "abc-1.2_3" {
		t.Errorf("id %q", got)
	}
	for _, bad := range []string{"", "a b", "a\"b", strings.Repeat("a", 129), "é"} {
		if got := h.do(http.MethodGet, "/nope", "", "X-Request-Id", bad).Header.Get("X-Request-Id"); got == bad || got == "" {
			t.Errorf("id %q for %q", got, bad)
		}
	}
}

func TestNotFoundAndMethods(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.do(http.MethodGet, "/nope", "").want(http.StatusNotFound).faults()
	a := h.do(http.MethodPut, "/v1/jobs", "{}").want(http.StatusMethodNotAllowed)
	if a.faults(); !strings.Contains(a.Header.Get("Allow"), "POST") {
		t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
	id := store.NewID(time.Now(), 0, 0).String()
	h.do(http.MethodGet, "/v1/jobs/"+id, "").want(http.StatusNotFound).faults()
	h.do(http.MethodGet, "/v1/jobs/x", "").want(http.StatusUnprocessableEntity).faults()
}

// panicking is a catalogue that fails badly.
type panicking struct{ web.Catalogue }

func (panicking) Resolve(string, string) (sandbox.Language, error) { panic("boom") }

func TestPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Catalogue = panicking{o.Catalogue} })
	a := h.do(http.MethodPost, "/v1/jobs", hello).want(http.StatusInternalServerError)
	if a.faults(); strings.Contains(string(a.Body), "boom") {
		t.Errorf("the panic shows: %s", a.Body)
	}
	if !strings.Contains(h.log.String(), "boom") || !strings.Contains(h.log.String(), "server_test.go") {
		t.Errorf("no stack in the log: %s", h.log)
	}
	h.do(http.MethodGet, "/health", "").want(http.StatusOK)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var reason error
	h := setup(t, func(o *web.Options) { o.Ready = func(context.Context) error { return reason } })
	h.do(http.MethodGet, "/ready", "").want(http.StatusOK)
	reason = errors.New("no slot is warm")
	if a := h.do(http.MethodGet, "/ready", "").want(http.StatusServiceUnavailable); !strings.Contains(string(a.Body), "no slot is warm") {
		t.Errorf("%s", a.Body)
	}
	h.do(http.MethodGet, "/health", "").want(http.StatusOK)
	if a := h.do(http.MethodGet, "/version", "").want(http.StatusOK); !strings.Contains(string(a.Body), `"1.2.3"`) {
		t.Errorf("%s", a.Body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	h.do(http.MethodPost, "/v1/jobs", "{}").want(http.StatusUnprocessableEntity)
	h.do(http.MethodPost, "/v1/jobs/"+id.String()+"/cancel", "").want(http.StatusOK)
	h.submit(hello)
	for i := range 20 {
		h.do(http.MethodGet, fmt.Sprintf("/nope/%d", i), "")
		h.do(fmt.Sprintf("M%d", i), "/v1/jobs", "")
	}
	got := string(h.do(http.MethodGet, "/metrics", "").want(http.StatusOK).Body)
	for _, line := range []string{
		`optimus_jobs_submitted_total{language="python"} 2`,
		`optimus_jobs_rejected_total{reason="invalid_request"} 1`,
		`optimus_jobs_cancelled_total{source="v1"} 1`,
		`optimus_api_requests_total{endpoint="/v1/jobs",method="POST",status="202"} 2`,
		`optimus_api_requests_total{endpoint="unmatched",method="GET",status="404"} 20`,
		`optimus_api_requests_total{endpoint="unmatched",method="other",status="405"} 20`,
		`optimus_queue_depth{language="",queue="default"} 1`,
		`optimus_http_request_duration_seconds_count{endpoint="/v1/jobs",method="POST"} 3`,
		`go_goroutines`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s", line)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
