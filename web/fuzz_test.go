package web_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
	"optimus/web/webtest"
)

// FuzzPositions: whatever a client says of where it stands in a list or a stream, it gets an answer.
func FuzzPositions(f *testing.F) {
	for _, seed := range []string{"", "0", "1", "-1", "18446744073709551616", "x", "2020-01-01T00:00:00Z", "9999-12-31T23:59:60+99:99", "\x00\xff", "1e3", "AAAA"} {
		f.Add(seed)
	}
	st := webtest.NewStore(time.Now)
	srv, err := web.New(web.Options{Store: st, Catalogue: webtest.Catalogue{}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	job, _, err := st.Submit(f.Context(), store.NewJob{Queue: "default"})
	if err == nil {
		err = st.Finish(job.ID, accepted())
	}
	if err != nil {
		f.Fatal(err)
	}
	id := job.ID
	f.Fuzz(func(t *testing.T, text string) {
		h := &harness{t: t, srv: srv}
		for _, a := range []*answer{
			h.do(http.MethodGet, "/v1/jobs/"+id.String()+"/events", "", "Last-Event-ID", text),
			h.do(http.MethodGet, "/v1/jobs/"+id.String()+"/events?after="+url.QueryEscape(text), ""),
			h.do(http.MethodGet, "/v1/jobs?cursor="+url.QueryEscape(text), ""),
			h.do(http.MethodGet, "/v1/jobs?since="+url.QueryEscape(text), ""),
			h.do(http.MethodGet, "/v1/jobs?limit="+url.QueryEscape(text), ""),
			h.do(http.MethodGet, "/v1/jobs/"+id.String()+"?wait="+url.QueryEscape(text), ""),
			h.do(http.MethodGet, "/v1/jobs/"+url.PathEscape(text), ""),
		} {
			if a.Status >= http.StatusInternalServerError {
				t.Errorf("%q: %d %s", text, a.Status, a.Body)
			}
		}
	})
}
