package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/web"
)

// A queue whose jobs no worker takes says so, where an operator and where an alert looks.
func TestUnservedQueue(t *testing.T) {
	t.Parallel()
	later := false
	h := setup(t, func(o *web.Options) {
		o.Now = func() time.Time {
			if later {
				return time.Now().Add(2 * time.Minute)
			}
			return time.Now()
		}
	})
	look := func(words, metric string) {
		t.Helper()
		queues := into[web.QueueList](h.do(http.MethodGet, "/v1/queues", "").want(http.StatusOK)).Queues
		if got := queues[0].Unserved; (got == "") != (words == "") || !strings.Contains(got, words) {
			t.Errorf("unserved: %q, want %q", got, words)
		}
		if text := string(h.do(http.MethodGet, "/metrics", "").Body); !strings.Contains(text, `optimus_queue_unserved{language="",queue="default"} `+metric) {
			t.Errorf("the metric is not %s:\n%s", metric, text)
		}
	}
	look("", "0")
	h.submit(hello)
	look("", "0")
	later = true
	look("1 job waits, since 2m0s, and no worker takes from this queue", "1")
}
