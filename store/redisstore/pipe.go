package redisstore

import (
	"context"
	"fmt"
	"runtime"

	"github.com/redis/go-redis/v9"
)

// callsTo gives the calls that wait for the pipes to a node. Each of a Cluster's nodes has its own, so that one
// which does not answer keeps only those waiting who ask it.
func (s *Store) callsTo(node *redis.Client) chan *sent {
	at := ""
	if s.ro.Cluster {
		at = node.Options().Addr
	}
	s.piping.Lock()
	defer s.piping.Unlock()
	calls := s.calls[at]
	if calls == nil {
		calls = make(chan *sent, maxBatch)
		s.calls[at] = calls
		for range pipes {
			s.piped.Go(func() { s.pipe(calls) })
		}
	}
	return calls
}

// pipe sends calls until there will be no more. It answers all who ask before the end.
func (s *Store) pipe(calls chan *sent) {
	ctx := context.WithoutCancel(s.after)
	for first := range calls {
		s.exchange(ctx, gather(calls, first))
	}
}

// gather takes the calls that wait. Whoever was answered by the last pipeline is about to ask for
// more: it yields for as long as that brings any, so that they share this one.
func gather(calls chan *sent, first *sent) []*sent {
	batch := []*sent{first}
	for before := 0; before < len(batch) && len(batch) < maxBatch; {
		before = len(batch)
		runtime.Gosched()
		for len(batch) < maxBatch {
			try := waitingCall(calls)
			if try == nil {
				break
			}
			batch = append(batch, try)
		}
	}
	return batch
}

// waitingCall takes a call, nil where none waits: to wait for one here, which another pipe has taken, would
// keep those waiting that were gathered already.
func waitingCall(calls chan *sent) *sent {
	select {
	case try := <-calls:
		return try
	default:
		return nil
	}
}

// exchange sends calls to a node, in one pipeline, and answers each. A client that was replaced has its own.
func (s *Store) exchange(ctx context.Context, batch []*sent) {
	nodes := map[*redis.Client][]*sent{}
	for _, try := range batch {
		nodes[try.node] = append(nodes[try.node], try)
	}
	for node, tries := range nodes {
		missing := s.pipeline(ctx, node, tries)
		if len(missing) > 0 {
			s.load(ctx, node, missing)
			s.pipeline(ctx, node, missing)
		}
		for _, try := range tries {
			close(try.done)
		}
	}
}

// node is the server that holds a key: the only one, or the master of its slot.
func (s *Store) node(ctx context.Context, key string) (*redis.Client, error) {
	switch c := s.client.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		return c.MasterForKey(ctx, key) //nolint:wrapcheck // foreign does
	}
	return nil, fmt.Errorf("no client for %T", s.client)
}
