package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
	"optimus/store/storetest"
	"optimus/store/storetest/redistest"
)

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

func addrsOf(servers []*redistest.Server) (addrs []string) {
	for _, s := range servers {
		addrs = append(addrs, s.Addr)
	}
	return addrs
}

func TestCluster(t *testing.T) {
	t.Parallel()
	addrs := addrsOf(redistest.Cluster(t))
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
	nodes := redistest.Cluster(t)
	addrs := addrsOf(nodes)
	ro := Options{Addrs: addrs, Cluster: true, Durability: Replicated, RetryFor: time.Minute}
	failover(t, ro, func(s *Store) *redistest.Server {
		master, err := s.node(t.Context(), s.keys.queue(1))
		must(t, err)
		return nodes[slices.Index(addrs, master.Options().Addr)]
	})
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	_, _, sentinels := redistest.Sentinels(t)
	storetest.Harness{
		Core: true,
		Open: func(t *testing.T, o store.Options) store.Store {
			t.Helper()
			return openSuite(t, Options{Addrs: sentinels, Master: redistest.MasterName, Prefix: newPrefix()}, o)
		},
	}.Run(t)
}

// TestSentinelFailover has Sentinels replace a master that was killed in the middle of a stream:
// nothing that was acknowledged is lost.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	master, _, sentinels := redistest.Sentinels(t)
	ro := Options{Addrs: sentinels, Master: redistest.MasterName, Durability: Replicated, RetryFor: time.Minute}
	failover(t, ro, func(*Store) *redistest.Server { return master })
}

// failover kills the master of the first queue in the middle of a stream, and starts it anew when
// another has taken its place, as a replica of that.
func failover(t *testing.T, ro Options, master func(*Store) *redistest.Server) {
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
	old.Kill()
	eventually(t, "another master", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
		node, err := s.node(ctx, s.keys.queue(1))
		return err == nil && node.Do(ctx, "ROLE").Err() == nil && masterAnswers(ctx, s)
	})
	must(t, old.Start())
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
	kind := store.KindSentinel
	if ro.Cluster {
		kind = store.KindCluster
	}
	d, err := s.Describe(t.Context())
	if err != nil || len(d.Warnings) != 0 || d.Kind != kind || d.Bytes == 0 || d.Free != -1 {
		t.Errorf("the servers are set up well; they say %+v, %v", d, err)
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

// TestAFrozenMasterHoldsUpNoOther: calls to one of a Cluster's masters that does not answer wait; those to another go on.
func TestAFrozenMasterHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t)
	s := openTest(t, Options{Addrs: []string{nodes[0].Addr}, Cluster: true, Timeout: time.Hour, RetryFor: time.Hour}, store.Options{})
	masters := map[string]string{} // of each a queue
	for i := 0; len(masters) < 2; i++ {
		queue := fmt.Sprint("q", i)
		number := submitTest(t, s, store.NewJob{Queue: queue}).ID.Queue()
		node, err := s.node(t.Context(), s.keys.queue(number)+"figures")
		must(t, err)
		masters[node.Options().Addr] = queue
	}
	addrs := slices.Sorted(maps.Keys(masters))
	frozen := nodes[slices.IndexFunc(nodes, func(n *redistest.Server) bool { return n.Addr == addrs[0] })]
	frozen.Signal(t, syscall.SIGSTOP)
	t.Cleanup(func() { frozen.Signal(t, syscall.SIGCONT) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 * pipes {
		go func() { _, _, _ = s.Submit(ctx, store.NewJob{Queue: masters[addrs[0]]}) }()
		time.Sleep(20 * time.Millisecond) // so that each is on its way alone
	}
	if _, _, err := s.Submit(ctx, store.NewJob{Queue: masters[addrs[1]]}); err != nil {
		t.Errorf("a submission to the other master: %v", err)
	}
}
