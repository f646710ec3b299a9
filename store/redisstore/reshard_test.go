package redisstore

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestReshard moves a queue's slot to another master of a Cluster and back, key by key, in the middle of a
// stream: nobody sees an error, and nothing is lost or doubled.
func TestReshard(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t)
	addrs := addrsOf(nodes)
	var ended atomic.Int64
	s := openTest(t, Options{Addrs: addrs, Cluster: true, RetryFor: time.Minute}, store.Options{Ended: func(store.Job) { ended.Add(1) }})
	submitTest(t, s, store.NewJob{Queue: "q0"})
	submitTest(t, s, store.NewJob{Queue: "q1"})
	figures := s.keys.queue(1) + "figures"
	slot, err := s.client.ClusterKeySlot(t.Context(), figures).Result()
	must(t, err)
	master, err := s.node(t.Context(), figures)
	must(t, err)
	at := slices.Index(addrs, master.Options().Addr)
	stop := make(chan struct{})
	done := make(chan map[store.ID]bool)
	go func() { done <- stream(t.Context(), stop, s, func(err error) { t.Error(err) }) }()
	for range 2 {
		time.Sleep(300 * time.Millisecond)
		to := (at + 1) % 3
		redistest.Reshard(t, nodes, nodes[at], nodes[to], slot)
		at = to
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	all := <-done
	t.Log(len(all), "jobs")
	all[submitTest(t, s, store.NewJob{Queue: "q0"}).ID] = false
	checkNothingIsStuck(t, s)
	checkIndexes(t, s)
}
