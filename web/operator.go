package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"optimus/store"
)

type noInput struct{ query }

type languagesOutput struct {
	Body LanguageList
}

// LanguageList is the catalogue of languages.
type LanguageList struct {
	Languages []LanguageInfo `json:"languages"`
}

// LanguageInfo is one language of the catalogue.
type LanguageInfo struct {
	Name          string          `json:"name" example:"python"`
	Aliases       []string        `json:"aliases"`
	DisplayName   string          `json:"display_name"`
	Version       string          `json:"version"`
	Compiled      bool            `json:"compiled" doc:"Has a compile step."`
	SourceFile    string          `json:"source_file" doc:"The name of a main file that gives none."`
	Tier          string          `json:"tier" enum:"shared,dedicated"`
	Queue         string          `json:"queue"`
	Limits        LimitsRequest   `json:"limits" doc:"Limits of a test where the submission states none."`
	CompileLimits LimitsRequest   `json:"compile_limits"`
	TimeFactor    float64         `json:"time_factor" doc:"Multiplies the times that a submission states."`
	MemoryFactor  float64         `json:"memory_factor" doc:"Multiplies the memory that a submission states."`
	Image         string          `json:"image" doc:"The image that its programs run in, as the catalogue names it." example:"optimus.local/python:trixie"`
	ImageDigest   string          `json:"image_digest,omitempty" doc:"The digest of the image that is here; not there where none is." example:"sha256:9a2f"`
	ImageBytes    int64           `json:"image_bytes,omitempty" doc:"The size of that image as it is stored, in bytes; not there where it is not known."`
	State         string          `json:"state" enum:"available,elsewhere,no_worker,missing" doc:"available: this server runs it. elsewhere: another worker does. no_worker: jobs are taken, and wait for a worker that runs it; none is registered now. missing: its image or containerd runtime is not here, and no other worker runs it."`
	Available     bool            `json:"available" doc:"Jobs of it are taken: it is not missing."`
	HowToGet      string          `json:"how_to_get,omitempty" doc:"The command that makes it available."`
	Samples       LanguageSamples `json:"samples"`
}

// LanguageSamples are programs of a language. Empty is none.
type LanguageSamples struct {
	Hello string `json:"hello,omitempty" doc:"A program that prints Hello, world!"`
	Error string `json:"error,omitempty" doc:"One that does not compile or, in an interpreted language, ends with an error."`
	Limit string `json:"limit,omitempty" doc:"One that never ends and uses its processor."`
}

type queuesOutput struct {
	Body QueueList
}

// QueueList is the queues with their figures.
type QueueList struct {
	Queues []Queue `json:"queues"`
}

// Queue is a queue with its figures.
type Queue struct {
	Name        string         `json:"name"`
	State       string         `json:"state" enum:"running,paused,draining" doc:"Nothing is taken from one that is paused; one that is draining takes no submission."`
	Paused      bool           `json:"paused" doc:"Its state is paused."`
	Ready       int            `json:"ready" doc:"Jobs that can be run."`
	Delayed     int            `json:"delayed" doc:"Jobs that wait for a retry."`
	Running     int            `json:"running"`
	Unfinished  int            `json:"unfinished" doc:"The sum of these."`
	Bytes       int64          `json:"bytes" doc:"Bytes of the unfinished jobs' submissions, as they are stored."`
	Completed   int            `json:"completed" doc:"Ended jobs that are still kept, by state."`
	Failed      int            `json:"failed"`
	Cancelled   int            `json:"cancelled"`
	OldestReady time.Time      `json:"oldest_ready_at,omitzero"`
	Unserved    string         `json:"unserved,omitempty" doc:"Why its jobs wait in vain: for a minute no worker has taken from it."`
	Totals      store.Counters `json:"totals" doc:"Since the store was made."`
	// PerMinute is dense, so that who draws it fills no gaps.
	PerMinute []store.MinuteCounters `json:"per_minute,omitempty" doc:"What happened in each of the last 60 minutes, oldest first: always 60, of which the last is not over yet. In a list only with include=minutes."`
}

