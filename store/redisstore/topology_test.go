package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
	"optimus/store/storetest"
)

// onPort is a server behind a port of the loopback.
func onPort(t *testing.T, more ...string) (*server, string) {
	t.Helper()
	port := fmt.Sprint(freePort(t))
	dir := t.TempDir()
	args := []string{
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--logfile", "log", "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0",
		"--min-replicas-max-lag", "2",
	}
	s := &server{dir: dir, args: append(args, more...), url: "redis://127.0.0.1:" + port}
	must(t, s.start())
	t.Cleanup(func() { s.kill() })
	return s, "127.0.0.1:" + port
}

// eventually waits for what must come.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(until) {
			t.Fatalf("%s: it does not come", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// client speaks to one server.
func (s *server) client(t *testing.T) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(s.url)
	must(t, err)
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// says tells whether a server's INFO has a line.
func (s *server) says(t *testing.T, line string) bool {
	t.Helper()
	text, err := s.client(t).Info(t.Context(), "everything").Result()
	return err == nil && strings.Contains(text, line)
}

// startCluster starts three masters with a replica each.
func startCluster(t *testing.T) (nodes []*server, addrs []string) {
	t.Helper()
	for range 6 {
		s, addr := onPort(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(freePort(t)), "--cluster-node-timeout", "1500",
			"--cluster-replica-validity-factor", "0", "--min-replicas-to-write", "1")
		nodes, addrs = append(nodes, s), append(addrs, addr)
	}
	ctx := t.Context()
	for i, s := range nodes {
		c := s.client(t)
		if i < 3 {
			must(t, c.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err())
		}
		_, port, _ := strings.Cut(addrs[0], ":")
		bus := nodes[0].args[slices.Index(nodes[0].args, "--cluster-port")+1]
		must(t, c.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", port, bus).Err())
	}
	for i := 3; i < 6; i++ {
		id, err := nodes[i-3].client(t).ClusterMyID(ctx).Result()
		must(t, err)
		c := nodes[i].client(t)
		eventually(t, "a replica", func() bool { return c.ClusterReplicate(ctx, id).Err() == nil })
	}
	for i, s := range nodes {
		c := s.client(t)
		eventually(t, "the cluster", func() bool {
			info, err := c.ClusterInfo(ctx).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:6")
		})
		if i < 3 {
			eventually(t, "its replica", func() bool { return s.says(t, "connected_slaves:1") })
		}
	}
	return nodes, addrs
}

func TestCluster(t *testing.T) {
	t.Parallel()
	_, addrs := startCluster(t)
	storetest.Harness{
		Core: true,
		Open: func(t *testing.T, o store.Options) store.Store {
			t.Helper()
			return openSuite(t, Options{Addrs: addrs[:2], Cluster: true, Prefix: newPrefix()}, o)
		},
		Reopen: reopen,
	}.Run(t)
}

// TestClusterFailover kills the master of a queue in the middle of a stream: nothing that was
// acknowledged is lost.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	nodes, addrs := startCluster(t)
	ro := Options{Addrs: addrs, Cluster: true, Durability: Replicated, RetryFor: time.Minute}
	failover(t, ro, func(s *Store) *server {
		master, err := s.node(t.Context(), s.keys.queue(1))
		must(t, err)
		return nodes[slices.Index(addrs, master.Options().Addr)]
	})
}

// startSentinel starts a master with a replica, and three Sentinels.
func startSentinel(t *testing.T) (servers []*server, sentinels []string) {
	t.Helper()
	master, addr := onPort(t, "--min-replicas-to-write", "1")
	host, port, _ := strings.Cut(addr, ":")
	replica, _ := onPort(t, "--min-replicas-to-write", "1", "--replicaof", host+" "+port)
	eventually(t, "the replica", func() bool { return master.says(t, "connected_slaves:1") })
	for range 3 {
		dir := t.TempDir()
		port := fmt.Sprint(freePort(t))
		config := filepath.Join(dir, "sentinel.conf")
		must(t, os.WriteFile(config, []byte(strings.Join([]string{
			"port " + port, "bind 127.0.0.1", "dir " + dir, "logfile log",
			"sentinel monitor jobs " + strings.ReplaceAll(addr, ":", " ") + " 2",
			"sentinel down-after-milliseconds jobs 1000", "sentinel failover-timeout jobs 5000",
		}, "\n")+"\n"), 0o600))
		s := &server{dir: dir, args: []string{config, "--sentinel"}, url: "redis://127.0.0.1:" + port}
		must(t, s.start())
		t.Cleanup(s.kill)
		sentinels = append(sentinels, "127.0.0.1:"+port)
		eventually(t, "Sentinel", func() bool { return s.says(t, "status=ok,address="+addr+",slaves=1") })
	}
	last := &server{url: "redis://" + sentinels[2]}
	eventually(t, "all Sentinels", func() bool { return last.says(t, "sentinels=3") })
	return []*server{master, replica}, sentinels
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	_, sentinels := startSentinel(t)
	storetest.Harness{
		Core: true,
		Open: func(t *testing.T, o store.Options) store.Store {
			t.Helper()
			return openSuite(t, Options{Addrs: sentinels, Master: "jobs", Prefix: newPrefix()}, o)
		},
	}.Run(t)
}

// TestSentinelFailover has Sentinels replace a master that was killed in the middle of a stream:
// nothing that was acknowledged is lost.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	servers, sentinels := startSentinel(t)
	ro := Options{Addrs: sentinels, Master: "jobs", Durability: Replicated, RetryFor: time.Minute}
	failover(t, ro, func(*Store) *server { return servers[0] })
}

