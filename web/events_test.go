package web_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/store"
	"optimus/web"
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
