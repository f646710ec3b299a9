package redisstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"optimus/store"
)

const (
	// idGoodFor is how long an id that was made ahead may be used; after that a new one takes its place.
	idGoodFor = time.Minute
	// revokedFor is how long an id is known not to be used any more: longer than it is good for.
	revokedFor = 2 * idGoodFor
	// keyTries bounds how often a submission begins anew since its id was revoked.
	keyTries = 8
)

// ids are made ahead of a submission, so that sending it twice makes one job.
type ids struct {
	mu   sync.Mutex
	last map[uint16]store.ID
}

// newID makes an id that sorts after all that this process has made for the queue.
func (s *Store) newID(queue uint16) store.ID {
	now := s.now()
	s.ids.mu.Lock()
	defer s.ids.mu.Unlock()
	id := store.NextID(s.ids.last[queue], now, queue, 0)
	s.ids.last[queue] = id
	return id
}

// follow has later ids sort after this one.
func (s *Store) follow(id store.ID) {
	s.ids.mu.Lock()
	defer s.ids.mu.Unlock()
	if last := s.ids.last[id.Queue()]; bytes.Compare(last[:], id[:]) < 0 {
		s.ids.last[id.Queue()] = id
	}
}

// idBits are the last of an id, by which those of one queue and millisecond are in order.
const idBits = 46

// idOf is the id of a queue that has this time, in ms since 1970, and these last bits.
func idOf(queue uint16, ms, rest int64) (id store.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|8<<12)                     //nolint:gosec // the scripts' numbers are not negative
	binary.BigEndian.PutUint64(id[8:], 2<<62|uint64(queue)<<idBits|uint64(rest)) //nolint:gosec // likewise
	return id
}

// outcome is what came of sending a submission.
type outcome string

const (
	made    outcome = "ok"
	revoked outcome = "revoked"
	stale   outcome = "stale"
	early   outcome = "early"
)

// submission is a job to be, as the script takes it.
type submission struct {
	store.NewJob
	payload []byte
}

// Submit makes the job durable and queued.
func (s *Store) Submit(ctx context.Context, n store.NewJob) (job store.Job, replayed bool, err error) {
	payload, err := s.o.EncodeSubmission(n)
	if err != nil {
		return store.Job{}, false, err
	}
	if err := ctx.Err(); err != nil {
		return store.Job{}, false, fmt.Errorf("submit: %w", err)
	}
	if n.MaxAttempts == 0 {
		n.MaxAttempts = s.o.MaxAttempts
	}
	queue, err := s.queueFor(ctx, n.Queue)
	if err != nil {
		return store.Job{}, false, err
	}
	if err := s.sync(ctx); err != nil {
		return store.Job{}, false, err
	}
	sub := &submission{n, payload}
	if n.Key != "" {
		return s.submitKeyed(ctx, queue, sub)
	}
	for {
		id := s.newID(queue)
		what, err := s.sendSubmission(ctx, id, sub, false)
		if err != nil {
			return store.Job{}, false, err
		}
		if what != early && what != stale {
			return s.newJob(id, n), false, nil
		}
		// Its job is not there: a later id, or one of the time to which the server's clock was set, makes it.
	}
}

// newJob is a job as it is when it was just submitted.
func (s *Store) newJob(id store.ID, n store.NewJob) store.Job {
	return store.Job{
		ID: id, Tenant: n.Tenant, Queue: s.queues.name(id.Queue()), Lane: n.Lane(), Priority: n.Priority,
		State: store.Queued, MaxAttempts: n.MaxAttempts, Created: id.Time(), Labels: n.Labels, Trace: n.Trace, Submission: &n.Submission,
	}
}

