package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"optimus/web"
)

// patience is how long a test waits for what must come at some time: no figure, only an end.
const patience = time.Minute

// hurried has a server give up on clients soon.
func hurried(o *web.Options) {
	o.Timeouts = web.Timeouts{
		ReadHeader: 300 * time.Millisecond, Read: 500 * time.Millisecond, Write: 500 * time.Millisecond, Idle: 500 * time.Millisecond,
	}
}

// wire is a client's bare connection.
type wire struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, base string) *wire {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return &wire{t: t, Conn: c, in: bufio.NewReader(c)}
}

// say writes; the server may have hung up meanwhile.
func (w *wire) say(text string) *wire {
	_, _ = io.WriteString(w, text)
	return w
}

// next reads an answer, and gives 0 where the server has closed the connection without one.
func (w *wire) next() (status int, closes bool) {
	w.t.Helper()
	a, err := http.ReadResponse(w.in, nil)
	if hungUp(err) {
		return 0, true
	}
	if err != nil {
		w.t.Fatalf("read an answer: %v", err)
	}
	if _, err := io.Copy(io.Discard, a.Body); err != nil && !hungUp(err) {
		w.t.Fatalf("read an answer's body: %v", err)
	}
	must(w.t, a.Body.Close())
	return a.StatusCode, a.Close
}

// ends checks that the server closes the connection.
func (w *wire) ends() {
	w.t.Helper()
	if _, err := io.Copy(io.Discard, w.in); err != nil && !hungUp(err) {
		w.t.Errorf("the connection is still open: %v", err)
	}
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// serves checks that another client is answered.
func serves(t *testing.T, base string) {
	t.Helper()
	if status, _ := dial(t, base).say("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n").next(); status != http.StatusOK {
		t.Errorf("another client got status %d", status)
	}
}

// post is a request to submit a job, with these headers beside the usual.
func post(headers, body string) string {
	return "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers + "\r\n" + body
}

func TestSlowClients(t *testing.T) {
	t.Parallel()
	base := setup(t, hurried).listen()
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hello))
	for name, text := range map[string]string{
		"a header byte by byte": "GET /version HTTP/1.1\r\nHost: localhost\r\nX-Long: " + strings.Repeat("a", 30<<10),
		"a body byte by byte":   post(length, strings.Repeat(" ", len(hello)-1)),
		"nothing at all":        "",
		"no body":               post(length, ""),
		"a chunk and no more":   post("Transfer-Encoding: chunked\r\n", "5\r\n{\"lan"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, base)
			done := make(chan struct{})
			defer func() { <-done }()
			go func() {
				defer close(done)
				head, rest, _ := strings.Cut(text, "\r\n\r\n")
				if rest != "" {
					c.say(head + "\r\n\r\n")
					text = rest
				}
				for i := range len(text) {
					if _, err := io.WriteString(c, text[i:i+1]); err != nil {
						return // it hung up
					}
					time.Sleep(5 * time.Millisecond) // it is a slow client
				}
			}()
			serves(t, base)
			switch status, closes := c.next(); {
			case !closes, status != 0 && status != http.StatusRequestTimeout && status != http.StatusBadRequest:
				t.Errorf("status %d, closes: %v", status, closes)
			}
			c.ends()
			serves(t, base)
		})
	}
}

// TestAClientThatDoesNotRead asks for far more than the sockets hold and never reads.
func TestAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	base := setup(t, hurried).listen()
	c := dial(t, base)
	ask := strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 10_000)
	var err error
	for err == nil {
		_, err = io.WriteString(c, ask)
	}
	if !hungUp(err) {
		t.Errorf("asking ended with %v, not because the server hung up", err)
	}
	serves(t, base)
}

func TestLargeRequests(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) {
		o.Limits.Body = 1 << 20
		o.Timeouts.Idle = 500 * time.Millisecond
	})
	base := h.listen()
	for name, c := range map[string]struct {
		head, repeat string
		want         int
	}{
		"one huge header":      {"GET /version HTTP/1.1\r\nHost: localhost\r\nX-Long: ", "aaaaaaaaaaaaaaaa", http.StatusRequestHeaderFieldsTooLarge},
		"many headers":         {"GET /version HTTP/1.1\r\nHost: localhost\r\n", "X-Short: a\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a huge target":        {"GET /", "aaaaaaaaaaaaaaaa", http.StatusRequestHeaderFieldsTooLarge},
		"an announced body":    {post("Content-Length: 1099511627776\r\n", ""), "aaaaaaaaaaaaaaaa", http.StatusRequestEntityTooLarge},
		"an endless body":      {post("Transfer-Encoding: chunked\r\n", ""), "10\r\naaaaaaaaaaaaaaaa\r\n", http.StatusRequestEntityTooLarge},
		"endless chunk header": {post("Transfer-Encoding: chunked\r\n", "1;"), "aaaaaaaaaaaaaaaa", http.StatusBadRequest},
		"a deep body":          {post(fmt.Sprintf("Content-Length: %d\r\n", 1<<20), ""), "[[[[[[[[[[[[[[[[", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, base)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				client.say(c.head)
				block := strings.Repeat(c.repeat, 1024)
				for range 4096 {
					if _, err := io.WriteString(client, block); err != nil {
						return
					}
				}
			}()
			// A server that hangs up on who still writes may take its answer with it.
			if status, _ := client.next(); status != 0 && status != c.want {
				t.Errorf("status %d, want %d", status, c.want)
			}
			client.ends()
			<-sent
			serves(t, base)
		})
	}
	if n := h.store.Jobs(); n != 0 {
		t.Errorf("%d jobs were made", n)
	}
}

