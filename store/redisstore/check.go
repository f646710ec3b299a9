package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// leastVersion is the oldest major version of a server whose scripts behave as ours need.
const leastVersion = 7

// Describe asks the server, in a Cluster every master. It warns where the server does not keep what it is told
// as well as the durability wants.
func (s *Store) Describe(ctx context.Context) (store.Description, error) {
	var mu sync.Mutex
	d := s.unasked()
	look := func(ctx context.Context, c *redis.Client) error {
		f, err := factsOf(ctx, c)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, text := range s.warnings(f) {
			if !slices.Contains(d.Warnings, text) {
				d.Warnings = append(d.Warnings, text)
			}
		}
		used, most := f.number("used_memory"), f.number("maxmemory")
		d.Version, d.Bytes = f.version(), d.Bytes+used
		if free := max(most-used, 0); most > 0 && (d.Free < 0 || free < d.Free) {
			d.Free = free
		}
		return nil
	}
	err := s.patiently(ctx, "describe the server", func(ctx context.Context) error {
		mu.Lock()
		d = s.unasked() // of an earlier try
		mu.Unlock()
		switch c := s.client.(type) {
		case *redis.ClusterClient:
			return c.ForEachMaster(ctx, look)
		case *redis.Client:
			return look(ctx, c)
		}
		return nil
	})
	slices.Sort(d.Warnings)
	return d, err
}

// unasked is what is known of the server without asking it.
func (s *Store) unasked() store.Description {
	d := store.Description{Kind: store.KindRedis, Durability: string(s.ro.Durability), Free: -1}
	switch {
	case s.ro.Cluster:
		d.Kind = store.KindCluster
	case s.ro.Master != "":
		d.Kind = store.KindSentinel
	}
	return d
}

// facts are what a server says of itself.
type facts map[string]string

// factsOf asks INFO, which every server answers, and CONFIG, which some do not.
func factsOf(ctx context.Context, c *redis.Client) (facts, error) {
	f := facts{}
	text, err := c.Info(ctx, "everything").Result()
	if err != nil {
		return nil, err //nolint:wrapcheck // patiently does
	}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			f[name] = value
		}
	}
	for _, name := range []string{"appendfsync", "maxmemory-policy", "min-replicas-to-write"} {
		values, err := c.ConfigGet(ctx, name).Result()
		if err == nil && values[name] != "" {
			f[name] = values[name]
		}
	}
	return f, nil
}

// number is a fact that is a whole number; 0 where it is not there.
func (f facts) number(name string) int64 {
	n, _ := strconv.ParseInt(f[name], 10, 64)
	return n
}

// version is the server's name and version.
func (f facts) version() string {
	if v := f["valkey_version"]; v != "" {
		return "Valkey " + v
	}
	return strings.TrimSpace("Redis " + f["redis_version"])
}

// warnings are what is to be said of a server.
func (s *Store) warnings(f facts) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if v := f["redis_version"]; tooOld(v) {
		say("the server's version is %s: use %d or later", v, leastVersion)
	}
	if f["role"] == "slave" {
		say("the server is a read-only replica: give the address of the master, or of Sentinels")
	}
	if f["aof_enabled"] == "0" {
		say("the server keeps no append-only file, so that its end loses jobs: set `appendonly yes`")
	}
	if policy := cmp.Or(f["maxmemory-policy"], f["maxmemory_policy"]); policy != "" && policy != "noeviction" && f["maxmemory"] != "0" {
		say("the server drops keys when its memory is full: set `maxmemory-policy noeviction`, not %s", policy)
	} else if policy != "" && policy != "noeviction" {
		say("the server would drop keys if it had a memory limit: set `maxmemory-policy noeviction`, not %s", policy)
	}
	fsync := f["appendfsync"]
	switch {
	case fsync == "":
		say("the server does not tell how often it syncs its append-only file (CONFIG GET is refused): durability %s must be seen to by who runs it", s.ro.Durability)
	case fsync == "no":
		say("the server leaves it to the system when its append-only file is on the disk: set `appendfsync everysec`, or `always`")
	case fsync != "always" && s.ro.Durability == Fsync:
		say("durability fsync needs `appendfsync always`; it is %s", fsync)
	}
	return append(found, s.checkReplicas(f)...)
}

// checkReplicas says what durability replicated lacks.
func (s *Store) checkReplicas(f facts) (found []string) {
	if s.ro.Durability != Replicated || f["role"] == "slave" {
		return nil
	}
	if n := f.number("connected_slaves"); n < int64(s.ro.Replicas) {
		found = append(found, fmt.Sprintf("durability replicated: %d connected replicas, %d needed: no submission is taken", n, s.ro.Replicas))
	}
	if f["min-replicas-to-write"] == "0" {
		found = append(found, "durability replicated: a master that was cut off goes on taking writes: set `min-replicas-to-write 1`")
	}
	return found
}

// tooOld tells whether a version is known, and below what is needed.
func tooOld(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n < leastVersion
}

// refuseOld refuses a server that is too old for the scripts. One that does not say so is tried.
func (s *Store) refuseOld(ctx context.Context) error {
	node, err := s.node(ctx, s.keys.meta)
	if err != nil {
		return s.foreign("open store", err)
	}
	text, err := node.Info(ctx, "server").Result()
	if err != nil {
		return nil // not everybody may ask; whether the server can be reached the next command says
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:"); ok && tooOld(v) {
			return fmt.Errorf("open store: %w: the server's version is %s: use %d or later", store.ErrUnavailable, v, leastVersion)
		}
	}
	return nil
}