// sendSubmission makes the job of an id that was made ahead. known: others may know the id.
func (s *Store) sendSubmission(ctx context.Context, id store.ID, n *submission, known bool) (outcome, error) {
	lane := n.Lane()
	more, err := json.Marshal(details{Language: lane.Language, Tier: lane.Tier, Labels: n.Labels, Trace: n.Trace, Key: n.Key})
	if err != nil {
		return "", fmt.Errorf("submit: %w: %w", store.ErrInvalid, err)
	}
	c := s.queueCall("submit", id.Queue(), 12, s.o.MaxDepth, s.o.MaxBytes, s.o.TenantRunning, idGoodFor.Microseconds(), s.o.TenantQueued,
		id.String(), n.payload, n.Tenant, laneText(lane), n.Priority, n.MaxAttempts, more, flag(known))
	c.acknowledged = true
	list, err := s.runQueue(ctx, "submit", id.Queue(), c, false)
	if err != nil {
		return "", err
	}
	switch what := textAt(list, 0); what {
	case "full":
		return "", s.full(id.Queue(), list)
	case "drained":
		return "", fmt.Errorf("queue %q: %w", n.Queue, store.ErrQueueDrained)
	case string(early):
		s.follow(idOf(id.Queue(), numberAt(list, 1), numberAt(list, 2)))
		return early, nil
	default:
		return outcome(what), nil
	}
}