// TestTwoWaysToReadARequest sends what a proxy before the server may read otherwise than the server.
// What follows such a request must not be answered as a request of its own.
func TestTwoWaysToReadARequest(t *testing.T) {
	t.Parallel()
	base := setup(t, hurried).listen()
	const smuggled = "GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, text := range map[string]string{
		"both lengths":              post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		"both lengths, other order": post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
		"two lengths":               post("Content-Length: 0\r\nContent-Length: 5\r\n", ""),
		"a list of lengths":         post("Content-Length: 0, 5\r\n", ""),
		"a signed length":           post("Content-Length: +0\r\n", ""),
		"a negative length":         post("Content-Length: -1\r\n", ""),
		"a length too large":        post("Content-Length: 99999999999999999999\r\n", ""),
		"two encodings":             post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
		"a list of encodings":       post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
		"an unknown encoding":       post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
		"an encoding with a space":  post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
		"a folded header":           post("X: a\r\n Transfer-Encoding: chunked\r\nContent-Length : 3\r\n", ""),
		"a chunk size with a sign":  post("Transfer-Encoding: chunked\r\n", "+0\r\n\r\n"),
		"a chunk size too large":    post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n\r\n"),
		"an encoding in HTTP/1.0":   "POST /v1/jobs HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a bare carriage return":    "GET /version HTTP/1.1\rHost: localhost\r\n\r\n",
		"a NUL in a header":         "GET /version HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
		"no host":                   "GET /version HTTP/1.1\r\n\r\n",
		"two hosts":                 "GET /version HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
		"the other protocol":        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"no protocol":               "GET /version\r\n\r\n",
		"not HTTP":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, base).say(text + smuggled)
			if status, _ := c.next(); status != 0 && (status < 400 || status > 501) {
				t.Errorf("status %d", status)
			}
			if status, _ := c.next(); status == http.StatusOK {
				t.Error("what followed was taken for a request")
			}
		})
	}
	serves(t, base)
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	h := setup(t)
	c := dial(t, h.listen())
	const many = 200
	go func() {
		for i := range many {
			if i%2 == 0 {
				c.say("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
			} else {
				c.say(post(fmt.Sprintf("Content-Length: %d\r\n", len(hello)), hello))
			}
		}
	}()
	for i := range many {
		want := []int{http.StatusOK, http.StatusAccepted}[i%2]
		if status, _ := c.next(); status != want {
			t.Fatalf("answer %d has status %d, want %d", i, status, want)
		}
	}
	if n := h.store.Jobs(); n != many/2 {
		t.Errorf("%d jobs were made, want %d", n, many/2)
	}
}

// TestHostileBodies has what JSON's many readers read in many ways, and names that lead out of a folder.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	h := setup(t)
	base := h.listen()
	bodies := []string{
		"{\"language\":\"python\",\"source_code\":\"\xff\xfe\"}", "{\"language\":\"python\",\"source_code\":\"\xed\xa0\x80\"}", "\xef\xbb\xbf" + hello,
		`{"language":"python","source_code":"x","source_code":"y"}`, `{"language":"python","source_code":"x","LANGUAGE":"cpp"}`,
		`{"language":"python","source_code":"x","tests":[{"weight":1,"weight":1e9}]}`, `{"language":"python","source_code":"\ud800"}`,
		hello + hello, hello + "x", "NaN", `{"language":"python","source_code":"x","priority":NaN}`,
		strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<18), `{"language":"python","source_code":"x","priority":` + strings.Repeat("9", 1<<16) + "}",
	}
	for _, number := range []string{"1e400", "-1e400", "9223372036854775808", "-9223372036854775809", "1e19", "0.1", "01", "1.", "0x10", "1e-400"} {
		bodies = append(bodies, `{"language":"python","source_code":"x","priority":`+number+"}",
			`{"language":"python","source_code":"x","limits":{"memory_bytes":`+number+"}}")
	}
	for _, name := range []string{
		"../x", "/etc/passwd", "a/../../x", "a//b", "./x", "x/", "..", "", "-x", "a/-rf", `a\u0000b`, `a\nb`, `\u007f`,
		strings.Repeat("d/", 17) + "x", strings.Repeat("n", 256),
	} {
		bodies = append(bodies, `{"language":"python","files":[{"name":"main.py","content":""},{"name":"`+name+`","content":"x"}]}`)
	}
	for _, body := range bodies {
		status, _ := dial(t, base).say(post(fmt.Sprintf("Content-Length: %d\r\n", len(body)), body)).next()
		if status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
			t.Errorf("status %d for %.200q", status, body)
		}
	}
	if n := h.store.Jobs(); n != 0 {
		t.Errorf("%d jobs were made", n)
	}
}

