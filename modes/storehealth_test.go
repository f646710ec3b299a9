package modes

import (
	"net/http"
	"testing"

	"optimus/config"
	"optimus/store"
	"optimus/store/storetest/redistest"
	"optimus/web"
)

// A server's own store says how it fares, whichever it is; what is known of a server does not tell where it is.
func TestStoreHealth(t *testing.T) {
	t.Parallel()
	for kind, redisURL := range map[string]string{store.KindFile: "", store.KindRedis: redistest.Start(t).URL} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			if redisURL != "" {
				cfg.Redis.URL = config.NewSecret(redisURL)
			}
			ts := startTestServer(t, cfg)
			ts.submit(t, "?wait=30s", "print hello")
			var got web.StoreHealth
			if err := ts.client.call(t.Context(), http.MethodGet, "/v1/store", nil, &got); err != nil {
				t.Fatal(err)
			}
			if got.Status != "ok" || got.Reason != "" || got.Latency <= 0 || got.Kind != kind || got.Bytes <= 0 || len(got.Warnings) != 0 ||
				got.Schema == nil || got.Schema.Written < 1 || got.Schema.Known < got.Schema.Written || (got.Free == nil) != (kind == store.KindRedis) {
				t.Errorf("it says %+v", got)
			}
		})
	}
}