// full says by which limit a queue is full.
func (s *Store) full(queue uint16, list []any) *store.QueueFullError {
	full := &store.QueueFullError{Queue: s.queues.name(queue), RetryAfter: time.Minute}
	switch numberAt(list, 1) {
	case 0:
		full.Depth = s.o.MaxDepth
	case 1:
		full.Bytes = s.o.MaxBytes
	default:
		full.TenantQueued = s.o.TenantQueued
	}
	if ended, minutes := numberAt(list, 2), numberAt(list, 3); ended > 0 {
		full.RetryAfter = max(time.Second, time.Duration(minutes)*time.Minute/time.Duration(ended))
	}
	return full
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// submitKeyed makes the job of an idempotency key, or finds it: it reserves the key for an id, makes the
// job, and confirms the key. Whoever meets a reservation without its job finishes what was begun.
func (s *Store) submitKeyed(ctx context.Context, queue uint16, n *submission) (store.Job, bool, error) {
	own, replace, lost := s.newID(queue), "", false
	for range keyTries {
		state, id, err := s.reserve(ctx, n, own, replace)
		if err != nil {
			return store.Job{}, false, err
		}
		replace = id.String()
		switch state {
		case "conflict":
			// A reservation for another payload is in the way only if its job is there, or if it has
			// taken this one's place.
			free := false
			if id.pending && !lost {
				free, err = s.revoke(ctx, id.ID)
			}
			if err != nil || !free {
				return store.Job{}, false, errors.Join(err, fmt.Errorf("key %.40q: %w", n.Key, store.ErrKeyConflict))
			}
		case "c", imports:
			job, err := s.Get(ctx, id.ID)
			if !errors.Is(err, store.ErrNotFound) {
				return job, true, err
			}
			if state == imports {
				return store.Job{}, false, fmt.Errorf("submit with key %.40q: %w: an import is about to bring its job", n.Key, store.ErrUnavailable)
			}
			// It was deleted, and its key with it.
		default:
			job, replayed, again, err := s.finishKeyed(ctx, id.ID, n)
			if !again {
				return job, replayed, err
			}
			lost, own = true, s.newID(queue)
		}
	}
	return store.Job{}, false, fmt.Errorf("submit with key %.40q: %w: others submit with it too", n.Key, store.ErrUnavailable)
}

// finishKeyed makes the job of a reserved id. again: the id must not be used any more.
func (s *Store) finishKeyed(ctx context.Context, id store.ID, n *submission) (job store.Job, replayed, again bool, err error) {
	what, err := s.sendSubmission(ctx, id, n, true)
	switch {
	case errors.Is(err, store.ErrQueueFull), errors.Is(err, store.ErrQueueDrained):
		if s.release(ctx, n.Tenant, n.Key, id, false) {
			return job, false, false, err
		}
		// Others know the id, and may find room for it.
		free, revokeErr := s.revoke(ctx, id)
		if revokeErr != nil || free {
			s.release(ctx, n.Tenant, n.Key, id, free)
			return job, false, false, errors.Join(err, revokeErr)
		}
	case err != nil:
		return job, false, false, err
	case what == stale, what == early:
		if free, err := s.revoke(ctx, id); err != nil || free {
			return job, false, err == nil, err
		}
	case what == revoked:
		return job, false, true, nil
	}
	s.confirm(n, id)
	if what == made {
		return s.newJob(id, n.NewJob), false, false, nil
	}
	job, err = s.Get(ctx, id)
	return job, true, false, err
}

// reservation is the id that a key's record names.
type reservation struct {
	store.ID
	// pending: its job need not be there.
	pending bool
}

// reserve binds the key to an id, or says to which one it is bound.
func (s *Store) reserve(ctx context.Context, n *submission, own store.ID, replace string) (state string, id reservation, err error) {
	c := s.keyCall("reserve", n.Tenant, n.Key, s.timeArg(), own.String(), hex.EncodeToString(n.PayloadHash[:]), s.o.KeyTTL.Milliseconds(), replace)
	c.acknowledged = true
	value, err := s.run(ctx, "reserve key", c)
	if err != nil {
		return "", id, err
	}
	list, err := asList("reserve key", value)
	if err != nil {
		return "", id, err
	}
	id.ID, err = store.ParseID(textAt(list, 1))
	if err != nil {
		return "", id, fmt.Errorf("reserve key: %w: %w", store.ErrSchema, err)
	}
	id.pending = textAt(list, 2) != "c" && textAt(list, 2) != imports
	return textAt(list, 0), id, nil
}

func (s *Store) keyCall(name, tenant, key string, args ...any) *call {
	return &call{script: s.scripts[name], keys: []string{s.keys.key(tenant, key)}, args: args}
}

// timeArg is the first argument of scripts of no queue.
func (s *Store) timeArg() any {
	if s.ro.LocalClock {
		return s.o.Now().UnixMicro()
	}
	return ""
}

// confirm notes that the job is there. Nobody waits for it: without it others merely look.
func (s *Store) confirm(n *submission, id store.ID) {
	c := s.keyCall("confirm", n.Tenant, n.Key, id.String())
	s.behind(func(ctx context.Context) { _, _ = s.send(ctx, c, false) })
}

// release forgets a key that is bound to the id, and tells whether that is done; force: whoever else
// knows the id.
func (s *Store) release(ctx context.Context, tenant, key string, id store.ID, force bool) bool {
	value, err := s.run(ctx, "release key", s.keyCall("release", tenant, key, id.String(), flag(force)))
	n, _ := value.(int64)
	return err == nil && n == 1
}

// revoke makes an id useless, unless its job is there.
func (s *Store) revoke(ctx context.Context, id store.ID) (bool, error) {
	c := s.queueCall("revoke", id.Queue(), -1, id.String(), revokedFor.Milliseconds())
	c.acknowledged = true
	list, err := s.runQueue(ctx, "revoke id", id.Queue(), c, false)
	return textAt(list, 0) == "ok", err
}

// LookupKey gives the id that the tenant's key was used for.
func (s *Store) LookupKey(ctx context.Context, tenant, key string, payload [32]byte) (store.ID, error) {
	unknown := fmt.Errorf("idempotency key %.40q: %w", key, store.ErrNotFound)
	if key == "" || len(key) > store.MaxKey || len(tenant) > store.MaxName {
		return store.ID{}, unknown
	}
	if s.isClosed() {
		return store.ID{}, store.ErrClosed
	}
	value, err := s.run(ctx, "look up key", s.keyCall("lookup", tenant, key, s.timeArg()))
	if err != nil {
		return store.ID{}, err
	}
	list, err := asList("look up key", value)
	if err != nil || len(list) == 0 {
		return store.ID{}, errors.Join(err, unknown)
	}
	id, err := store.ParseID(textAt(list, 1))
	if err != nil {
		return store.ID{}, fmt.Errorf("look up key: %w: %w", store.ErrSchema, err)
	}
	if textAt(list, 0) != "c" {
		// It is reserved; whether it was used its job tells.
		if _, err := s.Get(ctx, id); err != nil {
			return store.ID{}, err
		}
	}
	if textAt(list, 2) != hex.EncodeToString(payload[:]) {
		return store.ID{}, fmt.Errorf("key %.40q: %w", key, store.ErrKeyConflict)
	}
	return id, nil
}
