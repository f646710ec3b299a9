package redisstore

import (
	"context"
	"sync"
	"time"
)

// clock is what a process knows of the server's time: ids are made of it, so that the clock of a
// machine that is wrong harms no order.
type clock struct {
	mu sync.Mutex
	// synced is this process's time when it last asked, offset what the server was ahead then.
	synced time.Time
	offset time.Duration
	// heard is when each queue last answered.
	heard map[uint16]time.Time
}

const (
	// syncEvery is how long a look at the server's clock is good for.
	syncEvery = 10 * time.Second
	// heardMargin is what a process's idea of the server's time may be wrong by.
	heardMargin = 100 * time.Millisecond
)

// now is the store's time: the server's, or that of a test.
func (s *Store) now() time.Time {
	now := s.o.Now().UTC()
	if s.ro.LocalClock {
		return now.Round(0)
	}
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	return now.Add(s.clock.offset).Round(0)
}

// sync asks for the server's time, where that was long ago or this machine's clock has been set.
func (s *Store) sync(ctx context.Context) error {
	if s.ro.LocalClock {
		return nil
	}
	now := s.o.Now().UTC()
	s.clock.mu.Lock()
	// Both readings, the one of the wall and the monotonic one, must say that it was not long ago.
	age, wall := now.Sub(s.clock.synced), now.Round(0).Sub(s.clock.synced.Round(0))
	s.clock.mu.Unlock()
	if age < syncEvery && wall > -time.Second && wall < syncEvery {
		return nil
	}
	var server time.Time
	err := s.patiently(ctx, "ask for the time", func(ctx context.Context) error {
		node, err := s.node(ctx, s.keys.meta)
		if err != nil {
			return err
		}
		server, err = node.Time(ctx).Result()
		return err //nolint:wrapcheck // patiently does
	})
	if err != nil {
		return err
	}
	after := s.o.Now().UTC()
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.synced = after
	s.clock.offset = server.Sub(after.Round(0))
	return nil
}

// clockArgs are the first two arguments of every script of a queue.
func (s *Store) clockArgs(queue uint16) (now, last any) {
	now = ""
	if s.ro.LocalClock {
		now = s.o.Now().UnixMicro()
	}
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	last = 0
	if at := s.clock.heard[queue]; !at.IsZero() {
		last = at.UnixMicro()
	}
	return now, last
}

// heard notes that a queue has answered.
func (s *Store) heard(queue uint16) {
	now := s.now()
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	s.clock.heard[queue] = now.Add(-heardMargin)
}

// remainder is what a delay must be longer by, in µs, since the scripts' time is a whole number of µs.
func (s *Store) remainder() int {
	if s.ro.LocalClock && s.o.Now().Nanosecond()%int(time.Microsecond) != 0 {
		return 1
	}
	return 0
}
