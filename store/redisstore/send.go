package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

const (
	// pipes is how many pipelines are under way at once.
	pipes = 2
	// maxBatch is how many calls share one pipeline.
	maxBatch = 256
	// A call that has failed is sent again after retryFirst, then twice that, and so on to retryMost.
	retryFirst = 5 * time.Millisecond
	retryMost  = 250 * time.Millisecond
)

// call is one run of a script.
type call struct {
	script *script
	keys   []string
	args   []any
	// again, where not 0, is the place in args of what tells the script that it was sent before.
	again int
	// acknowledged: the answer is a promise to a client, so it must be as durable as the store is.
	acknowledged bool
}

// sent is one try of a call.
type sent struct {
	*call
	args  []any
	value any
	err   error
	done  chan struct{}
}

// run runs a script, and tries again while the server cannot be reached. An error that says so leaves
// open whether the script has run; running it again must do no harm.
func (s *Store) run(ctx context.Context, doing string, c *call) (any, error) {
	return s.runAgain(ctx, doing, c, false)
}

// runAgain is run; before tells that the call was sent before.
func (s *Store) runAgain(ctx context.Context, doing string, c *call, before bool) (value any, err error) {
	err = s.patiently(ctx, doing, func() error {
		value, err = s.send(ctx, c, before)
		before = true
		return err
	})
	return value, err
}

// patiently does something again while the server cannot be reached, for as long as the options allow.
func (s *Store) patiently(ctx context.Context, doing string, do func() error) error {
	patience, cancel := context.WithTimeout(ctx, s.ro.RetryFor)
	defer cancel()
	delay := retryFirst
	for {
		err := do()
		if err == nil || !later(err) || patience.Err() != nil {
			return s.foreign(doing, err)
		}
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-patience.Done():
			timer.Stop()
			return s.foreign(doing, err)
		}
		delay = min(2*delay, retryMost)
	}
}

// read sends commands that only read, in one pipeline for each node. ask may be called again.
func (s *Store) read(ctx context.Context, doing string, ask func(redis.Pipeliner)) error {
	return s.patiently(ctx, doing, func() error {
		p := s.client.Pipeline()
		ask(p)
		_, err := p.Exec(ctx)
		if errors.Is(err, redis.Nil) {
			return nil // a key that is not there
		}
		return err //nolint:wrapcheck // patiently does
	})
}

