package store

import (
	"context"
	"io"
	"time"

	"optimus/sandbox"
)

// Store holds jobs, queues and API keys. It is five roles in one; who needs one role declares only that.
type Store interface {
	Client
	Queue
	Operator
	Mover
	Keyring
	io.Closer
}

// Client is what an API needs.
type Client interface {
	// LookupKey answers early, before a submission is validated: the id that the tenant's key
	// was used for, [ErrNotFound], or [ErrKeyConflict] where it was used with another payload.
	LookupKey(ctx context.Context, tenant, key string, payload [32]byte) (ID, error)
	// Submit makes the job durable and queued. replayed tells that the idempotency key was
	// known, so that the job is the earlier one. Errors: [ErrKeyConflict], [ErrQueueFull],
	// [ErrQueueDrained], [ErrTooLarge].
	Submit(ctx context.Context, n NewJob) (job Job, replayed bool, err error)
	// Get gives the job with submission and report, or [ErrNotFound].
	Get(ctx context.Context, id ID) (Job, error)
	// List gives a page of jobs, newest first, without submission and report.
	List(ctx context.Context, f Filter) (Page, error)
	// Cancel ends a queued job and asks the worker of a running one to stop; the job's state
	// after the call tells which. [ErrTerminal] where it has ended, with the job as it is.
	Cancel(ctx context.Context, id ID) (Job, error)
	// Delete forgets a job that has ended; [ErrNotTerminal] otherwise.
	Delete(ctx context.Context, id ID) error
	// Events gives the job's events with a Seq above after, oldest first.
	Events(ctx context.Context, id ID, after uint64) ([]Event, error)
	// Watch gives a channel that gets a value, never more than one waiting, after each event of
	// the job: look with Events. It is closed when ctx ends.
	Watch(ctx context.Context, id ID) (<-chan struct{}, error)
}

// Queue is what a worker needs.
type Queue interface {
	// Claim leases up to r.Max jobs, best first; none is no error. It does not wait.
	Claim(ctx context.Context, r ClaimRequest) ([]Claim, error)
	// Wake gives a channel that gets a value when a claim for one of the lanes may succeed. One
	// submission wakes one waiting worker. A slow sweep stands behind it: callers also claim
	// now and then unasked. It is closed when ctx ends.
	Wake(ctx context.Context, lanes []Lane) (<-chan struct{}, error)
	// Cancellations gives a channel that gets a value, never more than one waiting, when the
	// cancellation of a running job may have been asked for: ask Renew of which. It is closed
	// when ctx ends.
	Cancellations(ctx context.Context) (<-chan struct{}, error)
	// Renew extends leases by lease from now. There is one Renewal for each, in order.
	Renew(ctx context.Context, leases []Lease, lease time.Duration) ([]Renewal, error)
	// Progress appends events to the job's stream; Seq and Time are set by the store.
	Progress(ctx context.Context, l Lease, events ...Event) error
	// Finish stores the report and ends the job: Cancelled where r.Verdict is
	// [sandbox.Cancelled] and a cancellation was asked for, else Completed. The events come
	// before the one that ends the job: as by Progress, but at the cost of one write for both.
	Finish(ctx context.Context, l Lease, r sandbox.Report, events ...Event) error
	// GiveBack ends the attempt without a report. Counted, it is retried after a backoff or,
	// with the last attempt, dead-lettered; not counted, it is queued at once at its old place.
	// A job whose cancellation was asked for is cancelled instead.
	GiveBack(ctx context.Context, l Lease, g GiveBack) error
	// Heartbeat registers a worker, or keeps it registered, for ttl.
	Heartbeat(ctx context.Context, w Worker, ttl time.Duration) error
}

// Operator is what `optimus admin`, metrics and the sweeper need.
type Operator interface {
	// Redrive puts a failed job back with its attempts counted anew; [ErrTransition] otherwise.
	Redrive(ctx context.Context, id ID) (Job, error)
	// Queues gives every queue with its figures, by name.
	Queues(ctx context.Context) ([]QueueInfo, error)
	// SetQueueState pauses, drains or resumes a queue that there is; [ErrNotFound] otherwise.
	SetQueueState(ctx context.Context, queue string, state QueueState) error
	// Workers gives the registered workers, by name.
	Workers(ctx context.Context) ([]Worker, error)
	// Sweep moves expired leases and due retries, drops what retention no longer keeps, and
	// says what it did. It keeps the queues' clocks going too, so call it about every second,
	// far more often than [MaxClockStep]. Safe to call from several processes.
	Sweep(ctx context.Context) (Swept, error)
	// Schema says in which form jobs are kept.
	Schema(ctx context.Context) (Schema, error)
	// Upgrade brings what is kept into the newest form that this binary knows, and says which
	// that is. It may be repeated. Binaries for which MinReader is too new are then refused, those too
	// that have the store open: before anything is written that they cannot read.
	Upgrade(ctx context.Context) (Schema, error)
	// Ping tells whether the store can take a submission now.
	Ping(ctx context.Context) error
	// Describe says what the store is and how it fares. What it knows without asking is there beside an error.
	Describe(ctx context.Context) (Description, error)
}

