package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
)

// firstRoom is how many bytes of memory a body gets before it has come.
const firstRoom = 64 << 10

// readBody reads a JSON request's body, bounded by most bytes.
func readBody(r *request, most int64) ([]byte, *Problem) {
	if p := checkMediaType(r.http.Header.Get("Content-Type")); p != nil {
		return nil, p
	}
	tooLarge := func() *Problem {
		return newProblem(codeTooLarge, "the body is larger than %d bytes", most).withHeader("Connection", "close")
	}
	if r.http.ContentLength > most {
		return nil, tooLarge()
	}
	// Room is made as the body comes, not as it is announced: else a few headers take much memory.
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.http.ContentLength, 0), firstRoom)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(r.w, r.http.Body, most))
	body := buf.Bytes()
	var over *http.MaxBytesError
	switch {
	case err == nil && len(body) == 0:
		return nil, newProblem(codeInvalidJSON, "the body is empty; a JSON object is due")
	case err == nil:
		return body, nil
	case errors.As(err, &over):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, newProblem(codeTimeout, "the body did not arrive in time").withHeader("Connection", "close")
	default: // the client broke off, or broke the protocol
		p := newProblem(codeInvalidJSON, "the body did not arrive whole")
		p.cause = err
		return nil, p
	}
}

// checkMediaType takes JSON, and a request that does not say what it sends.
func checkMediaType(header string) *Problem {
	if header == "" {
		return nil
	}
	typ, params, err := mime.ParseMediaType(header)
	charset := strings.ToLower(params["charset"])
	switch {
	case err != nil, typ != "application/json" && !strings.HasSuffix(typ, "+json"):
		return newProblem(codeMediaType, "the body must be sent with 'Content-Type: application/json'")
	case charset != "" && charset != "utf-8" && charset != "utf8":
		return newProblem(codeMediaType, "JSON is UTF-8; leave the charset out")
	}
	return nil
}

// writeJSON writes v whole. An answer that cannot be written has no reader: its error is dropped.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		data = []byte(`{"code":"internal_error","status":500,"title":"Optimus failed"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

// extend lets an answer come later than the server's write timeout: it must be written within d
// from now. Reading no longer has a deadline, since the request has arrived.
func (s *Server) extend(r *request, d time.Duration) {
	if r.w == nil {
		return
	}
	rc := http.NewResponseController(r.w)
	// A writer without deadlines, as in a test without a server, has nothing to extend.
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(s.opts.Now().Add(d))
}