type queuesInput struct {
	query

	Include string `query:"include" enum:"minutes" doc:"minutes: give what happened in each of the last 60 minutes too."`
}

type queueInput struct {
	query

	Name string `path:"name" maxLength:"64" doc:"The queue's name."`
}

type queueOutput struct {
	Body Queue
}

type workersOutput struct {
	Body WorkerList
}

// WorkerList is the registered workers.
type WorkerList struct {
	Workers []Worker `json:"workers"`
}

// Worker is a registered worker.
type Worker struct {
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Lanes     []string  `json:"lanes" doc:"What it takes jobs of, each as language/tier."`
	Queues    []string  `json:"queues" doc:"The queues that it takes from; empty for all."`
	Slots     int       `json:"slots" doc:"Jobs that it runs at once."`
	Busy      int       `json:"busy"`
	StartedAt time.Time `json:"started_at"`
	SeenAt    time.Time `json:"seen_at"`
}

func (s *Server) routeOperator() {
	queues := []string{"queues"}
	register(s, huma.Operation{
		OperationID: "list-languages", Method: http.MethodGet, Path: "/v1/languages", Tags: []string{"languages"},
		Summary:     "List languages",
		Description: "Those whose image is missing are listed too, with the command that gets it.",
	}, RoleRead, s.listLanguages)
	register(s, huma.Operation{
		OperationID: "list-queues", Method: http.MethodGet, Path: "/v1/queues", Tags: queues, Summary: "List queues",
	}, RoleRead, s.listQueues)
	register(s, huma.Operation{
		OperationID: "get-queue", Method: http.MethodGet, Path: "/v1/queues/{name}", Tags: queues, Summary: "Get a queue",
		Description: "With what happened in it in each of the last 60 minutes.",
	}, RoleRead, s.getQueue)
	register(s, huma.Operation{
		OperationID: "pause-queue", Method: http.MethodPost, Path: "/v1/queues/{name}/pause", Tags: queues,
		Summary: "Take nothing more from a queue", Description: "Submissions and running jobs go on.",
	}, RoleAdmin, func(ctx context.Context, in *queueInput) (*queueOutput, error) {
		return s.setQueueState(ctx, in.Name, store.QueuePaused)
	})
	register(s, huma.Operation{
		OperationID: "drain-queue", Method: http.MethodPost, Path: "/v1/queues/{name}/drain", Tags: queues,
		Summary:     "Take no more submissions into a queue",
		Description: "They get 503 `queue_drained`, while what the queue holds is finished.",
	}, RoleAdmin, func(ctx context.Context, in *queueInput) (*queueOutput, error) {
		return s.setQueueState(ctx, in.Name, store.QueueDraining)
	})
	register(s, huma.Operation{
		OperationID: "resume-queue", Method: http.MethodPost, Path: "/v1/queues/{name}/resume", Tags: queues,
		Summary: "End a queue's pause or drain",
	}, RoleAdmin, func(ctx context.Context, in *queueInput) (*queueOutput, error) {
		return s.setQueueState(ctx, in.Name, store.QueueRunning)
	})
	register(s, huma.Operation{
		OperationID: "list-workers", Method: http.MethodGet, Path: "/v1/workers", Tags: []string{"workers"},
		Summary: "List workers",
	}, RoleRead, s.listWorkers)
}

func (s *Server) listLanguages(context.Context, *noInput) (*languagesOutput, error) {
	out := &languagesOutput{Body: LanguageList{Languages: []LanguageInfo{}}}
	for _, l := range s.opts.Catalogue.Languages() {
		out.Body.Languages = append(out.Body.Languages, ViewLanguage(l))
	}
	return out, nil
}

