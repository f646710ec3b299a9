package store

import (
	"errors"
	"fmt"
	"time"
)

// The errors that callers tell apart, with errors.Is; a backend wraps them with what it knows.
var (
	// ErrNotFound: no such job, queue or key.
	ErrNotFound = errors.New("not found")
	// ErrInvalidID: the text is no job id.
	ErrInvalidID = errors.New("not a job id")
	// ErrInvalid: an argument is outside of what the store takes.
	ErrInvalid = errors.New("invalid argument")
	// ErrLeaseLost: the claim has expired, was taken over, or its job has ended.
	ErrLeaseLost = errors.New("lease lost")
	// ErrKeyConflict: the idempotency key was used with another payload.
	ErrKeyConflict = errors.New("idempotency key was used with another payload")
	// ErrQueueFull: the queue, or what it holds for the tenant, has reached a limit: see [QueueFullError].
	ErrQueueFull = errors.New("queue is full")
	// ErrQueueDrained: the queue takes no submission, until it is resumed.
	ErrQueueDrained = errors.New("queue is drained: it takes no new jobs")
	// ErrConflict: an import has a queue whose name or number means another one here.
	ErrConflict = errors.New("does not fit into this store")
	// ErrTooLarge: the payload is over the store's limit.
	ErrTooLarge = errors.New("payload is too large")
	// ErrTerminal: the job has ended, so it cannot be cancelled.
	ErrTerminal = errors.New("job has ended")
	// ErrNotTerminal: the job has not ended, so it cannot be deleted.
	ErrNotTerminal = errors.New("job has not ended")
	// ErrTransition: the transition table does not allow it.
	ErrTransition = errors.New("transition is not allowed")
	// ErrBadCursor: the list cursor was not made by this store.
	ErrBadCursor = errors.New("cursor is not valid")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrSchema: the file or keyspace is not ours, is damaged, or is of a version that this
	// binary cannot read.
	ErrSchema = errors.New("store cannot be read")
	// ErrUnavailable: the store does not answer for now.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrNoRoom: the store's disk or memory is full. It is an ErrUnavailable.
	ErrNoRoom = fmt.Errorf("%w: no room is left", ErrUnavailable)
)

// QueueFullError says which queue is full, by which limit, and when to try again. It is an
// [ErrQueueFull].
type QueueFullError struct {
	Queue string
	// One of these is the limit that was reached: Depth in unfinished jobs; Bytes in those of their
	// submissions; TenantQueued in unfinished jobs of the submitter's tenant. The others are 0.
	Depth        int
	Bytes        int64
	TenantQueued int
	// RetryAfter is a guess from the queue's throughput, at least a second.
	RetryAfter time.Duration
}

func (e *QueueFullError) Error() string {
	switch {
	case e.TenantQueued != 0:
		return fmt.Sprintf("queue %q takes no more of this API key: %d jobs of it are unfinished; try again in %s", e.Queue, e.TenantQueued, e.RetryAfter)
	case e.Depth == 0:
		return fmt.Sprintf("queue %q is full: its unfinished jobs may hold %d bytes; try again in %s", e.Queue, e.Bytes, e.RetryAfter)
	}
	return fmt.Sprintf("queue %q is full: %d jobs are waiting; try again in %s", e.Queue, e.Depth, e.RetryAfter)
}

// Is makes a QueueFullError an ErrQueueFull.
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }
