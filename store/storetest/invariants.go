package storetest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"optimus/store"
)

// checkInvariants compares figures, lists, jobs and events with each other.
func (e *env) checkInvariants() {
	e.Helper()
	if e.closed {
		return
	}
	qs, err := e.s.Queues(e.ctx())
	e.ok(err, "queues")
	var entered, left uint64
	for _, q := range qs {
		e.checkQueue(q)
		t := q.Totals
		entered += t.Submitted
		left += t.Completed + t.Failed + t.Cancelled
		left += uint64(max(q.Unfinished, 0))
	}
	if entered+e.redriven != left {
		e.Errorf("%d jobs were submitted and %d re-driven, but %d are unfinished or have ended", entered, e.redriven, left)
	}
	e.checkEnds(qs)
	e.checkJobs()
}

// checkQueue compares a queue's figures with its lists.
func (e *env) checkQueue(q store.QueueInfo) {
	e.Helper()
	if q.Unfinished != q.Ready+q.Delayed+q.Running {
		e.Errorf("queue %s: unfinished %d is not ready %d + delayed %d + running %d", q.Name, q.Unfinished, q.Ready, q.Delayed, q.Running)
	}
	counted := map[store.State]int{
		store.Queued: q.Ready + q.Delayed, store.Running: q.Running,
		store.Completed: q.Completed, store.Failed: q.Failed, store.Cancelled: q.Cancelled,
	}
	for _, st := range store.States() {
		if n := len(e.list(store.Filter{Queue: q.Name, States: []store.State{st}})); n != counted[st] {
			e.Errorf("queue %s: its figures say %d jobs are %s, its list has %d", q.Name, counted[st], st, n)
		}
	}
	if (q.Bytes > 0) != (q.Unfinished > 0) {
		e.Errorf("queue %s: %d unfinished jobs hold %d bytes", q.Name, q.Unfinished, q.Bytes)
	}
	if q.OldestReady.IsZero() != (q.Ready == 0) {
		e.Errorf("queue %s: %d jobs are ready, the oldest since %s", q.Name, q.Ready, q.OldestReady)
	}
	e.checkMinutes(q)
}

func (e *env) checkMinutes(q store.QueueInfo) {
	e.Helper()
	if len(q.PerMinute) != 60 {
		e.Errorf("queue %s: counters of %d minutes, want 60", q.Name, len(q.PerMinute))
		return
	}
	var sum store.Counters
	for i, m := range q.PerMinute {
		if i > 0 && m.Minute.Sub(q.PerMinute[i-1].Minute) != time.Minute {
			e.Errorf("queue %s: minute %s follows %s", q.Name, m.Minute, q.PerMinute[i-1].Minute)
		}
		sum.Submitted += m.Submitted
		sum.Claimed += m.Claimed
		sum.Completed += m.Completed
		sum.Failed += m.Failed
		sum.Cancelled += m.Cancelled
		sum.Retried += m.Retried
		sum.LeasesLost += m.LeasesLost
		sum.RejectedFull += m.RejectedFull
	}
	if last := q.PerMinute[59].Minute; !last.Equal(e.clock.Now().Truncate(time.Minute)) {
		e.Errorf("queue %s: the current minute is %s", q.Name, last)
	}
	if !e.moved && e.clock.withinAnHour() && sum != q.Totals {
		e.Errorf("queue %s: the minutes' sum is %+v, the totals are %+v", q.Name, sum, q.Totals)
	}
}

// checkJobs looks at each job: its report, its attempts, its events, its place in the list.
func (e *env) checkJobs() {
	e.Helper()
	all := e.list(store.Filter{Limit: 7})
	for i, j := range all {
		if i > 0 && bytes.Compare(all[i-1].ID[:], j.ID[:]) <= 0 {
			e.Errorf("the list has job %s before job %s", all[i-1].ID, j.ID)
		}
		if j.Submission != nil || j.Report != nil {
			e.Errorf("job %s is listed with its submission or report", j.ID)
		}
		whole := e.get(j.ID)
		e.checkJob(whole)
		if whole.Submission, whole.Report = nil, nil; !reflect.DeepEqual(j, whole) {
			e.Errorf("job %s is listed as\n%+v, it is\n%+v", j.ID, j, whole)
		}
	}
}

func (e *env) checkJob(j store.Job) {
	e.Helper()
	if j.State.Terminal() != (j.Report != nil) || j.State.Terminal() == j.Finished.IsZero() {
		e.Errorf("job %s is %s: report %v, finished %s", j.ID, j.State, j.Report, j.Finished)
	}
	if j.Report != nil && j.Report.Verdict != j.Verdict {
		e.Errorf("job %s: its verdict is %q, its report's %q", j.ID, j.Verdict, j.Report.Verdict)
	}
	if j.Submission == nil {
		e.Errorf("job %s has no submission", j.ID)
	}
	if j.Counted < 0 || j.Counted > j.MaxAttempts {
		e.Errorf("job %s: %d of %d attempts are counted", j.ID, j.Counted, j.MaxAttempts)
	}
	for i, a := range j.Attempts {
		current := i == len(j.Attempts)-1 && j.State == store.Running
		if a.Ended.IsZero() != current {
			e.Errorf("job %s, which is %s: attempt %d of %d ended at %s", j.ID, j.State, i+1, len(j.Attempts), a.Ended)
		}
	}
	e.checkStream(j)
}

// checkStream follows the states that a job's events tell of through the transition table: the
// last is the job's, and nothing but a re-drive follows an end.
func (e *env) checkStream(j store.Job) {
	e.Helper()
	events, err := e.s.Events(e.ctx(), j.ID, 0)
	e.ok(err, "events")
	var last store.State
	var seq uint64
	for _, ev := range events {
		if ev.Seq <= seq {
			e.Errorf("job %s: event %d follows %d", j.ID, ev.Seq, seq)
		}
		seq = ev.Seq
		if ev.Type != store.EventState {
			continue
		}
		var d store.StateData
		e.ok(json.Unmarshal(ev.Data, &d), "state event")
		if !reachable(last, d.State) {
			e.Errorf("job %s: its events say that it went from %q to %q", j.ID, last, d.State)
		}
		last = d.State
	}
	if last != j.State {
		e.Errorf("job %s is %s, its last event says %q", j.ID, j.State, last)
	}
}

func reachable(from, to store.State) bool {
	for _, edge := range store.Transitions() {
		if edge.From == from && edge.To == to {
			return true
		}
	}
	return false
}
