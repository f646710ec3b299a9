package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

const (
	// pipes is how many pipelines to a node are under way at once.
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
	// merges: calls of the script for one queue may share a run of it, see lua/lib/many.lua.
	merges bool
	// acknowledged: the answer is a promise to a client, so it must be as durable as the store is.
	acknowledged bool
}

// sent is one try of a call.
type sent struct {
	*call
	node  *redis.Client
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
	err = s.patiently(ctx, doing, func(ctx context.Context) error {
		value, err = s.send(ctx, c, before)
		before = true
		return err
	})
	return value, err
}

// patiently does something again while the server cannot be reached, for as long as the options allow. A
// server that takes what it is sent and does not answer is given up too, behind whatever else the call waits:
// whether it has run is open then.
func (s *Store) patiently(asked context.Context, doing string, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(asked, s.ro.RetryFor+s.ro.Timeout)
	defer cancel()
	var patience <-chan time.Time // from the first failure on
	delay := retryFirst
	for {
		if err := s.refused(); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		err := do(ctx)
		if err != nil && ctx.Err() != nil && asked.Err() == nil {
			return fmt.Errorf("%s: %w: Redis has not answered for %s: %w", doing, store.ErrUnavailable, s.ro.RetryFor+s.ro.Timeout, err)
		}
		if err == nil || !later(err) {
			return s.foreign(doing, err)
		}
		if patience == nil {
			limit := time.NewTimer(s.ro.RetryFor)
			defer limit.Stop()
			patience = limit.C
		}
		if cluster, ok := s.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-patience:
			timer.Stop()
			return s.foreign(doing, err)
		case <-ctx.Done():
			timer.Stop()
			return s.foreign(doing, err)
		}
		delay = min(2*delay, retryMost)
	}
}

// read sends commands that only read, in one pipeline for each node. ask may be called again.
func (s *Store) read(ctx context.Context, doing string, ask func(redis.Pipeliner)) error {
	return s.patiently(ctx, doing, func(ctx context.Context) error {
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
	if err := errors.Join(ctx.Err(), s.refused()); err != nil {
		return nil, err
	}
	node, err := s.node(ctx, c.keys[0])
	if err != nil {
		return nil, err
	}
	try := &sent{call: c, node: node, args: c.args, done: make(chan struct{})}
	if before && c.again > 0 {
		try.args = append([]any(nil), c.args...)
		try.args[c.again] = "1"
	}
	s.closing.RLock()
	if s.closed {
		s.closing.RUnlock()
		return nil, redis.ErrClosed
	}
	select {
	case s.callsTo(node) <- try: //nolint:contextcheck // the pipes last as long as the store; they drain it until Close has the lock
	case <-ctx.Done(): // they wait for a server that does not answer
		s.closing.RUnlock()
		return nil, ctx.Err()
	}
	s.closing.RUnlock()
	select {
	case <-try.done:
		return try.value, try.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maxMerged bounds the calls that share a run of a script, and with maxMergedBytes what they carry.
const (
	maxMerged      = 32
	maxMergedBytes = 256 << 10
)

// commonArgs is how many arguments all scripts of a queue have.
const commonArgs = 4

// run is one run of a script on a server, for one call or for several.
type run struct {
	tries []*sent
	bytes int
	cmd   *redis.Cmd
}

// runsOf says which calls share a run.
func runsOf(tries []*sent) (runs []*run) {
	open := map[string]*run{}
	for _, try := range tries {
		size := 0
		for _, a := range try.args {
			if b, ok := a.([]byte); ok {
				size += len(b)
			}
		}
		name := try.script.name + " " + try.keys[0]
		r := open[name]
		if r == nil || !try.merges || len(r.tries) == maxMerged || r.bytes+size > maxMergedBytes {
			r = &run{}
			open[name] = r
			runs = append(runs, r)
		}
		r.tries, r.bytes = append(r.tries, try), r.bytes+size
	}
	return runs
}

// args are what the script is given.
func (r *run) args() []any {
	first := r.tries[0]
	if !first.merges {
		return first.args
	}
	shared := first.script.shared
	all := append(make([]any, 0, 1+(len(first.args)+1)*len(r.tries)), first.args[:shared]...)
	all = append(all, len(r.tries))
	for _, try := range r.tries {
		all = append(append(all, len(try.args)-shared), try.args[shared:]...)
	}
	return all
}

// answer gives each call its part of what the script has answered.
func (r *run) answer(failed error) {
	value, err := r.cmd.Result()
	if err == nil && value == nil {
		err = failed
	}
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	list, _ := value.([]any)
	for i, try := range r.tries {
		try.value, try.err = value, err
		if !try.merges || err != nil {
			continue
		}
		try.value = nil
		if i < len(list) {
			try.value = list[i]
		}
		if own, ok := try.value.([]any); ok && textAt(own, 0) == "error" {
			try.err = replyError(textAt(own, 1))
		}
	}
}

// replyError is what a server has said of one of several calls.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError makes it a redis.Error.
func (e replyError) RedisError() {}

// pipeline runs calls on one connection, and gives those whose script the server does not know.
func (s *Store) pipeline(ctx context.Context, node *redis.Client, tries []*sent) (missing []*sent) {
	p := node.Pipeline()
	runs := runsOf(tries)
	for _, r := range runs {
		r.cmd = p.EvalSha(ctx, r.tries[0].script.sha, r.tries[0].keys, r.args()...)
	}
	var wait *redis.Cmd
	if s.ro.Durability == Replicated && slices.ContainsFunc(tries, func(try *sent) bool { return try.acknowledged }) {
		wait = p.Do(ctx, "WAIT", s.ro.Replicas, replicaTimeout.Milliseconds())
	}
	_, failed := p.Exec(ctx) // each command has its own error, unless there was no connection
	for _, r := range runs {
		r.answer(failed)
		if err := r.tries[0].err; err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT ") {
			missing = append(missing, r.tries...)
		}
	}
	for _, try := range tries {
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
	c := &call{script: s.scripts[name], merges: s.scripts[name].merges, keys: []string{s.keys.queue(queue) + "figures"}, args: all}
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
