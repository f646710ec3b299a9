package redisstore

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestReshard moves a queue's slot to another master of a Cluster, then that of the store's own keys, and the
// queue's again, key by key, in the middle of a stream: nobody sees an error, and nothing is lost or doubled.
func TestReshard(t *testing.T) {
	t.Parallel()
	const moment = 100 * time.Millisecond
	nodes := redistest.Cluster(t)
	addrs := addrsOf(nodes)
	var ended atomic.Int64
	s := openTest(t, Options{Addrs: addrs, Cluster: true, RetryFor: time.Minute}, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	first := []store.ID{submitTest(t, s, store.NewJob{Queue: "q0"}).ID, submitTest(t, s, store.NewJob{Queue: "q1"}).ID}
	stop := make(chan struct{})
	done := make(chan map[store.ID]bool)
	failed := func(err error) { t.Error(err) }
	go func() { done <- stream(t.Context(), stop, s, failed) }()
	beaten := make(chan struct{})
	go func() {
		defer close(beaten)
		for beat := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-beat.C:
				if err := s.Heartbeat(t.Context(), store.Worker{Name: "w"}, time.Hour); err != nil {
					failed(err)
				}
			}
		}
	}()
	for _, key := range []string{s.keys.queue(1) + "figures", s.keys.meta, s.keys.queue(1) + "figures"} {
		time.Sleep(moment)
		slot, err := s.client.ClusterKeySlot(t.Context(), key).Result()
		must(t, err)
		master, err := s.node(t.Context(), key)
		must(t, err)
		at := slices.Index(addrs, master.Options().Addr)
		redistest.Reshard(t, nodes, nodes[at], nodes[(at+1)%3], slot)
		eventually(t, "the way there is known", func() bool {
			s.client.(*redis.ClusterClient).ReloadState(t.Context())
			moved, err := s.node(t.Context(), key)
			return err == nil && moved.Options().Addr != addrs[at]
		})
	}
	time.Sleep(moment)
	close(stop)
	all := <-done
	<-beaten
	t.Log(len(all), "jobs")
	for _, id := range first {
		all[id] = all[id] || false
	}
	checkStream(t, s, all, ended.Load())
	checkNothingIsStuck(t, s)
}
