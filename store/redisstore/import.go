package redisstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"optimus/store"
)

// Import adds the records that are not there yet: all of a queue in one script. Their idempotency keys are
// held for them before that, so that meanwhile nobody makes another job by one of them, and are theirs
// behind it. With an error in between, queues may have theirs; to import the same anew adds the others'.
func (s *Store) Import(ctx context.Context, records []store.Record) (store.Imported, error) {
	for _, r := range records {
		if err := r.Validate(); err != nil {
			return store.Imported{}, fmt.Errorf("import: %w", err)
		}
	}
	if s.isClosed() {
		return store.Imported{}, store.ErrClosed
	}
	if err := s.adoptQueues(ctx, records); err != nil {
		return store.Imported{}, err
	}
	if err := s.bindKeys(ctx, records, true); err != nil {
		return store.Imported{}, err
	}
	var done store.Imported
	for _, p := range partsOf(records) {
		more, err := s.importPart(ctx, p)
		if err != nil {
			return store.Imported{}, err
		}
		done.Add(more)
	}
	if err := store.ImportAPIKeys(records, &done, func(change func([]store.APIKey) (store.APIKeyChange, error)) error {
		return s.ChangeAPIKeys(ctx, change)
	}); err != nil {
		return store.Imported{}, err
	}
	return done, s.bindKeys(ctx, records, false)
}

// adoptQueues registers the queues of the records under the numbers that they have there.
func (s *Store) adoptQueues(ctx context.Context, records []store.Record) error {
	for range keyTries {
		if err := s.readQueues(ctx); err != nil {
			return err
		}
		if err := store.CheckQueues(records, s.queues.byNumber()); err != nil {
			return err
		}
		made := map[uint16]string{}
		for _, r := range records {
			if r.Queue != nil && s.queues.name(r.Queue.Number) == "" {
				made[r.Queue.Number] = r.Queue.Name
			}
		}
		if len(made) == 0 {
			return nil
		}
		if done, err := s.makeQueues(ctx, made); done || err != nil {
			return err
		}
		// Others have made a queue meanwhile.
	}
	return fmt.Errorf("import: %w: others make queues too", store.ErrUnavailable)
}

// part is what a queue gets of an import.
type part struct {
	number  uint16
	queue   *store.QueueRecord
	jobs    []*store.JobRecord
	records int
	// latest is the id after which later ones come.
	latest store.ID
}

// partsOf sorts records by their queues.
func partsOf(records []store.Record) []*part {
	parts := map[uint16]*part{}
	of := func(number uint16, latest store.ID) *part {
		p := parts[number]
		if p == nil {
			p = &part{number: number, queue: &store.QueueRecord{State: store.QueueRunning}}
			parts[number] = p
		}
		p.records++
		if bytes.Compare(p.latest[:], latest[:]) < 0 {
			p.latest = latest
		}
		return p
	}
	for _, r := range records {
		if r.APIKey != nil {
			continue
		}
		if r.Queue != nil {
			of(r.Queue.Number, r.Queue.LastID).queue = r.Queue
			continue
		}
		p := of(r.Job.ID.Queue(), r.Job.ID)
		p.jobs = append(p.jobs, r.Job)
	}
	return slices.SortedFunc(maps.Values(parts), func(a, b *part) int { return int(a.number) - int(b.number) })
}

// importCall is the call that imports a part.
func (s *Store) importCall(p *part) (*call, error) {
	t := p.queue.Totals
	figures, err := json.Marshal([]any{
		slices.Index(queueStates(), p.queue.State), t.Submitted, t.Claimed, t.Completed, t.Failed, t.Cancelled, t.Retried,
		t.LeasesLost, t.RejectedFull,
	})
	if err != nil {
		return nil, fmt.Errorf("import: %w: %w", store.ErrInvalid, err)
	}
	args := []any{s.newMark(), "", s.o.TenantRunning, store.MovedReason, p.latest.String(), figures}
	for _, j := range p.jobs {
		raw, stream, err := importedRecord(j)
		if err != nil {
			return nil, err
		}
		args = append(append(args, j.ID.String(), raw, []byte(j.Submission), []byte(j.Report), len(stream)), stream...)
	}
	c := s.queueCall("import", p.number, 1, args...)
	c.acknowledged = true
	return c, nil
}

func (s *Store) importPart(ctx context.Context, p *part) (store.Imported, error) {
	c, err := s.importCall(p)
	if err != nil {
		return store.Imported{}, err
	}
	list, err := s.runQueue(ctx, "import", p.number, c, false)
	if err != nil {
		return store.Imported{}, err
	}
	for i := 2; i+1 < len(list); i += 2 {
		r, err := s.jobAt(list, i)
		if err != nil {
			return store.Imported{}, err
		}
		if s.o.Ended != nil {
			s.o.Ended(r.job)
		}
	}
	done := store.Imported{Queues: int(numberAt(list, 0)), Jobs: int(numberAt(list, 1))}
	if p.queue.Name == "" {
		done.Queues = 0 // no record told of it
	}
	done.Skipped = p.records - done.Queues - done.Jobs
	return done, nil
}

