package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"optimus/store"
)

// Get gives the job with submission and report.
func (s *Store) Get(ctx context.Context, id store.ID) (store.Job, error) {
	list, err := s.ask(ctx, "get", id)
	if err != nil {
		return store.Job{}, err
	}
	r, err := s.decodeRecord(id, textAt(list, 0))
	if err != nil {
		return store.Job{}, err
	}
	return r.whole(textAt(list, 1), textAt(list, 2))
}

// ask runs a script that reads a job.
func (s *Store) ask(ctx context.Context, name string, id store.ID) ([]any, error) {
	queue, err := s.queueOf(ctx, id)
	if err != nil {
		return nil, err
	}
	value, err := s.run(ctx, name, s.queueCall(name, queue, -1, id.String()))
	if err != nil {
		return nil, err
	}
	list, err := asList(name, value)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return list, err
}

// change runs a script that changes a job from outside, and gives its answer, whose first element says
// what came of it.
func (s *Store) change(ctx context.Context, name string, id store.ID, args ...any) ([]any, error) {
	queue, err := s.queueOf(ctx, id)
	if err != nil {
		return nil, err
	}
	c := s.queueCall(name, queue, len(args), append([]any{id.String()}, args...)...)
	if len(args) == 0 {
		c.again = 0
	}
	c.acknowledged = true
	list, err := s.runQueue(ctx, name, queue, c, false)
	if err == nil && textAt(list, 0) == "missing" {
		err = fmt.Errorf("job %s: %w", id, store.ErrNotFound)
	}
	return list, err
}

// newMark names a call that is made once.
func (s *Store) newMark() string { return markOf(s.process, luck(), s.o.Now().UnixNano(), luck()) }

// Cancel ends a queued job and asks the worker of a running one to stop.
func (s *Store) Cancel(ctx context.Context, id store.ID) (store.Job, error) {
	list, err := s.change(ctx, "cancel", id, s.newMark(), "")
	if err != nil {
		return store.Job{}, err
	}
	r, err := s.decodeRecord(id, textAt(list, 1))
	if err != nil {
		return store.Job{}, err
	}
	what := textAt(list, 0)
	if what == "ended" && s.o.Ended != nil {
		s.o.Ended(r.job)
	}
	job, err := r.whole(textAt(list, 2), textAt(list, 3))
	if err == nil && what == "terminal" {
		err = fmt.Errorf("cancel job %s: %w", id, store.ErrTerminal)
	}
	return job, err
}

// Redrive puts a failed job back with its attempts counted anew.
func (s *Store) Redrive(ctx context.Context, id store.ID) (store.Job, error) {
	list, err := s.change(ctx, "redrive", id, s.newMark(), "")
	if err != nil {
		return store.Job{}, err
	}
	r, err := s.decodeRecord(id, textAt(list, 1))
	if err != nil {
		return store.Job{}, err
	}
	if textAt(list, 0) == "state" {
		_, err := store.Next(r.job.State, store.Redriven)
		return store.Job{}, fmt.Errorf("job %s: %w", id, err)
	}
	return r.whole(textAt(list, 2), "")
}

// Delete forgets a job that has ended.
func (s *Store) Delete(ctx context.Context, id store.ID) error {
	list, err := s.change(ctx, "delete", id)
	if err != nil {
		return err
	}
	r, err := s.decodeRecord(id, textAt(list, 1))
	if err != nil {
		return err
	}
	if textAt(list, 0) == "unfinished" {
		return fmt.Errorf("delete job %s, which is %s: %w", id, r.job.State, store.ErrNotTerminal)
	}
	s.forgetKey(ctx, r)
	return nil
}

// forgetKey forgets the idempotency key of a job that is gone. Where that fails, the next who uses the
// key sees that the job is gone.
func (s *Store) forgetKey(ctx context.Context, r *record) {
	if r.key != "" {
		s.release(ctx, r.job.Tenant, r.key, r.job.ID, true)
	}
}

// eventLetters are the types of events as the stream has them.
func eventLetter(t store.EventType) string {
	switch t {
	case store.EventState:
		return "s"
	case store.EventCompiled:
		return "c"
	case store.EventTest:
		return "t"
	case store.EventOutput:
		return "o"
	case store.EventRestart:
		return "r"
	}
	return ""
}

func eventType(letter string) store.EventType {
	for _, t := range []store.EventType{store.EventState, store.EventCompiled, store.EventTest, store.EventOutput, store.EventRestart} {
		if eventLetter(t) == letter {
			return t
		}
	}
	return ""
}

// eventArgs are events as scripts take them: kind, data, kind, data.
func eventArgs(events []store.Event) ([]any, error) {
	var args []any
	for _, e := range events {
		letter := eventLetter(e.Type)
		if letter == "" {
			return nil, fmt.Errorf("%w: event type %.40q", store.ErrInvalid, e.Type)
		}
		args = append(args, letter, []byte(e.Data))
	}
	return args, nil
}

// Progress appends events to the job's stream.
func (s *Store) Progress(ctx context.Context, l store.Lease, events ...store.Event) error {
	pairs, err := eventArgs(events)
	if err != nil {
		return fmt.Errorf("progress of job %s: %w", l.Job, err)
	}
	args := append([]any{l.Job.String(), tokenText(l), s.newMark(), ""}, pairs...)
	list, err := s.runQueue(ctx, "progress", l.Job.Queue(), s.queueCall("progress", l.Job.Queue(), 3, args...), false)
	if err == nil && textAt(list, 0) != "ok" {
		err = fmt.Errorf("job %s: %w", l.Job, store.ErrLeaseLost)
	}
	return err
}

// Events gives the job's events with a Seq above after, oldest first.
func (s *Store) Events(ctx context.Context, id store.ID, after uint64) ([]store.Event, error) {
	list, err := s.ask(ctx, "events", id)
	if err != nil {
		return nil, err
	}
	r, err := s.decodeRecord(id, textAt(list, 0))
	if err != nil {
		return nil, err
	}
	kept, _ := list[1].([]any)
	return r.events(kept, after)
}

// events are those of the job's stream, as its key holds them, with a Seq above after.
func (r *record) events(kept []any, after uint64) ([]store.Event, error) {
	var events []store.Event
	if !r.first.IsZero() && after < 1 {
		events = append(events, store.Event{Seq: 1, Time: r.first, Type: store.EventState, Data: []byte(firstEvent)})
	}
	for line := range strings.Lines(r.states) {
		kept = append(kept, strings.TrimSuffix(line, "\n"))
	}
	for i := range kept {
		e, ok := decodeEvent(textAt(kept, i))
		if !ok {
			return nil, fmt.Errorf("%w: the events of job %s are damaged", store.ErrSchema, r.job.ID)
		}
		if e.Seq > after {
			events = append(events, e)
		}
	}
	slices.SortFunc(events, func(a, b store.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events, nil
}

// decodeEvent reads "seq time kind data".
func decodeEvent(text string) (e store.Event, ok bool) {
	parts := strings.SplitN(text, " ", 4)
	if len(parts) != 4 {
		return e, false
	}
	seq, err := strconv.ParseUint(parts[0], 10, 64)
	at, err2 := strconv.ParseInt(parts[1], 10, 64)
	e = store.Event{Seq: seq, Time: time.UnixMicro(at).UTC(), Type: eventType(parts[2]), Data: []byte(parts[3])}
	return e, err == nil && err2 == nil && e.Type != ""
}
