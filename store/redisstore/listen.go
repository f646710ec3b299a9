package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

const (
	// registeredFor is how long a queue counts on a process that waits, refreshEvery how often that is
	// said anew.
	registeredFor = 150 * time.Second
	refreshEvery  = time.Minute
	// linger is how long a process stays registered for a lane for which nobody in it waits any more.
	linger = 2 * time.Second
	// pingEvery is how often the subscription is tried while nothing comes.
	pingEvery = 10 * time.Second
	// leaveWithin bounds what closing does for others' sake.
	leaveWithin = time.Second
)

// registered are the lanes for which queues tell this process.
type registered struct {
	// turn holds a value while somebody changes them, for which queues are asked: no mutex, so that whoever
	// waits for his turn can give up.
	turn  chan struct{}
	lanes map[string]bool
	// leaving: a look at what to leave is under way.
	leaving atomic.Bool
}

// take waits for one's turn, which done ends.
func (r *registered) take(ctx context.Context) (done func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen subscribes to what queues tell this process. It is the only subscription, whoever waits here.
func (s *Store) listen(ctx context.Context) error {
	channels := []string{s.keys.newsChannel, s.keys.processChannel(s.process)}
	sub := s.client.Subscribe(s.after, channels...) //nolint:contextcheck // it lasts as long as the store
	messages := sub.ChannelWithSubscriptions(redis.WithChannelSize(4096), redis.WithChannelHealthCheckInterval(pingEvery))
	patience, cancel := context.WithTimeout(ctx, s.ro.Timeout)
	defer cancel()
	for range channels {
		select {
		case <-messages:
		case <-patience.Done():
			return s.foreign("subscribe", errors.Join(cmp.Or(ctx.Err(), errNoAnswer), sub.Close()))
		}
	}
	go s.hear(sub, messages)
	s.behind(s.lookAround)
	return nil
}

// errNoAnswer: a server takes a connection, and does not speak.
var errNoAnswer = errors.New("no answer")

// hear does what messages say, until the store is closed.
func (s *Store) hear(sub *redis.PubSub, messages <-chan any) {
	defer close(s.listening)
	defer func() { _ = sub.Close() }()
	refresh := time.NewTicker(refreshEvery)
	defer refresh.Stop()
	for {
		select {
		case <-s.after.Done():
			return
		case <-refresh.C:
			s.behind(s.lookAround)
		case m, ok := <-messages:
			if !ok {
				return
			}
			switch m := m.(type) {
			case *redis.Subscription:
				// Connected anew: what was told meanwhile is lost.
				s.behind(func(ctx context.Context) {
					s.lookAround(ctx)
					s.waits.LookAll()
				})
			case *redis.Message:
				s.told(m.Payload)
			}
		}
	}
}

// lookAround learns what news may have told meanwhile, and keeps this process registered. What fails is made
// up for by the next.
func (s *Store) lookAround(ctx context.Context) {
	_, _ = s.learnQueues(ctx)
	_ = s.adopt(ctx, s.queues.all(), false)
}

// told does what a message says; see lua/lib/tell.lua.
func (s *Store) told(text string) {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "wake":
		parts := strings.SplitN(rest, " ", 3)
		if len(parts) != 3 {
			return
		}
		queue, err := strconv.ParseUint(parts[0], 10, 16)
		hops, err2 := strconv.Atoi(parts[1])
		why := wakeup{uint16(queue), parts[2], hops}
		if err == nil && err2 == nil && !s.waits.One(why.lane, why) && hops > 0 {
			why.hops--
			s.pass(why)
		}
	case "look":
		s.waits.Look()
	case "cancel":
		s.waits.Cancelled()
	case "event":
		if id, err := store.ParseID(rest); err == nil {
			s.waits.Event(id)
		}
	case "queue": // or a schema, which is read with them
		s.behind(func(ctx context.Context) {
			if added, err := s.learnQueues(ctx); err == nil {
				_ = s.adopt(ctx, added, true)
			}
		})
	}
}

// behind does something that nobody waits for.
func (s *Store) behind(do func(ctx context.Context)) {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if !s.closed {
		s.behinds.Go(func() { do(s.after) })
	}
}

// pass hands a wake-up on to another process.
func (s *Store) pass(why wakeup) {
	s.behind(func(ctx context.Context) {
		_, _ = s.run(ctx, "pass", s.queueCall("pass", why.queue, -1, why.lane, why.hops))
	})
}

