package config

import (
	"slices"
	"strings"
	"testing"
)

// What differs from the defaults is read back as it was, and nothing else is stated.
func TestTOMLIsReadBack(t *testing.T) {
	t.Parallel()
	stated := map[string]string{
		"data": "/srv/opti\"mus\\ä\t", "server.rate": "2.5", "server.max_wait": "45s", "limits.memory": "3GiB",
		"store.depth": "7", "redis.cluster": "true", "redis.addresses": "a:1,b:2", "redis.queues": "default=1,python=2",
		"redis.prefix": "optimus", "redis.password": "hunter2hunter2",
	}
	first := load(t, func(o *LoadOptions) { o.Flags = stated })
	skip := func(path string) bool { return path == "store.depth" }
	got := first.TOML(skip)
	if strings.Contains(got, "hunter2") || strings.Contains(got, "prefix") || strings.Contains(got, "depth") {
		t.Errorf("it states a secret, a default or what is to be skipped:\n%s", got)
	}
	again := load(t, func(o *LoadOptions) { o.Path = file(t, "optimus.toml", got) })
	settings := again.Settings()
	for i, s := range first.Settings() {
		if !slices.Contains([]string{"store.depth", "redis.password"}, s.Path) && settings[i].Value != s.Value {
			t.Errorf("%s was %q, is read back as %q", s.Path, s.Value, settings[i].Value)
		}
	}
}
