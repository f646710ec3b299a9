package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// queues are those that this process knows, by number and name.
type queues struct {
	mu      sync.RWMutex
	names   map[uint16]string
	numbers map[string]uint16
}

func (q *queues) name(number uint16) string {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.names[number]
}

func (q *queues) number(name string) (uint16, bool) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	n, ok := q.numbers[name]
	return n, ok
}

// all gives the queues' numbers, rising.
func (q *queues) all() []uint16 {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return slices.Sorted(maps.Keys(q.names))
}

// byNumber gives the queues' names.
func (q *queues) byNumber() map[uint16]string {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return maps.Clone(q.names)
}

// named gives the queues of these names, those that exist; all for none.
func (q *queues) named(names []string) []uint16 {
	if len(names) == 0 {
		return q.all()
	}
	var numbers []uint16
	for _, name := range names {
		if n, ok := q.number(name); ok && !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// learn takes what the server has said, and gives the numbers that are new. Queues do not go, so what is
// known already and is missing here came later than the answer.
func (q *queues) learn(names map[uint16]string) (added []uint16) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n, name := range names {
		old, known := q.names[n]
		if !known {
			added = append(added, n)
		}
		if known && old != name {
			delete(q.numbers, old)
		}
		q.names[n], q.numbers[name] = name, n
	}
	return added
}

// readQueues learns which queues there are. Who waits here also waits in the new ones: the news of them
// tells nothing new any more.
func (s *Store) readQueues(ctx context.Context) error {
	added, err := s.learnQueues(ctx)
	if err != nil {
		return err
	}
	return s.adopt(ctx, added, true)
}

// learnQueues is readQueues, and gives those that are new.
func (s *Store) learnQueues(ctx context.Context) ([]uint16, error) {
	var all *redis.MapStringStringCmd
	var meta *redis.SliceCmd
	err := s.read(ctx, "read queues", func(p redis.Pipeliner) {
		all = p.HGetAll(ctx, s.keys.names)
		meta = p.HMGet(ctx, s.keys.meta, metaWritten, metaMinReader) // behind the names, see Upgrade
	})
	if err != nil {
		return nil, err
	}
	if err := s.checkSchema(meta.Val()); err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	names := map[uint16]string{}
	for text, name := range all.Val() {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%w: queue %q has the number %q", store.ErrSchema, name, text)
		}
		names[uint16(n)] = name
	}
	return s.queues.learn(names), nil
}

// queueOf gives the number of the job's queue, which must exist.
func (s *Store) queueOf(ctx context.Context, id store.ID) (uint16, error) {
	n := id.Queue()
	if s.queues.name(n) != "" {
		return n, nil
	}
	if s.isClosed() {
		return 0, store.ErrClosed
	}
	if err := s.readQueues(ctx); err != nil {
		return 0, err
	}
	if s.queues.name(n) == "" {
		return 0, fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return n, nil
}

func (s *Store) isClosed() bool {
	s.closing.RLock()
	defer s.closing.RUnlock()
	return s.leaving || s.closed
}

// numberQueues gives the queues that the options number their numbers, all of them or none. A queue that has
// another one keeps it, which is an error: whoever knows the queue by number would look at another one's keys.
func (s *Store) numberQueues(ctx context.Context) error {
	for range keyTries {
		made := map[uint16]string{}
		for _, name := range slices.Sorted(maps.Keys(s.ro.Queues)) {
			number := s.ro.Queues[name]
			has, known := s.queues.number(name)
			holder := s.queues.name(number)
			switch {
			case known && has != number:
				return fmt.Errorf("%w: queue %q has the number %d in this store, and is stated to have %d", ErrNumbered, name, has, number)
			case !known && holder != "":
				return fmt.Errorf("%w: queue %q is stated to have the number %d, which queue %q has in this store",
					ErrNumbered, name, number, holder)
			case !known:
				made[number] = name
			}
		}
		if len(made) == 0 {
			return nil
		}
		done, err := s.makeQueues(ctx, made)
		if done || err != nil {
			return err
		}
		if err := s.readQueues(ctx); err != nil { // others have made a queue meanwhile
			return err
		}
	}
	return fmt.Errorf("number queues: %w: others make queues too", store.ErrUnavailable)
}

// makeQueues makes queues of these numbers and names, all of them or none; done is false where a number
// or a name is another queue's.
func (s *Store) makeQueues(ctx context.Context, made map[uint16]string) (done bool, err error) {
	numbers := slices.Sorted(maps.Keys(made))
	args := []any{s.keys.newsChannel}
	for _, n := range numbers {
		args = append(args, int(n), made[n])
	}
	value, err := s.run(ctx, "make queues", &call{
		script: s.scripts["adopt"], keys: []string{s.keys.numbers, s.keys.names}, args: args, acknowledged: true,
	})
	if n, _ := value.(int64); err != nil || n != 1 {
		return false, err
	}
	if err := s.readQueues(ctx); err != nil {
		return false, err
	}
	// Who waits here must be known there before the first job comes.
	return true, s.adopt(ctx, numbers, false)
}

// queueFor gives the number of the queue of the name, which is made where it is new.
func (s *Store) queueFor(ctx context.Context, name string) (uint16, error) {
	if n, known := s.queues.number(name); known {
		return n, nil
	}
	value, err := s.run(ctx, "make queue", &call{
		script: s.scripts["register"], keys: []string{s.keys.numbers, s.keys.names},
		args: []any{name, store.MaxQueueNumber, s.keys.newsChannel}, acknowledged: true,
	})
	if err != nil {
		return 0, err
	}
	n, _ := value.(int64)
	if n < 1 || n > store.MaxQueueNumber {
		return 0, fmt.Errorf("%w: queue %q would be one more than %d", store.ErrInvalid, name, store.MaxQueueNumber)
	}
	if err := s.readQueues(ctx); err != nil {
		return 0, err
	}
	// Who waits here must be known there before the first job comes.
	return uint16(n), s.adopt(ctx, []uint16{uint16(n)}, false)
}
