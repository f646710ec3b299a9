package web_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
	"optimus/web/webtest"
)

// TestEventsThatTheStoreForgets: a failover takes events back that a client has had, and others get their numbers. The
// stream ends with the job's end all the same, for who stays and for who comes again, and its ids rise.
func TestEventsThatTheStoreForgets(t *testing.T) {
	t.Parallel()
	h := setup(t, func(o *web.Options) { o.Timeouts.Heartbeat = 20 * time.Millisecond })
	base := h.listen()
	id := h.submit(hello)
	path := "/v1/jobs/" + id.String() + "/events"
	must(t, h.store.Start(id))
	for range 3 {
		must(t, h.store.Emit(id, store.EventTest, accepted().Tests[0]))
	}
	res := h.open(base + path)
	readEvents(res.body, func(e event) bool { return e.id == "5" })
	again := h.open(base + path + "?after=5")
	must(t, h.store.Forget(id, 2))
	must(t, h.store.Finish(id, accepted()))
	for who, events := range map[string][]event{
		"who stays":               readEvents(res.body, never),
		"who is there again":      readEvents(again.body, never),
		"who comes after the end": readEvents(bytes.NewReader(h.do(http.MethodGet, path+"?after=5", "").want(http.StatusOK).Body), never),
	} {
		if !slices.Equal(types(events), []string{"state"}) || events[0].id != "6" || !strings.Contains(events[0].data, `"state":"completed"`) {
			t.Errorf("%s gets %+v, want the end alone, as number 6", who, events)
		}
	}
	if events := readEvents(bytes.NewReader(h.do(http.MethodGet, path+"?after=3", "").want(http.StatusOK).Body), never); len(events) != 0 {
		t.Errorf("who has had all gets %+v", events)
	}
}

// looking is a store that tells when a job's events have been read.
type looking struct {
	*webtest.Store

	looked chan uint64
}

func (l looking) Events(ctx context.Context, id store.ID, after uint64) ([]store.Event, error) {
	events, err := l.Store.Events(ctx, id, after)
	select {
	case l.looked <- after:
	default:
	}
	return events, err
}

// TestWaitForAJobWhoseEventsTheStoreForgets: who waits is told of the end when it has come, not when the wait is over.
func TestWaitForAJobWhoseEventsTheStoreForgets(t *testing.T) {
	t.Parallel()
	looked := make(chan uint64, 1)
	h := setup(t, func(o *web.Options) {
		o.Timeouts.Heartbeat = 20 * time.Millisecond
		o.Store = looking{o.Store.(*webtest.Store), looked}
	})
	id := h.submit(hello)
	must(t, h.store.Start(id))
	must(t, h.store.Emit(id, store.EventTest, accepted().Tests[0]))
	answers := make(chan *answer, 1)
	go func() { answers <- h.do(http.MethodGet, "/v1/jobs/"+id.String()+"?wait=60s", "") }()
	<-looked
	must(t, h.store.Forget(id, 2))
	must(t, h.store.Finish(id, accepted()))
	select {
	case a := <-answers:
		a.want(http.StatusOK)
	case <-time.After(30 * time.Second):
		t.Error("the job has ended, and who waits for it is not told")
	}
}
