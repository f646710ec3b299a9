package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"optimus/sandbox"
	"optimus/store"
)

// Options are what [New] needs. Store, Catalogue and Now have no default.
type Options struct {
	Store     Store
	Catalogue Catalogue
	// Editor changes the catalogue; nil where nobody may.
	Editor CatalogueEditor
	// Now is the clock.
	Now func() time.Time
	// Log gets the access log and the causes of failures; its zero value drops them.
	Log zerolog.Logger
	// Metrics are shared with whoever else counts in this process; nil means a set of its own.
	Metrics *Metrics
	// Trace continues the trace that a request's header names, for what is done in the context; nil: none is.
	Trace func(ctx context.Context, h http.Header) context.Context
	// Version is shown by /version, /health and the OpenAPI document.
	Version string
	// Ready tells why the process should get no traffic, or nil; nil means always ready.
	Ready func(ctx context.Context) error
	// Limits bound requests; a zero field takes its value from [DefaultLimits].
	Limits Limits
	// Timeouts bound the time of requests; a zero field takes its value from [DefaultTimeouts].
	Timeouts Timeouts
	// Keys are the API keys of the configuration, Stored those that the store has at first; see
	// [Switch.FollowKeys] for later ones. Without any of either, every request may do everything,
	// unless RequireKeys says that then none may.
	Keys        []Key
	Stored      []store.APIKey
	RequireKeys bool
	// PerMinute is how many requests all clients together may make in a minute, and at once after
	// a pause, where there are no keys; 0 is no bound.
	PerMinute int
	// PublicMetrics serves /metrics without a key, for a scraper that has none.
	PublicMetrics bool
	// Queues are those that a submission may name beside those of the catalogue's languages.
	Queues []string
}

// Limits bound what a request may ask for.
type Limits struct {
	// Body is the largest request body, in bytes.
	Body int64
	// Depth is how deep a JSON body may nest.
	Depth int
	// Batch is how many jobs one batch may hold.
	Batch int
	// Tests is how many tests one job may have.
	Tests int
	// Source bounds the bytes of all of a job's source files together, Files their number.
	Source int64
	Files  int
	// Input and Expected bound each test's input and expected output, in bytes.
	Input    int64
	Expected int64
	// Args bounds the number of a job's arguments, ArgBytes the bytes of all together.
	Args     int
	ArgBytes int
	// Labels is how many labels one job may have.
	Labels int
	// Run holds the largest value of each limit that a submission may state.
	Run sandbox.Limits
	// MinPriority and MaxPriority bound a job's priority; both 0 means the store's range.
	MinPriority, MaxPriority int
	// Wait is the longest that a request may wait for a job's end.
	Wait time.Duration
	// Original bounds what the original's API takes.
	Original OriginalLimits
}

// OriginalLimits bound a submission by the original's routes, whose clients rely on these figures.
type OriginalLimits struct {
	// Tests, Source, Input and Expected are as in [Limits].
	Tests                   int
	Source, Input, Expected int64
	// MinTimeout and MaxTimeout bound timeout_ms, DefaultTimeout is its default.
	MinTimeout, MaxTimeout, DefaultTimeout time.Duration
}

// DefaultLimits are the limits of a server without configuration.
func DefaultLimits() Limits {
	return Limits{
		Body:     16 << 20,
		Depth:    32,
		Batch:    100,
		Tests:    100,
		Source:   256_000,
		Files:    64,
		Input:    64_000,
		Expected: 64_000,
		Args:     64,
		ArgBytes: 16 << 10,
		Labels:   16,
		Run: sandbox.Limits{
			CPU:       time.Minute,
			Wall:      2 * time.Minute,
			Memory:    2 << 30,
			Output:    16 << 20,
			Processes: 1024,
			FileSize:  1 << 30,
			OpenFiles: 4096,
			Stack:     2 << 30,
			Disk:      2 << 30,
		},
		MinPriority: -100,
		MaxPriority: 100,
		Wait:        time.Minute,
		Original: OriginalLimits{
			Tests:          100,
			Source:         256_000,
			Input:          64_000,
			Expected:       64_000,
			MinTimeout:     time.Millisecond,
			MaxTimeout:     time.Minute,
			DefaultTimeout: 5 * time.Second,
		},
	}
}

// Timeouts name every time bound of the HTTP server.
type Timeouts struct {
	// ReadHeader bounds the arrival of a request's headers, Read that of the whole request.
	ReadHeader, Read time.Duration
	// Write bounds the writing of an answer once it is ready; a stream has it for each event.
	Write time.Duration
	// Idle bounds how long an unused connection is kept.
	Idle time.Duration
	// Shutdown bounds how long [Server.Serve] waits for requests in flight when it stops.
	Shutdown time.Duration
	// Heartbeat is how often an idle event stream gets a comment.
	Heartbeat time.Duration
	// Store bounds the store's answer to a health check.
	Store time.Duration
}

// DefaultTimeouts are the timeouts of a server without configuration.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		ReadHeader: 5 * time.Second,
		Read:       30 * time.Second,
		Write:      30 * time.Second,
		Idle:       2 * time.Minute,
		Shutdown:   10 * time.Second,
		Heartbeat:  15 * time.Second,
		Store:      2 * time.Second,
	}
}

// Store is what the HTTP layer needs of a store; every [store.Store] is one.
type Store interface {
	LookupKey(ctx context.Context, tenant, key string, payload [32]byte) (store.ID, error)
	Submit(ctx context.Context, n store.NewJob) (job store.Job, replayed bool, err error)
	Get(ctx context.Context, id store.ID) (store.Job, error)
	List(ctx context.Context, f store.Filter) (store.Page, error)
	Cancel(ctx context.Context, id store.ID) (store.Job, error)
	Delete(ctx context.Context, id store.ID) error
	Events(ctx context.Context, id store.ID, after uint64) ([]store.Event, error)
	Watch(ctx context.Context, id store.ID) (<-chan struct{}, error)
	Redrive(ctx context.Context, id store.ID) (store.Job, error)
	Queues(ctx context.Context) ([]store.QueueInfo, error)
	SetQueueState(ctx context.Context, queue string, state store.QueueState) error
	Workers(ctx context.Context) ([]store.Worker, error)
	Ping(ctx context.Context) error
	Describe(ctx context.Context) (store.Description, error)
	Schema(ctx context.Context) (store.Schema, error)
	Export(ctx context.Context, do func(store.Record) error) error
	Import(ctx context.Context, records []store.Record) (store.Imported, error)
	store.Keyring
}

// Catalogue is what the HTTP layer needs of the catalogue of languages.
type Catalogue interface {
	// Languages lists every language, by name, whether it is available or not.
	Languages() []Language
	// Resolve gives the language of a name or alias and, where version is not empty, of that
	// version. Its errors wrap [ErrUnknownLanguage], and say what there is, or are an
	// [UnavailableError].
	Resolve(name, version string) (sandbox.Language, error)
}

// Language is an entry of the catalogue as the API shows it.
type Language struct {
	sandbox.Language
	Aliases []string
	// DisplayName is for people, such as "C++ (GCC 14.2)".
	DisplayName string
	// Samples are programs of it.
	Samples LanguageSamples
	// State tells whether a job of it can be run now; where it is missing, HowToGet is the command
	// that mends it.
	State    LanguageState
	HowToGet string
	// ImageBytes is the size of the image that Digest names, in bytes; 0 where it is not known.
	ImageBytes int64
}

// LanguageState tells where jobs of a language can be run.
type LanguageState string

// The states of a language.
const (
	// LanguageAvailable: this process's worker runs it.
	LanguageAvailable LanguageState = "available"
	// LanguageElsewhere: another worker runs it.
	LanguageElsewhere LanguageState = "elsewhere"
	// LanguageNoWorker: jobs of it are taken, and wait, since no registered worker runs it.
	LanguageNoWorker LanguageState = "no_worker"
	// LanguageMissing: no worker runs it, since its image or containerd runtime is not here.
	LanguageMissing LanguageState = "missing"
)

// Available tells whether jobs of the language are taken.
func (l *Language) Available() bool { return l.State != LanguageMissing }

// ErrUnknownLanguage is wrapped by [Catalogue.Resolve] for a name or version that it has not.
var ErrUnknownLanguage = errors.New("unknown language")

// UnavailableError says that a language of the catalogue cannot be run here for now.
type UnavailableError struct {
	Language string
	// HowToGet is the command that makes it available.
	HowToGet string
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("language %q is not available here; get it with: %s", e.Language, e.HowToGet)
}

func (o Options) withDefaults() (Options, error) {
	var faults []error
	if o.Store == nil {
		faults = append(faults, errors.New("no store"))
	}
	if o.Catalogue == nil {
		faults = append(faults, errors.New("no catalogue"))
	}
	if o.Now == nil {
		faults = append(faults, errors.New("no clock"))
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	o.Limits = o.Limits.or(DefaultLimits())
	o.Timeouts = o.Timeouts.or(DefaultTimeouts())
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("web server options: %w", err)
	}
	return o, nil
}

func (l Limits) or(d Limits) Limits {
	l.Body = cmp.Or(l.Body, d.Body)
	l.Depth = cmp.Or(l.Depth, d.Depth)
	l.Batch = cmp.Or(l.Batch, d.Batch)
	l.Tests = cmp.Or(l.Tests, d.Tests)
	l.Source = cmp.Or(l.Source, d.Source)
	l.Files = cmp.Or(l.Files, d.Files)
	l.Input = cmp.Or(l.Input, d.Input)
	l.Expected = cmp.Or(l.Expected, d.Expected)
	l.Args = cmp.Or(l.Args, d.Args)
	l.ArgBytes = cmp.Or(l.ArgBytes, d.ArgBytes)
	l.Labels = cmp.Or(l.Labels, d.Labels)
	l.Run = l.Run.Or(d.Run)
	if l.MinPriority == 0 && l.MaxPriority == 0 {
		l.MinPriority, l.MaxPriority = d.MinPriority, d.MaxPriority
	}
	l.Wait = cmp.Or(l.Wait, d.Wait)
	l.Original = l.Original.or(d.Original)
	return l
}

func (l OriginalLimits) or(d OriginalLimits) OriginalLimits {
	l.Tests = cmp.Or(l.Tests, d.Tests)
	l.Source = cmp.Or(l.Source, d.Source)
	l.Input = cmp.Or(l.Input, d.Input)
	l.Expected = cmp.Or(l.Expected, d.Expected)
	l.MinTimeout = cmp.Or(l.MinTimeout, d.MinTimeout)
	l.MaxTimeout = cmp.Or(l.MaxTimeout, d.MaxTimeout)
	l.DefaultTimeout = cmp.Or(l.DefaultTimeout, d.DefaultTimeout)
	return l
}

func (t Timeouts) or(d Timeouts) Timeouts {
	t.ReadHeader = cmp.Or(t.ReadHeader, d.ReadHeader)
	t.Read = cmp.Or(t.Read, d.Read)
	t.Write = cmp.Or(t.Write, d.Write)
	t.Idle = cmp.Or(t.Idle, d.Idle)
	t.Shutdown = cmp.Or(t.Shutdown, d.Shutdown)
	t.Heartbeat = cmp.Or(t.Heartbeat, d.Heartbeat)
	t.Store = cmp.Or(t.Store, d.Store)
	return t
}