// send hands a call to the pipes, and waits for its answer.
func (s *Store) send(ctx context.Context, c *call, before bool) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	try := &sent{call: c, args: c.args, done: make(chan struct{})}
	if before && c.again > 0 {
		try.args = append([]any(nil), c.args...)
		try.args[c.again] = "1"
	}
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return nil, redis.ErrClosed
	}
	s.calls <- try // the pipes drain it until Close has the lock
	s.closing.RUnlock()
	select {
	case <-try.done:
		return try.value, try.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipe sends calls until there will be no more.
func (s *Store) pipe(ctx context.Context) {
	for first := range s.calls {
		s.exchange(ctx, s.gather(first))
	}
}

// gather takes the calls that wait. Whoever was answered by the last pipeline is about to ask for
// more: it yields for as long as that brings any, so that they share this one.
func (s *Store) gather(first *sent) []*sent {
	batch := []*sent{first}
	for before := 0; before < len(batch) && len(batch) < maxBatch; {
		before = len(batch)
		runtime.Gosched()
		for len(batch) < maxBatch {
			try := s.waitingCall()
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
func (s *Store) waitingCall() *sent {
	select {
	case try := <-s.calls:
		return try
	default:
		return nil
	}
}

// exchange sends calls, one pipeline for each node, and answers each.
func (s *Store) exchange(ctx context.Context, batch []*sent) {
	nodes := map[*redis.Client][]*sent{}
	for _, try := range batch {
		node, err := s.node(ctx, try.keys[0])
		if err != nil {
			try.err = err
			close(try.done)
			continue
		}
		nodes[node] = append(nodes[node], try)
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

// pipeline runs calls on one connection, and gives those whose script the server does not know.
func (s *Store) pipeline(ctx context.Context, node *redis.Client, tries []*sent) (missing []*sent) {
	p := node.Pipeline()
	cmds := make([]*redis.Cmd, len(tries))
	var wait *redis.Cmd
	for i, try := range tries {
		cmds[i] = p.EvalSha(ctx, try.script.sha, try.keys, try.args...)
	}
	for _, try := range tries {
		if try.acknowledged && s.ro.Durability == Replicated {
			wait = p.Do(ctx, "WAIT", s.ro.Replicas, replicaTimeout.Milliseconds())
			break
		}
	}
	_, failed := p.Exec(ctx) // each command has its own error, unless there was no connection
	for i, try := range tries {
		if try.value, try.err = cmds[i].Result(); try.err == nil && try.value == nil {
			try.err = failed
		}
		if errors.Is(try.err, redis.Nil) {
			try.err = nil
		}
		if try.err != nil && strings.HasPrefix(try.err.Error(), "NOSCRIPT ") {
			missing = append(missing, try)
		}
		if try.err == nil && try.acknowledged && wait != nil {
			try.err = s.replicated(wait)
		}
	}
	return missing
}

// replicaTimeout is how long replicas have to confirm what is acknowledged.
const replicaTimeout = time.Second

// replicated tells whether enough replicas have all that the connection has written.
func (s *Store) replicated(wait *redis.Cmd) error {
	n, err := wait.Int()
	if err == nil && n < s.ro.Replicas {
		err = fmt.Errorf("%w: %d of %d", errNotReplicated, n, s.ro.Replicas)
	}
	return err
}

// load brings the scripts of calls to a server that does not know them.
func (s *Store) load(ctx context.Context, node *redis.Client, tries []*sent) {
	loaded := map[string]bool{}
	p := node.Pipeline()
	for _, try := range tries {
		if !loaded[try.script.sha] {
			loaded[try.script.sha] = true
			p.ScriptLoad(ctx, try.script.text)
		}
	}
	_, _ = p.Exec(ctx) // the calls that follow say what is wrong
}

// preload brings all scripts to the server, or to one of a Cluster's; what fails is made up for later.
func (s *Store) preload(ctx context.Context) {
	node, err := s.node(ctx, s.keys.meta)
	if err != nil {
		return
	}
	var all []*sent
	for _, sc := range s.scripts {
		all = append(all, &sent{call: &call{script: sc}})
	}
	s.load(ctx, node, all)
}

// queueCall is a call of a script of a queue: see lua/lib/queue.lua for the arguments that all have.
// again counts from the first of args; -1 for none.
func (s *Store) queueCall(name string, queue uint16, again int, args ...any) *call {
	all := make([]any, 0, 4+len(args))
	now, last := s.clockArgs(queue)
	all = append(append(all, now, last, s.o.MaxEvents, s.o.MaxEventBytes), args...)
	c := &call{script: s.scripts[name], keys: []string{s.keys.queue(queue) + "figures"}, args: all}
	if again >= 0 {
		c.again = 4 + again
	}
	return c
}

// runQueue runs a script of a queue, and gives the array that it answers.
func (s *Store) runQueue(ctx context.Context, doing string, queue uint16, c *call, before bool) ([]any, error) {
	value, err := s.runAgain(ctx, doing, c, before)
	if err != nil {
		return nil, err
	}
	s.heard(queue)
	return asList(doing, value)
}

func asList(doing string, value any) ([]any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s: %w: a script answered %T", doing, store.ErrSchema, value)
	}
	return list, nil
}

// textAt is the text at a place of a script's answer; empty where none is.
func textAt(list []any, i int) string {
	if i >= len(list) {
		return ""
	}
	switch v := list[i].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func numberAt(list []any, i int) int64 {
	if i >= len(list) {
		return 0
	}
	n, _ := list[i].(int64)
	return n
}
