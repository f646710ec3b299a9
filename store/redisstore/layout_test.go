package redisstore

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/sandbox"
	"optimus/store"
	"optimus/store/storetest"
)

// drawn is a line of the drawing in the package doc.
type drawn struct {
	key, kind string
	is        *regexp.Regexp
}

// drawing reads the key tree of the package doc.
func drawing(t *testing.T, prefix string) []drawn {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	must(t, err)
	const id = `[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	var all []drawn
	for line := range strings.Lines(string(doc)) {
		line, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 3 {
			t.Fatalf("not a line of the drawing: %q", line)
		}
		parts := strings.Split(words[0], ":")
		pattern := "^" + regexp.QuoteMeta(words[0]) + "$"
		if last := parts[len(parts)-1]; strings.HasPrefix(words[0], "{P:N}:") && len(parts) > 3 && last != "failed" {
			of := map[string]string{
				"id": id, "tenant": `.*`, "group": `\d+:.*:\d{3}:\d+:.*/\w*`, "lane": `\d+:.*/\w*`,
			}[last]
			pattern = "^" + regexp.QuoteMeta(strings.TrimSuffix(words[0], last)) + of + "$"
		}
		pattern = strings.NewReplacer(`\{P\}`, `\{`+prefix+`\}`, `\{P:N\}`, `\{`+prefix+`:\d+\}`, `P:key:\{length:tenant:key\}`, prefix+`:key:\{\d+:.*\}`).Replace(pattern)
		all = append(all, drawn{words[0], words[1], regexp.MustCompile(pattern)})
	}
	return all
}

func TestTheDrawingIsWhatTheServerHolds(t *testing.T) {
	t.Parallel()
	prefix := newPrefix()
	s := lively(t, prefix)
	all := drawing(t, prefix)
	full := map[string]bool{}
	for _, key := range keysOf(t, s) {
		kind, err := s.client.Type(t.Context(), key).Result()
		must(t, err)
		// kept:failed is not a tenant's, and open is not open:tenant.
		i := slices.IndexFunc(all, func(d drawn) bool { return d.is.MatchString(key) })
		if i < 0 || all[i].kind != kind {
			t.Errorf("key %q, which is a %s, is not drawn", key, kind)
			continue
		}
		full[all[i].key] = true
	}
	for _, d := range all {
		if !full[d.key] {
			t.Errorf("%s is not there: the drawing of it is not tried", d.key)
		}
	}
}

// keysOf gives every key of a store.
func keysOf(t *testing.T, s *Store) (keys []string) {
	t.Helper()
	var mu sync.Mutex
	scan := func(ctx context.Context, c *redis.Client) error {
		p := s.keys.prefix
		for _, pattern := range []string{"{" + p + "}:*", "{" + p + ":*", p + ":*"} {
			it := c.Scan(ctx, 0, pattern, 1000).Iterator()
			for it.Next(ctx) {
				mu.Lock()
				keys = append(keys, it.Val())
				mu.Unlock()
			}
			if it.Err() != nil {
				return it.Err()
			}
		}
		return nil
	}
	ctx := context.WithoutCancel(t.Context())
	if c, ok := s.client.(*redis.ClusterClient); ok {
		must(t, c.ForEachMaster(ctx, scan))
		return keys
	}
	must(t, scan(ctx, s.client.(*redis.Client)))
	return keys
}

// lively makes a store in which there is a key of each kind.
func lively(t *testing.T, prefix string) *Store {
	t.Helper()
	ctx := t.Context()
	s := openTest(t, Options{URL: commonServer(t).URL, Prefix: prefix}, store.Options{TenantRunning: 2, MaxAttempts: 2})
	lane := store.LaneOf(sandbox.Language{})
	var all []store.ID
	for _, tenant := range []string{"", "a", "long: {name}", "d"} {
		for i := range 4 {
			j, _, err := s.Submit(ctx, store.NewJob{Tenant: tenant, Queue: "q", Key: strings.Repeat("k}", i), Priority: i, MaxAttempts: 1 + i/3})
			must(t, err)
			all = append(all, j.ID)
		}
	}
	claim := func(n, most int) []store.Claim {
		cs, err := s.Claim(ctx, store.ClaimRequest{Worker: "w", Lanes: []store.Lane{lane}, Max: most, Lease: time.Minute})
		must(t, err)
		if len(cs) != n {
			t.Fatalf("claimed %d, want %d", len(cs), n)
		}
		return cs
	}
	for range 2 { // the second of one tenant moves the virtual time
		submitTest(t, s, store.NewJob{Tenant: "v", Priority: 9})
	}
	claim(2, 2)
	cs := claim(8, 8)
	must(t, s.Progress(ctx, cs[0].Lease, store.Event{Type: store.EventTest, Data: []byte(`{}`)}))
	must(t, s.Finish(ctx, cs[0].Lease, sandbox.Report{Verdict: sandbox.Accepted}))
	must(t, s.GiveBack(ctx, cs[1].Lease, store.GiveBack{Counted: true}))
	must(t, s.GiveBack(ctx, cs[5].Lease, store.GiveBack{Counted: true}))
	claim(3, 9)
	_, err := s.Cancel(ctx, all[0])
	must(t, err)
	submitTest(t, s, store.NewJob{Tenant: "z"})
	must(t, s.Heartbeat(ctx, store.Worker{Name: "w"}, time.Hour))
	must(t, s.Ping(ctx))
	must(t, s.ChangeAPIKeys(ctx, storetest.PutAPIKeys(store.APIKey{ID: "k1", Name: "a", Hash: store.PayloadHash{1}, Roles: []string{"read"}})))
	_, err = s.Wake(ctx, []store.Lane{lane})
	must(t, err)
	free, err := s.revoke(ctx, store.NewID(s.now(), all[0].Queue(), 0))
	if err != nil || !free {
		t.Fatalf("revoked: %v, %v", free, err)
	}
	// A minute passes for its counters.
	err = s.client.Eval(ctx, `local f = redis.call('GET', KEYS[1]) local minute = struct.unpack('>d', string.sub(f, 73, 80))
		redis.call('SETRANGE', KEYS[1], 72, struct.pack('>d', minute - 1)) return 1`, []string{s.keys.queue(1) + "figures"}).Err()
	must(t, err)
	_, err = s.Renew(ctx, []store.Lease{cs[2].Lease}, time.Minute)
	must(t, err)
	return s
}

// checkIndexes compares every index of a store with the jobs' records.
func checkIndexes(t *testing.T, s *Store) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for _, q := range s.queues.all() {
		base := s.keys.queue(q)
		want := map[string]map[string]float64{}
		add := func(key, member string, score float64) {
			if want[key] == nil {
				want[key] = map[string]float64{}
			}
			want[key][member] = score
		}
		running := map[string]int64{}
		for _, where := range []string{"unfinished", "ended"} {
			all, err := s.client.HGetAll(ctx, base+where).Result()
			must(t, err)
			for id, raw := range all {
				values, err := unpackArray([]byte(raw))
				must(t, err)
				f := fields{values, nil}
				tenant, index := f.text(1), "open"
				switch f.text(0) {
				case "q":
					add(fmt.Sprintf("group:%d:%s:%03d:%s", len(tenant), tenant, 100-f.number(3), f.text(2)), id, float64(f.number(4)))
				case "d":
					add("delayed", id, float64(f.number(15)))
				case "r":
					add("leases", id, float64(f.number(7)))
					running[tenant]++
				default:
					index = string(stateOf(f.text(0)))
					kept := "kept"
					if index == "failed" {
						kept = "kept:failed"
					}
					add(kept, id, float64(f.number(14)))
				}
				if ended := where == "ended"; ended != (index != "open") {
					t.Errorf("job %s, in state %s, is among the %s", id, f.text(0), where)
				}
				add(index, id, 0)
				add(index+":"+tenant, id, 0)
				must(t, f.err)
				for _, key := range []string{"payload:", "report:"} {
					n, err := s.client.Exists(ctx, base+key+id).Result()
					must(t, err)
					if (n == 1) != (key == "payload:" || where == "ended") {
						t.Errorf("job %s, in %s, has %d %s", id, where, n, key)
					}
				}
			}
		}
		for _, key := range keysOf(t, s) {
			name, ours := strings.CutPrefix(key, base)
			kind, _, _ := strings.Cut(name, ":")
			if !ours || !slices.Contains([]string{"group", "delayed", "leases", "open", "completed", "failed", "cancelled", "kept"}, kind) {
				continue
			}
			zs, err := s.client.ZRangeWithScores(ctx, key, 0, -1).Result()
			must(t, err)
			for _, z := range zs {
				member := z.Member.(string)
				if score, ok := want[name][member]; !ok || score != z.Score {
					t.Errorf("%s has %s at %v, want %v, %v", name, member, z.Score, score, ok)
				}
				delete(want[name], member)
			}
		}
		for name, left := range want {
			for member := range left {
				t.Errorf("%s lacks %s", name, member)
			}
		}
		checkHeads(t, s, base)
		if s.o.TenantRunning > 0 {
			checkShares(t, s, base, running)
		}
	}
}

// checkHeads compares the heads with the groups: a group has its first in its lane, or it is parked.
func checkHeads(t *testing.T, s *Store, base string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	heads := 0
	for _, key := range keysOf(t, s) {
		if g, ok := strings.CutPrefix(key, base+"group:"); ok {
			first, err := s.client.ZRangeWithScores(ctx, key, 0, 0).Result()
			must(t, err)
			n, rest, _ := strings.Cut(g, ":")
			length, err := strconv.Atoi(n)
			must(t, err)
			err = s.client.ZScore(ctx, base+"lane:"+rest[length+5:], fmt.Sprintf("%016d%s", int64(first[0].Score), g)).Err()
			parkedErr := s.client.ZScore(ctx, base+"parked", g).Err()
			if err == nil {
				heads++
			} else if parkedErr != nil {
				t.Errorf("group %s has no head, and is not parked", g)
			}
		} else if strings.HasPrefix(key, base+"lane:") {
			n, err := s.client.ZCard(ctx, key).Result()
			must(t, err)
			heads -= int(n)
		}
	}
	if heads != 0 {
		t.Errorf("the lanes hold %d heads more than there are groups that have one", -heads)
	}
}

func checkShares(t *testing.T, s *Store, base string, running map[string]int64) {
	t.Helper()
	shares, err := s.client.HGetAll(context.WithoutCancel(t.Context()), base+"shares").Result()
	must(t, err)
	for tenant, raw := range shares {
		values, err := unpackArray([]byte(raw))
		must(t, err)
		if n := values[0].(int64); n != running[tenant] {
			t.Errorf("tenant %q: %d jobs run, want %d", tenant, n, running[tenant])
		}
		delete(running, tenant)
	}
	for tenant, n := range running {
		t.Errorf("tenant %q has no share, but %d jobs run", tenant, n)
	}
}
