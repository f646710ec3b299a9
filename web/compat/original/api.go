package original

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"optimus/sandbox"
	"optimus/store"
)

// Store is what this API needs of a store.
type Store interface {
	LookupKey(ctx context.Context, tenant, key string, payload [32]byte) (store.ID, error)
	Submit(ctx context.Context, n store.NewJob) (job store.Job, replayed bool, err error)
	Get(ctx context.Context, id store.ID) (store.Job, error)
	Cancel(ctx context.Context, id store.ID) (store.Job, error)
}

// Host is what this API needs of the server that it is part of.
type Host interface {
	// Resolve gives the language of a name; any error means that it is not supported, and says why.
	Resolve(name string) (sandbox.Language, error)
	// Tenant gives whose jobs a request makes.
	Tenant(ctx context.Context) string
	// Sees tells whether a request may see a tenant's jobs.
	Sees(ctx context.Context, tenant string) bool
	// About notes the job, for the log, that a request is about.
	About(ctx context.Context, id store.ID)
	// Failed notes, for the log, why a request failed.
	Failed(ctx context.Context, err error)
	// Submitted, Rejected and Cancelled count.
	Submitted(language string)
	Rejected(reason string)
	Cancelled()
}

// Limits bound a submission.
type Limits struct {
	// Tests is how many tests there may be.
	Tests int
	// Source, Input and Expected are in bytes, the last two for each test.
	Source, Input, Expected int64
	// MinTimeout and MaxTimeout bound timeout_ms, DefaultTimeout is its default.
	MinTimeout, MaxTimeout, DefaultTimeout time.Duration
	// DefaultQueue is the queue of a language that names none.
	DefaultQueue string
}

// API answers the original's requests.
type API struct {
	store  Store
	host   Host
	limits Limits
}

// New makes the API.
func New(s Store, h Host, l Limits) *API { return &API{store: s, host: h, limits: l} }

// failure is an error answer.
type failure struct {
	status        int
	code, message string
	retryAfter    time.Duration
	cause         error
}

func (f *failure) Error() string { return f.code + ": " + f.message }

// WriteError writes an error in the original's form. A code may be in lower case.
func WriteError(w http.ResponseWriter, status int, code, message string) {
	type inner struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	write(w, status, map[string]inner{"error": {strings.ToUpper(code), message}})
}

func write(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":{"code":"INTERNAL_ERROR","message":"encode answer"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that went away reads nothing
}

// job gives the job of an id in text, or the failure to answer with. Any UUID is an id; one that
// is not ours is not known.
func (a *API) job(ctx context.Context, text string) (store.Job, *failure) {
	notFound := &failure{status: http.StatusNotFound, code: "JOB_NOT_FOUND", message: "no job has this id"}
	u, err := uuid.Parse(text)
	if err != nil {
		return store.Job{}, &failure{status: http.StatusBadRequest, code: "INVALID_JOB_ID", message: "the job id must be a UUID"}
	}
	id, err := store.ParseID(u.String())
	if err != nil {
		return store.Job{}, notFound
	}
	a.host.About(ctx, id)
	job, err := a.store.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Job{}, notFound
	case err != nil:
		return store.Job{}, queueFailure(err)
	case !a.host.Sees(ctx, job.Tenant):
		return store.Job{}, notFound
	}
	return job, nil
}

func queueFailure(err error) *failure {
	return &failure{
		status: http.StatusInternalServerError, code: "QUEUE_FAILURE",
		message: "the job store failed; try again", cause: err,
	}
}
