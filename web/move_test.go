package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
)

const jsonl = "application/jsonl"

func TestMoveBetweenServers(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed).as("root-key")
	var ids []store.ID
	for range 3 {
		ids = append(ids, h.as("alice-key").submit(hello))
	}
	must(t, h.store.Start(ids[0]))
	must(t, h.store.Finish(ids[0], accepted()))
	export := h.do(http.MethodGet, "/v1/store/export", "").want(http.StatusOK)
	if ct := export.Header.Get("Content-Type"); ct != jsonl || bytes.Count(export.Body, []byte("\n")) != 6 {
		t.Errorf("%s: %s", ct, export.Body)
	}
	other := setup(t, keyed).as("root-key")
	for _, want := range []web.ImportSummary{{Jobs: 3, Skipped: 1}, {Skipped: 4}} {
		a := other.do(http.MethodPost, "/v1/store/import", string(export.Body), "Content-Type", jsonl).want(http.StatusOK)
		if got := into[web.ImportSummary](a); got != want {
			t.Errorf("imported %+v, want %+v", got, want)
		}
	}
	before := into[web.Job](h.do(http.MethodGet, "/v1/jobs/"+ids[0].String(), ""))
	after := into[web.Job](other.do(http.MethodGet, "/v1/jobs/"+ids[0].String(), ""))
	if before.State != "completed" || after.State != before.State || len(after.Tests) != len(before.Tests) || *after.Score != *before.Score {
		t.Errorf("%+v became %+v", before, after)
	}
	for _, key := range []string{"alice-key", "carol-key"} {
		h.as(key).do(http.MethodGet, "/v1/store/export", "").want(http.StatusForbidden)
		h.as(key).do(http.MethodPost, "/v1/store/import", string(export.Body), "Content-Type", jsonl).want(http.StatusForbidden)
	}
}

func TestImportsThatFail(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for range 300 {
		h.submit(hello)
	}
	text := string(h.do(http.MethodGet, "/v1/store/export", "").want(http.StatusOK).Body)
	lines := strings.SplitAfter(text, "\n")
	for name, c := range map[string]struct {
		body, media string
		status      int
		says        []string
	}{
		"cut":           {strings.Join(lines[:290], ""), jsonl, 422, []string{"line 291", "not whole", "288 jobs were imported"}},
		"empty":         {"", jsonl, 422, []string{"line 1"}},
		"another order": {lines[0] + lines[2] + lines[1], jsonl, 422, []string{"line 2", "another order"}},
		"JSON":          {text, "application/json", 415, []string{jsonl}},
		"of a form":     {text, "text/plain", 415, []string{jsonl}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := setup(t)
			p := into[web.Problem](h.do(http.MethodPost, "/v1/store/import", c.body, "Content-Type", c.media).want(c.status))
			for _, say := range c.says {
				if !strings.Contains(p.Detail, say) {
					t.Errorf("it says %q, want %q in it", p.Detail, say)
				}
			}
		})
	}
	conflict := setup(t)
	conflict.store.SetFailure(store.ErrConflict)
	conflict.do(http.MethodPost, "/v1/store/import", text, "Content-Type", jsonl).want(http.StatusConflict)
	conflict.store.SetFailure(store.ErrUnavailable)
	conflict.do(http.MethodPost, "/v1/store/import", text, "Content-Type", jsonl).want(http.StatusServiceUnavailable)
	conflict.do(http.MethodGet, "/v1/store/export", "").want(http.StatusServiceUnavailable).faults()
}

// TestALongImportHasTime sends an export in pieces, for longer than a request may take.
func TestALongImportHasTime(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.submit(hello)
	text := h.do(http.MethodGet, "/v1/store/export", "").want(http.StatusOK).Body
	const timeout = time.Second
	other := setup(t, func(o *web.Options) {
		o.Timeouts = web.Timeouts{Read: timeout, Write: timeout}
	})
	r, w := io.Pipe()
	go func() {
		pieces := bytes.Split(text, []byte(","))
		for _, piece := range pieces {
			time.Sleep(timeout * 5 / 4 / time.Duration(len(pieces)))
			_, _ = w.Write(append(bytes.Clone(piece), ','))
		}
		_ = w.Close()
	}()
	// The last comma stands behind the last line: all that came before is imported.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, other.listen()+"/v1/store/import", r)
	must(t, err)
	req.Header.Set("Content-Type", jsonl)
	answer, err := http.DefaultClient.Do(req)
	must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(body), "behind the last line") || other.store.Jobs() != 1 {
		t.Errorf("%d: %s", answer.StatusCode, body)
	}
}

// TestABrokenExportIsCutOff: a client must not take what broke off for an answer that is whole.
func TestABrokenExportIsCutOff(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Store = breaking{o.Store} })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.listen()+"/v1/store/export", nil)
	must(t, err)
	answer, err := http.DefaultClient.Do(req)
	must(t, err)
	defer answer.Body.Close()
	first, err := bufio.NewReader(answer.Body).ReadString('\n')
	if err != nil || !strings.Contains(first, store.ExportFormat) {
		t.Errorf("it begins with %q, %v", first, err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("it ends with %v", err)
	}
}

// breaking is a store that fails in the middle of an export.
type breaking struct{ web.Store }

func (breaking) Export(_ context.Context, do func(store.Record) error) error {
	name := strings.Repeat("q", 255)
	for n := range 2000 { // more than is written at once
		if err := do(store.Record{Queue: &store.QueueRecord{Name: name, Number: uint16(n), State: store.QueueRunning}}); err != nil {
			return err
		}
	}
	return store.ErrUnavailable
}