// Schema numbers the form in which a store keeps jobs, from 1. A binary writes the form that it
// finds, even where it knows a newer one, until it is told to upgrade: so binaries of two versions
// can share a store, and the older one can come back.
type Schema struct {
	// Written is the form that is kept, and MinReader the least that a reader of it must know.
	Written   int `json:"written"`
	MinReader int `json:"min_reader"`
	// Known is the newest form that this binary knows.
	Known int `json:"known"`
}

// Filter selects jobs for a list. Zero fields select all.
type Filter struct {
	Tenant *string
	Queue  string
	States []State
	// Since and Until bound Created: Since inclusive, Until exclusive.
	Since, Until time.Time
	// Limit is 1 to 1000; 0 means 100.
	Limit int
	// Cursor is a Page.Next, or empty for the first page; [ErrBadCursor] for another text.
	Cursor string
}

// Page is one page of a list.
type Page struct {
	Jobs []Job
	// Next is the cursor of the next page; empty where this is the last.
	Next string
}

// ClaimRequest says who claims what.
type ClaimRequest struct {
	Worker string
	// Lanes that the worker can run.
	Lanes []Lane
	// Queues to claim from; empty for all.
	Queues []string
	// Max jobs, 1 or more.
	Max int
	// Lease is how long the claim holds without a renewal.
	Lease time.Duration
}

// Lease identifies a claim.
type Lease struct {
	Job ID
	// Token is new with every claim of the job.
	Token uint64
}

// Claim is a leased job, with its submission.
type Claim struct {
	Lease Lease
	Job   Job
	// Waited is how long the job was ready before this claim.
	Waited time.Duration
}

// Renewal is what Renew says of one lease.
type Renewal struct {
	// Lost: the lease no longer holds; stop, and report nothing.
	Lost bool
	// CancelRequested: stop, and finish with a report whose verdict is [sandbox.Cancelled].
	CancelRequested bool
}

// GiveBack says why an attempt ended without a report.
type GiveBack struct {
	// Reason is kept in the attempt's record.
	Reason string
	// Counted: Optimus failed at it. Otherwise the worker merely stops.
	Counted bool
	// Report, where not nil, becomes the report of a job that is thereby dead-lettered; without
	// it the report has the verdict [sandbox.InternalError] and the reason.
	Report *sandbox.Report
}

// Worker is a registered worker.
type Worker struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Lanes   []Lane `json:"lanes"`
	// Queues are those that it takes from; empty for all.
	Queues  []string  `json:"queues,omitempty"`
	Slots   int       `json:"slots"`
	Busy    int       `json:"busy"`
	Started time.Time `json:"started"`
	// Seen is set by the store.
	Seen time.Time `json:"seen"`
}

// QueueInfo is a queue with its figures.
type QueueInfo struct {
	Name   string     `json:"name"`
	Number uint16     `json:"number"`
	State  QueueState `json:"state"`
	// Ready can be claimed, Delayed waits for a retry, Running is leased. Unfinished is their sum.
	Ready      int `json:"ready"`
	Delayed    int `json:"delayed"`
	Running    int `json:"running"`
	Unfinished int `json:"unfinished"`
	// Bytes are those of the unfinished jobs' stored submissions.
	Bytes int64 `json:"bytes"`
	// Ended jobs that are still kept, by state.
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	// OldestReady is when the oldest ready job was created; zero without one.
	OldestReady time.Time `json:"oldest_ready,omitzero"`
	// Totals since the store was made.
	Totals Counters `json:"totals"`
	// PerMinute holds the counters of the last 60 minutes, oldest first, the current one last.
	PerMinute []MinuteCounters `json:"per_minute,omitempty"`
}

// Counters count what happened in a queue.
type Counters struct {
	Submitted    uint64 `json:"submitted"`
	Claimed      uint64 `json:"claimed"`
	Completed    uint64 `json:"completed"`
	Failed       uint64 `json:"failed"`
	Cancelled    uint64 `json:"cancelled"`
	Retried      uint64 `json:"retried"`
	LeasesLost   uint64 `json:"leases_lost"`
	RejectedFull uint64 `json:"rejected_full"`
}

// MinuteCounters are the counters of one minute.
type MinuteCounters struct {
	// Minute is its start, UTC.
	Minute time.Time `json:"minute"`
	Counters
}

// Swept is what a sweep did.
type Swept struct {
	Expired      int // leases that had run out
	DeadLettered int // of these, jobs whose attempts were spent
	Promoted     int // retries that came due
	Deleted      int // jobs past their retention
}