// ViewLanguage gives a language as the API shows it.
func ViewLanguage(l Language) LanguageInfo {
	info := LanguageInfo{
		Name:          l.Name,
		Aliases:       append([]string{}, l.Aliases...),
		DisplayName:   cmp.Or(l.DisplayName, l.Name+" "+l.Version),
		Version:       l.Version,
		Compiled:      len(l.Compile) > 0,
		SourceFile:    l.SourceFile,
		Tier:          string(store.LaneOf(l.Language).Tier),
		Queue:         cmp.Or(l.Queue, DefaultQueue),
		Limits:        viewLimits(l.Limits.Resolved()),
		CompileLimits: viewLimits(l.CompileLimits.Resolved()),
		TimeFactor:    cmp.Or(l.TimeFactor, 1),
		MemoryFactor:  cmp.Or(l.MemoryFactor, 1),
		Image:         l.Image,
		ImageDigest:   l.Digest,
		ImageBytes:    l.ImageBytes,
		State:         string(l.State),
		Available:     l.Available(),
		Samples:       l.Samples,
	}
	if !l.Available() {
		info.HowToGet = l.HowToGet
	}
	return info
}

func viewQueue(q store.QueueInfo) Queue {
	return Queue{
		Name: q.Name, State: string(q.State), Paused: q.State == store.QueuePaused,
		Ready: q.Ready, Delayed: q.Delayed, Running: q.Running, Unfinished: q.Unfinished, Bytes: q.Bytes,
		Completed: q.Completed, Failed: q.Failed, Cancelled: q.Cancelled,
		OldestReady: q.OldestReady, Totals: q.Totals,
	}
}

// viewQueues also says which are not served and, where minutes is set, what happened in each.
func (s *Server) viewQueues(ctx context.Context, queues []store.QueueInfo, minutes bool) ([]Queue, error) {
	workers, err := s.opts.Store.Workers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	views := make([]Queue, len(queues))
	for i, q := range queues {
		views[i] = viewQueue(q)
		views[i].Unserved = q.Unserved(workers, s.opts.Now())
		if minutes {
			views[i].PerMinute = q.PerMinute
		}
	}
	return views, nil
}

func (s *Server) listQueues(ctx context.Context, in *queuesInput) (*queuesOutput, error) {
	queues, err := s.opts.Store.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	views, err := s.viewQueues(ctx, queues, in.Include != "")
	return &queuesOutput{Body: QueueList{Queues: views}}, err
}

func (s *Server) getQueue(ctx context.Context, in *queueInput) (*queueOutput, error) {
	q, err := s.queue(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return s.answerQueue(ctx, q, true)
}

// queue finds a queue by its name.
func (s *Server) queue(ctx context.Context, name string) (store.QueueInfo, error) {
	queues, err := s.opts.Store.Queues(ctx)
	if err != nil {
		return store.QueueInfo{}, fmt.Errorf("list queues: %w", err)
	}
	i := slices.IndexFunc(queues, func(q store.QueueInfo) bool { return q.Name == name })
	if i < 0 {
		return store.QueueInfo{}, newProblem(codeNotFound, "there is no queue %q; GET /v1/queues lists them", name)
	}
	return queues[i], nil
}

func (s *Server) answerQueue(ctx context.Context, q store.QueueInfo, minutes bool) (*queueOutput, error) {
	views, err := s.viewQueues(ctx, []store.QueueInfo{q}, minutes)
	if err != nil {
		return nil, err
	}
	return &queueOutput{Body: views[0]}, nil
}

func (s *Server) setQueueState(ctx context.Context, name string, state store.QueueState) (*queueOutput, error) {
	q, err := s.queue(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Store.SetQueueState(ctx, name, state); err != nil {
		return nil, fmt.Errorf("set the state of a queue: %w", err)
	}
	q.State = state
	return s.answerQueue(ctx, q, false)
}

func (s *Server) listWorkers(ctx context.Context, _ *noInput) (*workersOutput, error) {
	workers, err := s.opts.Store.Workers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	out := &workersOutput{Body: WorkerList{Workers: make([]Worker, len(workers))}}
	for i, w := range workers {
		lanes := make([]string, len(w.Lanes))
		for j, l := range w.Lanes {
			lanes[j] = l.String()
		}
		out.Body.Workers[i] = Worker{
			Name: w.Name, Version: w.Version, Lanes: lanes, Queues: append([]string{}, w.Queues...), Slots: w.Slots, Busy: w.Busy, StartedAt: w.Started, SeenAt: w.Seen,
		}
	}
	return out, nil
}
