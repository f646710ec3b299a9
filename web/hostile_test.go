package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"optimus/sandbox"
	"optimus/web"
)

// TestHeadIsGetWithoutABody over a real connection, where a body would be taken for the next answer.
func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	h := setup(t)
	base := h.listen()
	id := h.submit(hello).String()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	must(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for _, c := range []struct {
		path, contentType string
		status            int
	}{
		{"/health", "application/json", http.StatusOK},
		{"/", "text/html; charset=utf-8", http.StatusOK},
		{"/docs", "text/html; charset=utf-8", http.StatusOK},
		{"/v1/jobs", "application/json", http.StatusOK},
		{"/v1/jobs/" + id, "application/json", http.StatusOK},
		{"/v1/jobs/" + id + "/events", "text/event-stream", http.StatusOK}, // of a job that goes on
		{"/job/" + id, "application/json", http.StatusAccepted},
		{"/execute", "application/json", http.StatusMethodNotAllowed},
		{"/nowhere", "application/problem+json", http.StatusNotFound},
	} {
		_, err := io.WriteString(conn, "HEAD "+c.path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		must(t, err)
		res, err := http.ReadResponse(answers, &http.Request{Method: http.MethodHead})
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != c.status || res.Header.Get("Content-Type") != c.contentType {
			t.Errorf("HEAD %s: status %d, type %q", c.path, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	if n := answers.Buffered(); n > 0 {
		t.Errorf("%d bytes follow the last answer", n)
	}
}

func TestAllowedMethods(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello).String()
	for path, allow := range map[string]string{
		"/v1/jobs": "OPTIONS, GET, POST, HEAD", "/v1/jobs/" + id: "OPTIONS, DELETE, GET, HEAD",
		"/v1/batches": "OPTIONS, POST", "/execute": "OPTIONS, POST", "/health": "OPTIONS, GET, HEAD",
	} {
		for method, status := range map[string]int{http.MethodOptions: http.StatusNoContent, http.MethodPut: http.StatusMethodNotAllowed, "BREW": http.StatusMethodNotAllowed} {
			if a := h.do(method, path, "").want(status); a.Header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, a.Header.Get("Allow"), allow)
			}
		}
	}
	for _, path := range []string{"/v1/jobs/", "/v1/", "/v1//jobs", "/v1/jobs/" + id + "/", "/execute/"} {
		if p := into[web.Problem](h.do(http.MethodGet, path, "").want(http.StatusNotFound)); !strings.Contains(p.Detail, "slash") {
			t.Errorf("%s: %s", path, p.Detail)
		}
	}
}

func TestOddIdempotencyKeys(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, given := range [][]string{{""}, {"a", "a"}, {"é"}, {"a\tb"}, {strings.Repeat("k", 256)}} {
		a := h.doAll(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", given)
		a.want(http.StatusUnprocessableEntity).tells("header.Idempotency-Key")
		h.doAll(http.MethodPost, "/v1/batches", `{"jobs":[`+hello+`]}`, "Idempotency-Key", given).
			want(http.StatusUnprocessableEntity).tells("header.Idempotency-Key")
	}
	h.do(http.MethodPost, "/v1/jobs", hello, "Idempotency-Key", strings.Repeat("k", 255)).want(http.StatusAccepted)
}

func TestOddEventPositions(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	must(t, h.store.Start(id))
	must(t, h.store.Finish(id, accepted()))
	path := "/v1/jobs/" + id.String() + "/events"
	for _, position := range []string{"x", "-1", "1.5", " ", "18446744073709551616", strings.Repeat("1", 30)} {
		h.do(http.MethodGet, path, "", "Last-Event-ID", position).want(http.StatusUnprocessableEntity).tells("header.Last-Event-ID")
	}
	h.do(http.MethodGet, path+"?after=-1", "").want(http.StatusUnprocessableEntity).tells("query.after")
	// A position that no event has reached: there is nothing after it, and the stream ends.
	h.do(http.MethodGet, path, "", "Last-Event-ID", "18446744073709551615").want(http.StatusOK)
}

func TestCancelAndDeleteAtOddTimes(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	path := "/v1/jobs/" + id.String()
	conflict := func(method, path, say string) {
		t.Helper()
		if p := into[web.Problem](h.do(method, path, "").want(http.StatusConflict)); p.Code != "conflict" || !strings.Contains(p.Detail, say) {
			t.Errorf("%s %s: %+v", method, path, p)
		}
	}
	conflict(http.MethodDelete, path, "cancel it before")
	conflict(http.MethodPost, path+"/redrive", "only a failed job")
	must(t, h.store.Start(id))
	for range 2 { // to ask twice is to ask
		if job := into[web.Job](h.do(http.MethodPost, path+"/cancel", "").want(http.StatusOK)); !job.CancelRequested {
			t.Errorf("job %+v", job)
		}
	}
	conflict(http.MethodDelete, path, "cancel it before")
	must(t, h.store.Finish(id, sandbox.Report{Verdict: "cancelled"}))
	conflict(http.MethodPost, path+"/cancel", "cancelled")
	h.do(http.MethodDelete, path, "").want(http.StatusNoContent)
	for _, method := range []string{http.MethodDelete, http.MethodGet} {
		h.do(method, path, "").want(http.StatusNotFound).tells()
	}
}