// eachQueue runs a script of every queue named, all at once.
func (s *Store) eachQueue(ctx context.Context, queues []uint16, doing string, c func(uint16) *call, answer func(uint16, []any)) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, q := range queues {
		wg.Go(func() {
			value, err := s.run(ctx, doing, c(q))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			} else if list, ok := value.([]any); ok {
				answer(q, list)
			}
		})
	}
	wg.Wait()
	return failed
}

func (s *Store) waitCall(queue uint16, lanes []string) *call {
	args := []any{s.process, registeredFor.Microseconds()}
	for _, l := range lanes {
		args = append(args, l)
	}
	return s.queueCall("wait", queue, -1, args...)
}

// register has every queue tell this process of jobs of the lanes.
func (s *Store) register(ctx context.Context, lanes []string) error {
	done, err := s.registered.take(ctx)
	if err != nil {
		return s.foreign("wait", err)
	}
	defer done()
	var added []string
	for _, l := range lanes {
		if !s.registered.lanes[l] {
			added = append(added, l)
		}
	}
	if len(added) == 0 {
		return nil
	}
	err = s.eachQueue(ctx, s.queues.all(), "wait", func(q uint16) *call { return s.waitCall(q, added) }, func(uint16, []any) {})
	if err != nil {
		return err
	}
	for _, l := range added {
		s.registered.lanes[l] = true
	}
	return nil
}

// adopt has queues tell this process of what it waits for already. look: a job may have come before that.
func (s *Store) adopt(ctx context.Context, queues []uint16, look bool) error {
	done, err := s.registered.take(ctx)
	if err != nil {
		return s.foreign("wait", err)
	}
	defer done()
	var lanes []string
	for l := range s.registered.lanes {
		lanes = append(lanes, l)
	}
	if len(lanes) == 0 {
		return nil
	}
	return s.eachQueue(ctx, queues, "wait", func(q uint16) *call { return s.waitCall(q, lanes) }, func(q uint16, list []any) {
		for i, l := range lanes {
			if look && numberAt(list, i) == 1 {
				s.waits.One(l, wakeup{queue: q, lane: l})
			}
		}
	})
}

// unregisterSoon leaves, after a while, the lanes for which nobody here waits any more.
func (s *Store) unregisterSoon() {
	if !s.registered.leaving.CompareAndSwap(false, true) {
		return
	}
	s.behind(func(ctx context.Context) {
		timer := time.NewTimer(linger)
		defer timer.Stop()
		select {
		case <-timer.C:
			s.unregister(ctx, s.waits.Lanes)
		case <-ctx.Done():
		}
	})
}

// unregister leaves all lanes but those that are waited for, as they are by then.
func (s *Store) unregister(ctx context.Context, waited func() []string) {
	done, err := s.registered.take(ctx)
	if err != nil {
		return
	}
	defer done()
	s.registered.leaving.Store(false)
	stay := waited()
	var gone []string
	for l := range s.registered.lanes {
		if !slices.Contains(stay, l) {
			gone = append(gone, l)
		}
	}
	if len(gone) == 0 {
		return
	}
	all := len(gone) == len(s.registered.lanes)
	// Where it fails, the queues' wake-ups are passed on from here until the time runs out.
	_ = s.eachQueue(ctx, s.queues.all(), "end wait", func(q uint16) *call {
		args := []any{s.process, flag(all)}
		for _, l := range gone {
			args = append(args, l)
		}
		return s.queueCall("unwait", q, -1, args...)
	}, func(uint16, []any) {})
	for _, l := range gone {
		delete(s.registered.lanes, l)
	}
}

// leave ends all registrations, so that nobody is told of a job in this one's place.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(s.after, leaveWithin)
	defer cancel()
	s.unregister(ctx, func() []string { return nil })
}

// watch has a queue tell this process of a job's events, or no more.
func (s *Store) watch(ctx context.Context, queue uint16, id store.ID, begin bool) error {
	value, err := s.run(ctx, "watch", s.queueCall("watch", queue, -1, id.String(), s.process, flag(begin)))
	if err != nil {
		return err
	}
	list, err := asList("watch", value)
	if err == nil && textAt(list, 0) == "missing" {
		err = fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return err
}

// unwatched ends what nobody here watches any more; somebody may have begun to meanwhile.
func (s *Store) unwatched(ctx context.Context, queue uint16, id store.ID) {
	if s.waits.Watched(id) {
		return
	}
	_ = s.watch(ctx, queue, id, false)
	if s.waits.Watched(id) {
		_ = s.watch(ctx, queue, id, true)
	}
}
