package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"optimus/sandbox"
	"optimus/store"
)

type eventsInput struct {
	query

	ID          string `path:"id" doc:"The job's id."`
	LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"The id of the last event that was seen; the stream goes on after it."`
	After       uint64 `query:"after" doc:"As Last-Event-ID, for a client that cannot set the header."`
}

// EventTime is what the data of every event has.
type EventTime struct {
	Time time.Time `json:"time" doc:"When the store was told of it, by the store's clock."`
}

// StateEvent is the data of a state event.
type StateEvent struct {
	EventTime

	State   string `json:"state" enum:"queued,running,completed,failed,cancelled"`
	Attempt int    `json:"attempt,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Verdict string `json:"verdict,omitempty"`
}

// CompiledEvent is the data of a compiled event: the compile, as in the job's report.
type CompiledEvent struct {
	EventTime
	Run
}

// TestEvent is the data of a test event: a test's report, as in the job's.
type TestEvent struct {
	EventTime
	Test
}

// OutputEvent is the data of an output event: a piece of live output.
type OutputEvent struct {
	EventTime

	Test     string `json:"test"`
	Stream   string `json:"stream" enum:"stdout,stderr"`
	Data     string `json:"data"`
	Encoding string `json:"encoding,omitempty" enum:"base64" doc:"base64 where data is not UTF-8; else not there."`
}

// RestartEvent is the data of a restart event.
type RestartEvent struct {
	EventTime

	Test string `json:"test" doc:"The test whose run begins anew: forget the output that was shown of it."`
}

func (s *Server) routeEvents() {
	register(s, huma.Operation{
		OperationID: "job-events", Method: http.MethodGet, Path: "/v1/jobs/{id}/events", Tags: []string{"jobs"},
		Summary: "Follow a job",
		Description: "A stream of server-sent events that ends after the job's last state. The id of an event is its number in the job; " +
			"`event` is `state` (StateEvent), `compiled` (CompiledEvent), `test` (TestEvent), `output` (OutputEvent) or `restart` (RestartEvent), and `data` is JSON.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The stream.",
			Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{
				AnyOf: []*huma.Schema{
					s.schemas.ref(StateEvent{}), s.schemas.ref(CompiledEvent{}), s.schemas.ref(TestEvent{}), s.schemas.ref(OutputEvent{}),
					s.schemas.ref(RestartEvent{}),
				},
			}}},
		}},
	}, RoleRead, s.jobEvents)
}

func (s *Server) jobEvents(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	after := in.After
	if in.LastEventID != "" {
		n, err := strconv.ParseUint(in.LastEventID, 10, 64)
		if err != nil {
			return nil, invalid([]Fault{{Parameter: "header.Last-Event-ID", Detail: "must be the id of an event: a whole number, 0 or more"}})
		}
		after = n
	}
	job, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(ctx)
	changed, err := s.opts.Store.Watch(watching, job.ID)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watch job: %w", err)
	}
	// The state is looked at after the watch has begun: a job that ends later is seen by its event.
	if job, err = s.opts.Store.Get(ctx, job.ID); err != nil {
		cancel()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer cancel()
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("Cache-Control", "no-store")
		hc.SetHeader("X-Accel-Buffering", "no")
		hc.SetStatus(http.StatusOK)
		if isHead(ctx) {
			return
		}
		stream := &eventStream{server: s, request: requestOf(ctx), after: after}
		stream.follow(ctx, &job, changed)
	}}, nil
}

// eventStream is one client that follows a job.
type eventStream struct {
	server  *Server
	request *request
	// after is the id of the last event that the client has. shift is how much ids are above the store's numbers,
	// and at the time of the last event, see unseen.
	after, shift uint64
	at           time.Time
	buf          bytes.Buffer
}

// follow sends events until the job's last one, or until the client or the server goes.
func (e *eventStream) follow(ctx context.Context, job *store.Job, changed <-chan struct{}) {
	e.buf.WriteString(": " + job.ID.String() + "\n\n")
	beat := time.NewTicker(e.server.opts.Timeouts.Heartbeat)
	defer beat.Stop()
	// A job that had ended when the watch began may have no last event any more.
	over := job.State.Terminal()
	for doubt := true; ; {
		ended, err := e.collect(ctx, job.ID, doubt)
		if err != nil {
			e.request.cause = err
			return
		}
		if e.flush() != nil || ended || over {
			return
		}
		select {
		case _, ok := <-changed:
			if !ok {
				return
			}
			doubt = false
		case <-beat.C:
			e.buf.WriteString(": still here\n\n")
			doubt = true
		case <-e.server.stop.asked:
			return
		}
	}
}

