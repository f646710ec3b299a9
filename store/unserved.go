package store

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// UnservedAfter is how long jobs must have waited before a queue counts as unserved: workers that an
// autoscaler starts for them need a while.
const UnservedAfter = time.Minute

// Unserved says why the ready jobs of a queue wait in vain, in words for an operator: for UnservedAfter
// no worker has taken from it, and none of those that are registered is about to. It is empty where that
// is not so, and for a queue that is paused. now is the time of day.
func (q QueueInfo) Unserved(workers []Worker, now time.Time) string {
	waited := now.Sub(q.OldestReady)
	if q.Ready == 0 || q.OldestReady.IsZero() || waited < UnservedAfter || q.State == QueuePaused {
		return ""
	}
	serving := slices.DeleteFunc(slices.Clone(workers), func(w Worker) bool {
		return len(w.Queues) > 0 && !slices.Contains(w.Queues, q.Name)
	})
	lanes := slices.ContainsFunc(serving, func(w Worker) bool { return len(w.Lanes) > 0 })
	waits := fmt.Sprintf("%d jobs wait, the oldest for %s, and ", q.Ready, waited.Round(time.Second))
	if q.Ready == 1 {
		waits = fmt.Sprintf("1 job waits, since %s, and ", waited.Round(time.Second))
	}
	switch {
	case len(serving) == 0:
		return waits + "no worker takes from this queue" + othersQueues(workers)
	case !lanes:
		return waits + "no worker of this queue has a language's image"
	case q.Running == 0 && !q.claimedSince(now.Add(-UnservedAfter)) && slices.ContainsFunc(serving, func(w Worker) bool { return w.Busy < w.Slots }):
		return waits + "workers with free slots take none: they have no image of its language"
	}
	return ""
}

// othersQueues names what workers do take from: among these a wrong name shows.
func othersQueues(workers []Worker) string {
	var names []string
	for _, w := range workers {
		names = append(names, w.Queues...)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return " (those that there are take from " + strings.Join(slices.Compact(names), ", ") + ")"
}

// claimedSince tells whether a job was claimed in the minutes since then.
func (q QueueInfo) claimedSince(then time.Time) bool {
	return slices.ContainsFunc(q.PerMinute, func(m MinuteCounters) bool {
		return m.Claimed > 0 && m.Minute.Add(time.Minute).After(then)
	})
}
