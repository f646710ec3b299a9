package webtest

import (
	"context"
	"time"

	"optimus/store"
)

// perMinute counts submissions alone.
func (s *Store) perMinute() []store.MinuteCounters {
	minutes := make([]store.MinuteCounters, 60)
	first := s.now().UTC().Truncate(time.Minute).Add(-59 * time.Minute)
	for i := range minutes {
		minutes[i].Minute = first.Add(time.Duration(i) * time.Minute)
	}
	for _, e := range s.jobs {
		if i := e.job.Created.Sub(first) / time.Minute; i >= 0 && int(i) < len(minutes) {
			minutes[i].Submitted++
		}
	}
	return minutes
}

// Describe implements store.Operator.
func (s *Store) Describe(context.Context) (store.Description, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Description{Kind: store.KindFile, Durability: "local", Bytes: 4096, Free: 1 << 30, Warnings: []string{"it is in memory: use another"}}, s.fail
}

// Schema implements store.Operator.
func (s *Store) Schema(context.Context) (store.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return store.Schema{Written: 1, MinReader: 1, Known: 1}, s.fail
}