// importedEvents gives a job's stream of events, the bytes of their data, and when the first was, which is
// not kept in the stream.
func importedEvents(j *store.JobRecord) (stream []any, size int, first int64) {
	for i, e := range j.Events {
		size += len(e.Data)
		if i == 0 && e.Seq == 1 && e.Type == store.EventState && string(e.Data) == firstEvent && microsOf(e.Time) > 0 {
			first = microsOf(e.Time)
			continue
		}
		stream = append(stream, fmt.Sprintf("%d %d %s %s", e.Seq, microsOf(e.Time), eventLetter(e.Type), e.Data))
	}
	return stream, size, first
}

// importedRecord gives a job's record as JSON, and its stream of events.
func importedRecord(j *store.JobRecord) (raw []byte, stream []any, err error) {
	d := details{Language: j.Lane.Language, Tier: j.Lane.Tier, Labels: j.Labels, Trace: j.Trace, Unknown: maps.Clone(j.Unknown)}
	store.DropFields[store.JobRecord](d.Unknown) // what we have of our own is not theirs
	if j.Key != nil {
		d.Key = j.Key.Key
	}
	more, err := json.Marshal(d)
	if err != nil {
		return nil, nil, fmt.Errorf("import job %s: %w: %w", j.ID, store.ErrInvalid, err)
	}
	stream, size, first := importedEvents(j)
	attempts := [][]any{}
	for _, a := range j.Attempts {
		attempts = append(attempts, []any{a.Worker, microsOf(a.Started), microsOf(a.Ended), a.Reason, oneFor(a.Uncounted)})
	}
	values := map[string]any{
		"STATE": stateLetter(j), "TENANT": j.Tenant, "LANE": laneText(j.Lane), "PRIORITY": j.Priority, "PLACE": placeOf(j.ID),
		"COUNTED": j.Counted, "MAX_ATTEMPTS": j.MaxAttempts, "FORGIVEN": j.Forgiven, "FINISHED": microsOf(j.Finished),
		"NOT_BEFORE": microsOf(j.NotBefore), "VERDICT": j.Verdict, "SIZE": len(j.Submission), "SEQ": j.Seq,
		"EVENTS": len(j.Events), "EVENT_BYTES": size, "FIRST": first, "DONE": "", "PROCESS": "", "ATTEMPTS": attempts,
		"WATCHERS": []any{}, "DETAILS": string(more), "STATES": "", "CANCEL": oneFor(j.CancelRequested),
	}
	var list []any
	for _, name := range recordFields() {
		v, ok := values[name]
		if !ok {
			v = 0 // of a lease, which nobody has
		}
		list = append(list, v)
	}
	raw, err = json.Marshal(list)
	if err != nil {
		return nil, nil, fmt.Errorf("import job %s: %w: %w", j.ID, store.ErrInvalid, err)
	}
	return raw, stream, nil
}

func oneFor(b bool) int {
	if b {
		return 1
	}
	return 0
}

// microsOf is 0 for the zero time.
func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func stateLetter(j *store.JobRecord) string {
	switch j.State {
	case store.Queued:
		if !j.NotBefore.IsZero() {
			return "d"
		}
	case store.Running:
		return "r"
	case store.Completed:
		return "c"
	case store.Failed:
		return "f"
	case store.Cancelled:
		return "x"
	}
	return "q"
}

// placeOf is the place of a job that has come with its id from another store: its time in µs, those below a
// ms by the rest of the id. Where two have the same place their ids decide.
func placeOf(id store.ID) int64 {
	rest := binary.BigEndian.Uint64(id[8:]) & (1<<idBits - 1)
	return id.Time().UnixMicro() + int64(rest*1000>>idBits)
}

const (
	// imports is the state of an idempotency key whose job an import is about to bring.
	imports = "i"
	// heldFor is how long such a key is held, unless the import is repeated.
	heldFor = time.Minute
)

// bindKeys has idempotency keys be those of the jobs of an import, all at once: before these come, and
// once they are there.
func (s *Store) bindKeys(ctx context.Context, records []store.Record, before bool) error {
	var hold any = ""
	if before {
		hold = heldFor.Milliseconds()
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, r := range records {
		if r.Job == nil || r.Job.Key == nil {
			continue
		}
		k := r.Job.Key
		c := s.keyCall("bind", r.Job.Tenant, k.Key, s.timeArg(), r.Job.ID.String(), hex.EncodeToString(k.PayloadHash[:]), k.Ends.UnixMicro(), hold)
		c.acknowledged = true
		wg.Go(func() {
			if _, err := s.run(ctx, "keep key", c); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = err
			}
		})
	}
	wg.Wait()
	return failed
}
