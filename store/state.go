package store

import (
	"fmt"
	"strings"
)

// State is where a job is in its life.
type State string

// The states of a job.
const (
	// Queued: waiting to be claimed, perhaps not before [Job.NotBefore].
	Queued State = "queued"
	// Running: leased to a worker.
	Running State = "running"
	// Completed: judged, whatever the verdict.
	Completed State = "completed"
	// Failed: Optimus could not judge it; the dead letter.
	Failed State = "failed"
	// Cancelled: ended by request.
	Cancelled State = "cancelled"
)

// States lists every state.
func States() []State { return []State{Queued, Running, Completed, Failed, Cancelled} }

// Terminal tells whether a job in this state has its report.
func (s State) Terminal() bool { return s == Completed || s == Failed || s == Cancelled }

// QueueState is what a queue does.
type QueueState string

// The states of a queue.
const (
	// QueueRunning takes submissions and gives jobs.
	QueueRunning QueueState = "running"
	// QueuePaused takes submissions, and gives no job; what runs goes on.
	QueuePaused QueueState = "paused"
	// QueueDraining takes no submission ([ErrQueueDrained]), and gives what it holds until it is empty.
	QueueDraining QueueState = "draining"
)

// Valid tells whether a queue has such a state.
func (s QueueState) Valid() bool {
	return s == QueueRunning || s == QueuePaused || s == QueueDraining
}

// Transition names what moves a job from one state to the next.
type Transition string

// The transitions of a job.
const (
	// Submitted makes the job.
	Submitted Transition = "submit"
	// Claimed leases it to a worker and counts an attempt.
	Claimed Transition = "claim"
	// Finished stores the worker's report.
	Finished Transition = "finish"
	// GivenBack returns it to the queue by its worker's wish: drained (attempt not counted),
	// or Optimus failed (counted, delayed).
	GivenBack Transition = "give-back"
	// Expired returns it to the queue since its lease ran out.
	Expired Transition = "expire"
	// DeadLettered ends it after its last attempt.
	DeadLettered Transition = "dead-letter"
	// CancelledQueued ends it before it was claimed.
	CancelledQueued Transition = "cancel"
	// CancelledRunning ends it by its worker, or by its lease's end, after a cancellation was asked for.
	CancelledRunning Transition = "cancel-running"
	// Redriven puts a dead letter back with its attempts counted anew.
	Redriven Transition = "redrive"
)

// Edge is one row of the transition table. From is empty for a job's birth.
type Edge struct {
	Transition Transition
	From, To   State
}

// Transitions is the one transition table: code, suite and documentation use it.
func Transitions() []Edge {
	return []Edge{
		{Submitted, "", Queued},
		{Claimed, Queued, Running},
		{Finished, Running, Completed},
		{GivenBack, Running, Queued},
		{Expired, Running, Queued},
		{DeadLettered, Running, Failed},
		{CancelledQueued, Queued, Cancelled},
		{CancelledRunning, Running, Cancelled},
		{Redriven, Failed, Queued},
	}
}

// Next gives the state that t leads to from s, or an error that wraps [ErrTransition].
func Next(s State, t Transition) (State, error) {
	for _, e := range Transitions() {
		if e.Transition == t && e.From == s {
			return e.To, nil
		}
	}
	return s, fmt.Errorf("%w: %s of a job that is %q", ErrTransition, t, s)
}

// TransitionTable is the table in Markdown, as the documentation shows it.
func TransitionTable() string {
	var b strings.Builder
	b.WriteString("| transition | from | to |\n|---|---|---|\n")
	for _, e := range Transitions() {
		from := "–"
		if e.From != "" {
			from = "`" + string(e.From) + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", e.Transition, from, e.To)
	}
	return b.String()
}
