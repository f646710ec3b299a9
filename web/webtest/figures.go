package webtest

import (
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