// settles waits until what is counted is no more than most.
func settles(t *testing.T, what string, most int, count func() int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for n := count(); n > most; n = count() {
		if time.Now().After(deadline) {
			t.Fatalf("%d %s are left, want at most %d", n, what, most)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestManyIdleClients holds 1,000 event streams open, and then breaks as many requests that wait.
func TestManyIdleClients(t *testing.T) { //nolint:paralleltest // it counts goroutines and memory
	const many, goroutinesEach, bytesEach = 1000, 3, 64 << 10
	h := setup(t)
	base := h.listen()
	id := h.submit(hello).String()
	serves(t, base)
	goroutines, memory := runtime.NumGoroutine(), heap()
	for name, text := range map[string]string{ //nolint:paralleltest // see above
		"streams": "GET /v1/jobs/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"waits":   "GET /v1/jobs/" + id + "?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			clients := make([]*wire, many)
			for i := range clients {
				clients[i] = dial(t, base).say(text)
			}
			if name == "streams" {
				for _, c := range clients {
					line, err := c.in.ReadString('\n')
					if err != nil || !strings.Contains(line, "200") {
						t.Fatalf("a stream began with %q, %v", line, err)
					}
				}
			}
			serves(t, base)
			if n := (runtime.NumGoroutine() - goroutines) / many; n > goroutinesEach {
				t.Errorf("each client takes %d goroutines, want at most %d", n, goroutinesEach)
			}
			if n := (heap() - memory) / many; n > bytesEach {
				t.Errorf("each client takes %d bytes, want at most %d", n, bytesEach)
			}
			for _, c := range clients {
				must(t, c.Close())
			}
			settles(t, "goroutines", goroutines+20, runtime.NumGoroutine)
			settles(t, "watches", 0, func() int { return h.store.Watchers(mustID(t, id)) })
			serves(t, base)
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse) //nolint:gosec // far below
}

// TestRandomRequestsOverTheWire sends requests made from the OpenAPI document, some cut short, from
// several clients at once.
func TestRandomRequestsOverTheWire(t *testing.T) {
	t.Parallel()
	h := setup(t, hurried)
	base, doc, seed := h.listen(), document(h), seedOf(t)
	ended := h.submit(hello)
	must(t, h.store.Finish(ended, accepted()))
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			g := &garbler{
				Rand: rand.New(rand.NewPCG(seed, uint64(n))), schemas: doc.Components.Schemas, //nolint:gosec // a repeatable test
				ids: []string{ended.String(), "default", "%2e%2e%2fx", "0190a6d2-7f3c-8000-8000-5b2d1c0e9a47"},
			}
			for range 15 {
				for path, item := range doc.Paths {
					for method, op := range item {
						h.overTheWire(client, base, g, method, path, op)
					}
				}
			}
		})
	}
	group.Wait()
	serves(t, base)
}

func (h *harness) overTheWire(client *http.Client, base string, g *garbler, method, path string, op operation) {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	r := g.request(ctx, method, path, op)
	target := base + r.URL.RequestURI()
	out, err := http.NewRequestWithContext(ctx, r.Method, target, r.Body)
	if err != nil {
		return // no client can send that
	}
	out.Header = r.Header
	cut := g.IntN(8) == 0
	if cut {
		time.AfterFunc(time.Duration(g.IntN(3000))*time.Microsecond, cancel)
	}
	a, err := client.Do(out)
	if err != nil {
		if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
			h.t.Errorf("%s %s hangs", r.Method, target)
		}
		return // cut, or of a form that the client does not send
	}
	defer func() { _ = a.Body.Close() }()
	body, err := io.ReadAll(a.Body)
	if a.StatusCode >= http.StatusInternalServerError && a.StatusCode != http.StatusNotImplemented {
		h.t.Errorf("%s %s: %d %s", r.Method, target, a.StatusCode, body)
	}
	if err == nil && a.StatusCode >= http.StatusBadRequest && !json.Valid(body) {
		h.t.Errorf("%s %s: %d with what is no JSON: %q", r.Method, target, a.StatusCode, body)
	}
}