// failover kills the master of the first queue in the middle of a stream, and starts it anew when
// another has taken its place, as a replica of that.
func failover(t *testing.T, ro Options, master func(*Store) *server) {
	t.Helper()
	var ended atomic.Int64
	s := openTest(t, ro, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	submitTest(t, s, store.NewJob{Queue: "q0"})
	submitTest(t, s, store.NewJob{Queue: "q1"})
	woken, err := s.Wake(t.Context(), []store.Lane{anyLane})
	must(t, err)
	stop := make(chan struct{})
	done := make(chan map[store.ID]bool)
	go func() { done <- stream(t.Context(), stop, s, func(err error) { t.Error(err) }) }()
	time.Sleep(300 * time.Millisecond)
	old := master(s)
	old.kill()
	eventually(t, "another master", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
		node, err := s.node(ctx, s.keys.queue(1))
		return err == nil && node.Do(ctx, "ROLE").Err() == nil && masterAnswers(ctx, s)
	})
	must(t, old.start())
	eventually(t, "a submission", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Cancel(ctx, store.NewID(s.now(), 1, 0))
		return errors.Is(err, store.ErrNotFound)
	})
	time.Sleep(300 * time.Millisecond)
	close(stop)
	all := <-done
	t.Log(len(all), "jobs")
	for id, finished := range all {
		j, err := s.Get(t.Context(), id)
		if err != nil || finished && j.State != store.Completed {
			t.Fatalf("job %s, finished %v: %+v, %v", id, finished, j, err)
		}
	}
	checkIndexes(t, s)
	for len(claimTest(t, s, 100, time.Hour)) > 0 {
		continue
	}
	for drained := false; !drained; {
		select {
		case <-woken:
		default:
			drained = true
		}
	}
	submitTest(t, s, store.NewJob{Queue: "q0"})
	select {
	case <-woken:
	case <-time.After(time.Minute):
		t.Error("after it nobody is woken")
	}
	found, err := s.Check(t.Context())
	if err != nil || len(found) != 0 {
		t.Errorf("the servers are set up well; the check says %q, %v", found, err)
	}
}

// masterAnswers tells whether the first queue's master is one.
func masterAnswers(ctx context.Context, s *Store) bool {
	node, err := s.node(ctx, s.keys.queue(1))
	if err != nil {
		return false
	}
	text, err := node.Info(ctx, "replication").Result()
	return err == nil && strings.Contains(text, "role:master")
}