// collect adds the new events to the buffer and tells whether they end the job.
func (e *eventStream) collect(ctx context.Context, id store.ID, doubt bool) (ended bool, err error) {
	events, err := e.unseen(ctx, id, doubt)
	if err != nil {
		return false, fmt.Errorf("events of job %s: %w", id, err)
	}
	for _, event := range events {
		e.after, e.at = event.Seq+e.shift, event.Time
		if event.Type == store.EventState {
			ended = terminal(event)
		}
		data, err := viewEvent(event)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(&e.buf, "id: %d\nevent: %s\ndata: %s\n\n", e.after, event.Type, data)
	}
	return ended, nil
}

// unseen gives the events that the client has not had. A store that a failover has taken back forgets events that it
// had shown, and gives their numbers to others: with doubt, where nothing seems to be new, that is looked for. The
// stream then goes on with what is later than what was sent, or else with the job's end; its ids rise on.
func (e *eventStream) unseen(ctx context.Context, id store.ID, doubt bool) ([]store.Event, error) {
	seen := e.after - e.shift
	events, err := e.server.opts.Store.Events(ctx, id, seen)
	if err != nil || len(events) > 0 || !doubt || seen == 0 {
		return events, err
	}
	all, err := e.server.opts.Store.Events(ctx, id, 0)
	if err != nil || len(all) == 0 || all[len(all)-1].Seq >= seen {
		return nil, err
	}
	last := all[len(all)-1]
	from := slices.IndexFunc(all, func(event store.Event) bool { return event.Time.After(e.at) })
	if e.at.IsZero() || from < 0 {
		from = len(all)
	}
	if last.Type == store.EventState && terminal(last) {
		from = min(from, len(all)-1)
	}
	if from == len(all) {
		e.at = last.Time
		return nil, nil
	}
	e.shift = e.after + 1 - all[from].Seq
	return all[from:], nil
}

func (e *eventStream) flush() error {
	if e.buf.Len() == 0 {
		return nil
	}
	e.server.extend(e.request, e.server.opts.Timeouts.Write)
	_, err := e.request.w.Write(e.buf.Bytes())
	e.buf.Reset()
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if err := http.NewResponseController(e.request.w).Flush(); err != nil {
		return fmt.Errorf("flush events: %w", err)
	}
	return nil
}

// viewEvent gives an event's data as the API shows it. JSON has no line breaks, as SSE wants it.
func viewEvent(e store.Event) ([]byte, error) {
	var view any
	var err error
	at := EventTime{Time: e.Time}
	switch e.Type {
	case store.EventState:
		var d store.StateData
		err = json.Unmarshal(e.Data, &d)
		view = StateEvent{EventTime: at, State: string(d.State), Attempt: d.Attempt, Reason: d.Reason, Verdict: string(d.Verdict)}
	case store.EventCompiled:
		var o sandbox.Outcome
		err = json.Unmarshal(e.Data, &o)
		view = CompiledEvent{EventTime: at, Run: *viewRun(&o)}
	case store.EventTest:
		var t sandbox.TestReport
		err = json.Unmarshal(e.Data, &t)
		view = TestEvent{EventTime: at, Test: viewTest(&t)}
	case store.EventOutput:
		var d store.OutputData
		err = json.Unmarshal(e.Data, &d)
		text, encoding := viewBytes(d.Data, false)
		view = OutputEvent{EventTime: at, Test: d.Test, Stream: string(d.Stream), Data: text, Encoding: encoding}
	case store.EventRestart:
		var d store.RestartData
		err = json.Unmarshal(e.Data, &d)
		view = RestartEvent{EventTime: at, Test: d.Test}
	default:
		view = at
	}
	if err != nil {
		return nil, fmt.Errorf("event %d of type %q: %w", e.Seq, e.Type, err)
	}
	data, err := json.Marshal(view)
	if err != nil {
		return nil, fmt.Errorf("event %d of type %q: %w", e.Seq, e.Type, err)
	}
	return data, nil
}
