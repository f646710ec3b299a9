package store

import (
	"encoding/json"
	"fmt"
	"time"

	"optimus/sandbox"
)

// maxTime is beyond all times that a store keeps; they are counted in nanoseconds since 1970.
func maxTime() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }

// Validate refuses, with an [ErrInvalid] that names the line, what no store has written.
func (r Record) Validate() error {
	var err error
	switch {
	case r.kinds() != 1:
		err = invalidf("a record is a queue, a job or an API key")
	case r.Queue != nil:
		err = r.Queue.validate()
	case r.APIKey != nil:
		err = r.APIKey.Validate()
	default:
		if err = r.Job.validate(); err != nil {
			err = fmt.Errorf("job %s: %w", r.Job.ID, err)
		}
	}
	return r.Fault(err)
}

// kinds counts what the record is, which should be one thing.
func (r Record) kinds() (n int) {
	for _, is := range []bool{r.Queue != nil, r.Job != nil, r.APIKey != nil} {
		if is {
			n++
		}
	}
	return n
}

// Fault says of an error at which line the record stood.
func (r Record) Fault(err error) error {
	if err == nil || r.Line == 0 {
		return err
	}
	return &LineError{Line: r.Line, Err: err}
}

// LineError is what is wrong with a line.
type LineError struct {
	// Line counts from 1.
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

func (q *QueueRecord) validate() error {
	switch {
	case q.Name == "" || !ValidName(q.Name):
		return invalidf("the name of queue %d is not UTF-8 of 1 to %d bytes", q.Number, MaxName)
	case !q.State.Valid():
		return invalidf("queue %q is %.40q", q.Name, q.State)
	case q.LastID != (ID{}) && q.LastID.Queue() != q.Number:
		return invalidf("the last id of queue %q, number %d, is of queue %d", q.Name, q.Number, q.LastID.Queue())
	}
	return validTimes(q.LastID.Time())
}

func (r *JobRecord) validate() error {
	// What a submission may be, a job is.
	n := NewJob{
		Tenant: r.Tenant, Queue: r.Queue, Priority: r.Priority, MaxAttempts: r.MaxAttempts, Trace: r.Trace,
		Submission: sandbox.Submission{Language: sandbox.Language{Name: r.Lane.Language, Tier: r.Lane.Tier}},
	}
	if r.Key != nil {
		n.Key = r.Key.Key
	}
	if err := n.Validate(); err != nil {
		return err
	}
	times := []time.Time{r.Created, r.Started, r.Finished, r.NotBefore}
	if r.Key != nil {
		times = append(times, r.Key.Ends)
	}
	for _, e := range r.Events {
		times = append(times, e.Time)
	}
	for _, a := range r.Attempts {
		times = append(times, a.Started, a.Ended)
	}
	if err := validTimes(times...); err != nil {
		return err
	}
	switch {
	case r.ID == ID{} || !r.Created.Equal(r.ID.Time()):
		return invalidf("it was created at %s, which is not what its id says", r.Created)
	case r.Key != nil && r.Key.Key == "":
		return invalidf("its idempotency key is empty")
	case r.Lane.Tier == "":
		return invalidf("it has no tier")
	case r.MaxAttempts < 1, r.Counted < 0, r.Counted > r.MaxAttempts, r.Forgiven < 0:
		return invalidf("%d of %d attempts are counted, %d are forgiven", r.Counted, r.MaxAttempts, r.Forgiven)
	}
	if err := r.validateState(); err != nil {
		return err
	}
	return r.validateEvents()
}

// validTimes takes no time, and those that a store can count.
func validTimes(times ...time.Time) error {
	for _, t := range times {
		if !t.IsZero() && (t.Before(time.Unix(0, 0)) || t.After(maxTime())) {
			return invalidf("%s is no time of a store", t)
		}
	}
	return nil
}

// validateState checks that the job has what belongs to its state, and nothing else.
func (r *JobRecord) validateState() error {
	ended := r.State.Terminal()
	var report sandbox.Report
	switch {
	case !ended && r.State != Queued && r.State != Running:
		return invalidf("it is %.40q", r.State)
	case ended != (len(r.Report) > 0), ended == r.Finished.IsZero():
		return invalidf("it is %s, finished at %s, and has a report of %d bytes", r.State, r.Finished, len(r.Report))
	case r.State != Queued && !r.NotBefore.IsZero():
		return invalidf("it is %s, and delayed", r.State)
	case len(r.Attempts) > MaxAttemptRecords:
		return invalidf("it has %d attempts, at most %d are kept", len(r.Attempts), MaxAttemptRecords)
	case r.State == Running && (len(r.Attempts) == 0 || r.Counted == 0):
		return invalidf("it runs, with no attempt")
	}
	for i, a := range r.Attempts {
		if current := r.State == Running && i == len(r.Attempts)-1; a.Ended.IsZero() != current || !ValidName(a.Worker) {
			return invalidf("it is %s, and its attempt %d ended at %s", r.State, i+1, a.Ended)
		}
	}
	if err := json.Unmarshal(r.Submission, &sandbox.Submission{}); err != nil {
		return invalidf("its submission: %w", err)
	}
	if ended {
		if err := json.Unmarshal(r.Report, &report); err != nil {
			return invalidf("its report: %w", err)
		}
	}
	if report.Verdict != r.Verdict {
		return invalidf("its verdict is %.40q, its report's %.40q", r.Verdict, report.Verdict)
	}
	return nil
}

func (r *JobRecord) validateEvents() error {
	var last uint64
	for _, e := range r.Events {
		if e.Seq <= last || e.Seq > r.Seq || !e.Type.Valid() || e.Time.IsZero() {
			return invalidf("event %d of type %.40q follows %d, the last is %d", e.Seq, e.Type, last, r.Seq)
		}
		last = e.Seq
	}
	return nil
}

// CheckQueues refuses records to be imported, before anything is written, for a queue that is another one
// in the store, whose queues are names by number, or a job whose queue is neither there nor in a record
// before it. Its errors are those of [Mover].
func CheckQueues(records []Record, names map[uint16]string) error {
	byName, byNumber := map[string]uint16{}, map[uint16]string{}
	for n, name := range names {
		byName[name], byNumber[n] = n, name
	}
	for _, r := range records {
		if r.APIKey != nil {
			continue
		}
		if j := r.Job; j != nil {
			if _, known := byNumber[j.ID.Queue()]; !known {
				return r.Fault(fmt.Errorf("import: %w: job %s is of queue number %d, which is in no line before it",
					ErrInvalid, j.ID, j.ID.Queue()))
			}
			continue
		}
		q := r.Queue
		if name, taken := byNumber[q.Number]; taken && name != q.Name {
			return r.Fault(fmt.Errorf("import: queue %q, number %d, %w: there number %d is queue %q; import into a new store",
				q.Name, q.Number, ErrConflict, q.Number, name))
		}
		if n, taken := byName[q.Name]; taken && n != q.Number {
			return r.Fault(fmt.Errorf("import: queue %q, number %d, %w: there it has number %d; import into a new store",
				q.Name, q.Number, ErrConflict, n))
		}
		byName[q.Name], byNumber[q.Number] = q.Number, q.Name
	}
	return nil
}
