package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"optimus/store"
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
	look("1 jobs wait, the oldest for 2m0s, and no worker takes from this queue", "1")
}

// What happened in a queue minute by minute is dense, so that it can be drawn as it comes.
func TestMinutesOfQueues(t *testing.T) {
	t.Parallel()
	h := setup(t, keyed).as("alice-key")
	h.submit(hello)
	dense := func(minutes []store.MinuteCounters) {
		t.Helper()
		if len(minutes) != 60 {
			t.Fatalf("%d minutes", len(minutes))
		}
		var sum uint64
		for i, m := range minutes {
			if i > 0 && m.Minute.Sub(minutes[i-1].Minute) != time.Minute {
				t.Errorf("%s follows %s", m.Minute, minutes[i-1].Minute)
			}
			sum += m.Submitted
		}
		if sum != 1 {
			t.Errorf("%d submissions", sum)
		}
	}
	dense(into[web.Queue](h.do(http.MethodGet, "/v1/queues/default", "").want(http.StatusOK)).PerMinute)
	dense(into[web.QueueList](h.do(http.MethodGet, "/v1/queues?include=minutes", "").want(http.StatusOK)).Queues[0].PerMinute)
	if plain := into[web.QueueList](h.do(http.MethodGet, "/v1/queues", "").want(http.StatusOK)); plain.Queues[0].PerMinute != nil {
		t.Error("the list has minutes that nobody asked for")
	}
	h.do(http.MethodGet, "/v1/queues/nowhere", "").want(http.StatusNotFound).faults()
	if f := h.do(http.MethodGet, "/v1/queues?include=hours", "").want(http.StatusUnprocessableEntity).faults(); f["query.include"] == "" {
		t.Errorf("faults %v", f)
	}
	h.as("").do(http.MethodGet, "/v1/queues/default", "").want(http.StatusUnauthorized)
	h.store.SetFailure(store.ErrUnavailable)
	h.do(http.MethodGet, "/v1/queues/default", "").want(http.StatusServiceUnavailable).faults()
}
