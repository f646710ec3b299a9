package config

import (
	"reflect"
	"testing"

	"optimus/store"
)

// The store's own defaults and those of the configuration are stated apart, since neither package
// knows the other.
func TestStoreDefaults(t *testing.T) {
	t.Parallel()
	c, o := Default().Store, store.DefaultOptions()
	o.Now = nil
	want := store.Options{
		MaxAttempts: c.MaxAttempts, BackoffBase: c.Backoff, BackoffMax: c.BackoffMax, MaxDepth: c.Depth, MaxBytes: int64(c.MaxBytes),
		MaxPayload: int64(c.MaxPayload), MaxReport: int64(c.MaxReport), MaxEvents: c.MaxEvents, MaxEventBytes: int64(c.MaxEventBytes),
		Retention: c.Retention, FailedRetention: c.FailedRetention, KeyTTL: c.KeyTTL, TenantRunning: c.TenantRunning,
		TenantQueued: c.TenantQueued,
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("the store's defaults are %+v, the configuration's %+v", o, want)
	}
}
