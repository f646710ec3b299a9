package store

import (
	"encoding/json"
	"time"

	"optimus/sandbox"
)

// Job is identity + submission + report + state.
type Job struct {
	ID ID `json:"id"`
	// Tenant is whose job it is: the name of the API key, or empty without keys.
	Tenant string `json:"tenant,omitempty"`
	// Queue is the queue's name.
	Queue string `json:"queue"`
	// Lane is what a worker must be able to run.
	Lane Lane `json:"lane"`
	// Priority is -100 to 100; higher goes first.
	Priority int   `json:"priority,omitempty"`
	State    State `json:"state"`
	// CancelRequested: a cancellation waits for the worker.
	CancelRequested bool `json:"cancel_requested,omitempty"`
	// Counted is the number of attempts that count against MaxAttempts.
	Counted     int `json:"counted"`
	MaxAttempts int `json:"max_attempts"`
	// Attempts lists the ended and the current attempt, oldest first, at most MaxAttemptRecords.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Created, Started (last attempt) and Finished are by the store's clock, UTC.
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	// NotBefore delays a retry; zero for none.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Verdict repeats the report's, so that a list shows it.
	Verdict sandbox.Verdict `json:"verdict,omitempty"`
	// Labels are the submitter's own, such as the API dialect's details; opaque to the store.
	Labels map[string]string `json:"labels,omitempty"`
	// Trace is where the submission stands in a distributed trace, as a W3C traceparent; empty for nowhere.
	// Opaque to the store.
	Trace string `json:"trace,omitempty"`
	// Submission and Report are nil in lists; Report is nil until the state is terminal.
	Submission *sandbox.Submission `json:"submission,omitempty"`
	Report     *sandbox.Report     `json:"report,omitempty"`
}

// MaxAttemptRecords bounds Job.Attempts; the oldest go first.
const MaxAttemptRecords = 10

// Lane is what a job needs of a worker: a language and a tier. Its text form is "language/tier".
type Lane struct {
	Language string       `json:"language"`
	Tier     sandbox.Tier `json:"tier"`
}

func (l Lane) String() string { return l.Language + "/" + string(l.Tier) }

// Attempt is one worker's try at a job.
type Attempt struct {
	Worker  string    `json:"worker"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Reason says why it ended without a report; empty where it reported or still runs.
	Reason string `json:"reason,omitempty"`
	// Uncounted: it does not count against MaxAttempts.
	Uncounted bool `json:"uncounted,omitempty"`
}

// NewJob is what Submit takes.
type NewJob struct {
	Tenant   string
	Queue    string
	Priority int
	// MaxAttempts is 1 or more; 0 means the store's default.
	MaxAttempts int
	Labels      map[string]string
	// Trace is as in [Job].
	Trace      string
	Submission sandbox.Submission
	// Key is the idempotency key; empty for none. PayloadHash identifies what the key was
	// used with.
	Key         string
	PayloadHash [32]byte
}

// Lane is the lane of the job to be.
func (n NewJob) Lane() Lane { return LaneOf(n.Submission.Language) }

// LaneOf is the lane that jobs of a language go to.
func LaneOf(l sandbox.Language) Lane {
	tier := l.Tier
	if tier == "" {
		tier = sandbox.Shared
	}
	return Lane{Language: l.Name, Tier: tier}
}

// EventType names what happened to a job.
type EventType string

// The events of a job's stream.
const (
	// EventState: the job's state changed; Data is a [StateData].
	EventState EventType = "state"
	// EventCompiled: the compile ended; Data is a [sandbox.Outcome].
	EventCompiled EventType = "compiled"
	// EventTest: a test was judged; Data is a [sandbox.TestReport].
	EventTest EventType = "test"
	// EventOutput: live output; Data is an [OutputData].
	EventOutput EventType = "output"
	// EventRestart: a test's run begins anew, since its container was lost; its output so far is
	// void. Data is a [RestartData].
	EventRestart EventType = "restart"
)

// Valid tells whether there are events of the type.
func (t EventType) Valid() bool {
	switch t {
	case EventState, EventCompiled, EventTest, EventOutput, EventRestart:
		return true
	}
	return false
}

// Event is one entry of a job's bounded stream.
type Event struct {
	// Seq counts from 1 within the job, rising, with gaps where old events were dropped.
	Seq  uint64          `json:"seq"`
	Time time.Time       `json:"time"`
	Type EventType       `json:"type"`
	Data json.RawMessage `json:"data,omitempty"`
}

// StateData is the data of an [EventState].
type StateData struct {
	State   State           `json:"state"`
	Attempt int             `json:"attempt,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Verdict sandbox.Verdict `json:"verdict,omitempty"`
}

// RestartData is the data of an [EventRestart].
type RestartData struct {
	Test string `json:"test"`
}

// OutputData is the data of an [EventOutput].
type OutputData struct {
	Test   string         `json:"test"`
	Stream sandbox.Stream `json:"stream"`
	Data   []byte         `json:"data"`
}
