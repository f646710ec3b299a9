package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"optimus/sandbox"
	"optimus/store"
)

// submitInput's parameters are checked by itself, so that their faults and those of the body are
// told in one answer.
type submitInput struct {
	Wait           string `query:"wait" maxLength:"32" doc:"How long to wait for the job's end, such as 10s or 10. Without it the answer comes at once." example:"10s"`
	Include        string `query:"include" enum:"submission" doc:"submission: give the submission back too."`
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 255 visible ASCII characters. The same key with the same body gives the same job again; with another body it is a conflict."`

	faults []Fault
	wait   time.Duration
}

// Resolve implements [huma.Resolver].
func (in *submitInput) Resolve(ctx huma.Context) []error {
	r := requestOf(ctx.Context())
	wait, faults := parseWait(in.Wait, r.maxWait)
	in.wait = wait
	in.faults = slices.Concat(unknownQuery(ctx), faults, checkInclude(in.Include), checkKey(r.http.Header.Values(keyHeader), maxKey))
	return nil
}

// includeSubmission is the value of include that gives the submission back.
const includeSubmission = "submission"

type jobOutput struct {
	Status   int
	Location string `header:"Location" doc:"The job's path."`
	Replayed string `header:"Idempotency-Replayed" doc:"true where the job was made by an earlier request with the same Idempotency-Key."`
	Body     *Job
}

type jobInput struct {
	query

	ID string `path:"id" doc:"The job's id."`
}

type getJobInput struct {
	ID      string `path:"id" doc:"The job's id."`
	Wait    string `query:"wait" maxLength:"32" doc:"How long to wait for the job's end, such as 10s or 10." example:"10s"`
	Include string `query:"include" enum:"submission" doc:"submission: give the submission back too."`

	wait time.Duration
}

// Resolve implements [huma.Resolver].
func (in *getJobInput) Resolve(ctx huma.Context) []error {
	wait, faults := parseWait(in.Wait, requestOf(ctx.Context()).maxWait)
	in.wait = wait
	return errorsOf(slices.Concat(unknownQuery(ctx), faults))
}

type listInput struct {
	query

	State  []string  `query:"state" enum:"queued,running,completed,failed,cancelled" doc:"States to list, separated by commas; all without it."`
	Queue  string    `query:"queue" maxLength:"64" doc:"List this queue alone."`
	Tenant string    `query:"tenant" maxLength:"255" doc:"List this tenant's jobs alone; others than one's own need the role admin."`
	Since  time.Time `query:"since" doc:"Jobs made at this time or later."`
	Until  time.Time `query:"until" doc:"Jobs made before this time."`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Jobs on a page."`
	Cursor string    `query:"cursor" maxLength:"1024" doc:"next_cursor of the page before."`
}

type listOutput struct {
	Body JobList
}

// JobList is a page of jobs, newest first.
type JobList struct {
	Jobs       []*Job `json:"jobs" doc:"Newest first, without the tests' reports."`
	NextCursor string `json:"next_cursor,omitempty" doc:"Gives the next page; not there on the last."`
}

type noContent struct{}

func (s *Server) routeJobs() {
	answer := &huma.Response{Description: "The job; with wait, it has ended."}
	submit := huma.Operation{
		OperationID: "submit-job", Method: http.MethodPost, Path: "/v1/jobs", Tags: []string{"jobs"},
		Summary:       "Submit a job",
		Description:   "Answers 202 with the queued job; with `wait`, 200 with the ended job, or 202 with the job as it is once the time is over.",
		DefaultStatus: http.StatusAccepted, SkipValidateParams: true,
		Responses: map[string]*huma.Response{"200": answer},
	}
	register(s, submit, RoleSubmit, s.submitJob)
	op := s.api.OpenAPI().Paths["/v1/jobs"].Post
	documentBody(op, s.schemas.job, exampleJob())
	answer.Content = op.Responses["202"].Content

	register(s, huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/v1/jobs", Tags: []string{"jobs"},
		Summary:     "List jobs",
		Description: "Newest first, without the tests' reports; `next_cursor` gives the next page.",
	}, RoleRead, s.listJobs)
	register(s, huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/v1/jobs/{id}", Tags: []string{"jobs"},
		Summary:     "Get a job",
		Description: "With `wait` the answer comes when the job has ended, or as it is once the time is over.",
	}, RoleRead, s.getJob)
	register(s, huma.Operation{
		OperationID: "cancel-job", Method: http.MethodPost, Path: "/v1/jobs/{id}/cancel", Tags: []string{"jobs"},
		Summary:     "Cancel a job",
		Description: "A queued job is cancelled at once; of a running one the worker is asked to stop.",
	}, RoleSubmit, s.cancelJob)
	register(s, huma.Operation{
		OperationID: "delete-job", Method: http.MethodDelete, Path: "/v1/jobs/{id}", Tags: []string{"jobs"},
		Summary: "Forget a job that has ended",
	}, RoleSubmit, s.deleteJob)
	register(s, huma.Operation{
		OperationID: "redrive-job", Method: http.MethodPost, Path: "/v1/jobs/{id}/redrive", Tags: []string{"jobs"},
		Summary: "Queue a failed job again", Description: "Its attempts are counted anew.",
	}, RoleAdmin, s.redriveJob)
}

func (s *Server) submitJob(ctx context.Context, in *submitInput) (*jobOutput, error) {
	r := requestOf(ctx)
	f := &faults{list: in.faults}
	body, problem := readBody(r, s.opts.Limits.Body)
	if problem != nil {
		return nil, s.rejected(f.beside(problem))
	}
	job, replayed, err := s.submit(ctx, body, in.IdempotencyKey, f)
	if err != nil {
		return nil, s.rejected(problemOf(err))
	}
	r.job = job.ID.String()
	if replayed {
		if job, err = s.replay(ctx, job.ID); err != nil {
			return nil, err
		}
	}
	if in.wait > 0 && !job.State.Terminal() {
		if job, err = s.await(ctx, job, replayed, in.wait); err != nil {
			return nil, err
		}
	}
	return answerJob(&job, in.Include, replayed), nil
}

// replay gives the job that an idempotency key was used for.
func (s *Server) replay(ctx context.Context, id store.ID) (store.Job, error) {
	job, err := s.opts.Store.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return job, newProblem(codeConflict, "the job of this Idempotency-Key, %s, was deleted; use a new key", id)
	}
	return job, err
}

func answerJob(job *store.Job, include string, replayed bool) *jobOutput {
	out := &jobOutput{
		Status:   http.StatusAccepted,
		Location: "/v1/jobs/" + job.ID.String(),
		Body:     viewJob(job, include == includeSubmission),
	}
	if job.State.Terminal() {
		out.Status = http.StatusOK
	}
	if replayed {
		out.Replayed = "true"
	}
	return out
}

// rejected counts a submission that was refused.
func (s *Server) rejected(p *Problem) error {
	s.opts.Metrics.jobRejected(p.Code)
	return p
}

// submit makes the job of a body. The idempotency key is looked up first, so that a repetition is
// answered whatever has changed since in catalogue and limits. f has the faults of what surrounds
// the body, and gets its own. A replayed job has its id alone.
func (s *Server) submit(ctx context.Context, body []byte, key string, f *faults) (job store.Job, replayed bool, err error) {
	tenant := requestOf(ctx).who.name
	hash := sha256.Sum256(body)
	if key != "" && len(f.list) == 0 {
		id, err := s.opts.Store.LookupKey(ctx, tenant, key, hash)
		switch {
		case err == nil:
			return store.Job{ID: id}, true, nil
		case !errors.Is(err, store.ErrNotFound):
			return store.Job{}, false, fmt.Errorf("look up idempotency key: %w", err)
		}
	}
	n, err := s.newJob(body, f)
	if err != nil {
		return store.Job{}, false, err
	}
	n.Tenant, n.Key, n.PayloadHash = tenant, key, hash
	job, replayed, err = s.opts.Store.Submit(ctx, n)
	if err != nil {
		return store.Job{}, false, fmt.Errorf("submit: %w", err)
	}
	if !replayed {
		s.opts.Metrics.jobSubmitted(n.Submission.Language.Name)
	}
	return job, replayed, nil
}

// newJob checks a body and builds its job; the error lists every fault.
func (s *Server) newJob(body []byte, f *faults) (store.NewJob, error) {
	if err := s.scan(body, s.schemas.job, f); err != nil {
		return store.NewJob{}, err
	}
	var req JobRequest
	if err := json.Unmarshal(body, &req); err != nil && f.problem() == nil {
		f.add("", "%v", err)
	}
	lang := s.resolve(req.Language, req.Version, f)
	b := builder{limits: s.opts.Limits, queues: s.queues, label: s.label, faults: f}
	n := b.job(&req, lang)
	if p := f.problem(); p != nil {
		return store.NewJob{}, p
	}
	return n, nil
}

// scan checks a body against a schema. Its error ends the check: the rest must not be decoded.
func (s *Server) scan(body []byte, schema *huma.Schema, f *faults) error {
	err := scanJSON(body, schema, s.schemas.registry, s.opts.Limits.Depth, f)
	switch {
	case errors.Is(err, errTooMany):
		return f.problem()
	case err != nil:
		return f.beside(newProblem(codeInvalidJSON, "%v", err))
	}
	return nil
}

func (s *Server) resolve(name, version string, f *faults) sandbox.Language {
	if name == "" {
		return sandbox.Language{SourceFile: "main"} // the scan has noted it
	}
	lang, err := s.opts.Catalogue.Resolve(name, version)
	var unavailable *UnavailableError
	switch {
	case err == nil:
		return lang
	case errors.As(err, &unavailable):
		f.add("/language", "%s", unavailable.Error())
	default:
		f.add("/language", "%v; GET /v1/languages lists all", err)
	}
	return sandbox.Language{SourceFile: "main"}
}

func (s *Server) getJob(ctx context.Context, in *getJobInput) (*jobOutput, error) {
	job, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.wait > 0 && !job.State.Terminal() {
		if job, err = s.await(ctx, job, true, in.wait); err != nil {
			return nil, err
		}
	}
	out := answerJob(&job, in.Include, false)
	out.Status, out.Location = http.StatusOK, ""
	return out, nil
}

func (s *Server) listJobs(ctx context.Context, in *listInput) (*listOutput, error) {
	who := requestOf(ctx).who
	f := store.Filter{Queue: in.Queue, Since: in.Since, Until: in.Until, Limit: in.Limit, Cursor: in.Cursor}
	for _, state := range in.State {
		if !slices.Contains(f.States, store.State(state)) {
			f.States = append(f.States, store.State(state))
		}
	}
	switch {
	case !who.admin() && in.Tenant != "" && in.Tenant != who.name:
		return nil, newProblem(codeForbidden, "the jobs of another tenant need a key with the role %q", RoleAdmin)
	case !who.admin():
		f.Tenant = &who.name
	case in.Tenant != "":
		f.Tenant = &in.Tenant
	}
	page, err := s.opts.Store.List(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	out := &listOutput{Body: JobList{Jobs: make([]*Job, len(page.Jobs)), NextCursor: page.Next}}
	for i := range page.Jobs {
		out.Body.Jobs[i] = viewJob(&page.Jobs[i], false)
	}
	return out, nil
}

func (s *Server) cancelJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	job, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	job, err = s.opts.Store.Cancel(ctx, job.ID)
	if errors.Is(err, store.ErrTerminal) {
		return nil, newProblem(codeConflict, "the job has ended (%s), so it cannot be cancelled", job.State)
	}
	if err != nil {
		return nil, fmt.Errorf("cancel job: %w", err)
	}
	s.opts.Metrics.jobCancelled("v1")
	return &jobOutput{Status: http.StatusOK, Body: viewJob(&job, false)}, nil
}

func (s *Server) deleteJob(ctx context.Context, in *jobInput) (*noContent, error) {
	job, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Store.Delete(ctx, job.ID); err != nil {
		return nil, fmt.Errorf("delete job: %w", err)
	}
	return &noContent{}, nil
}

func (s *Server) redriveJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	job, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if job, err = s.opts.Store.Redrive(ctx, job.ID); err != nil {
		return nil, fmt.Errorf("re-drive job: %w", err)
	}
	return &jobOutput{Status: http.StatusOK, Body: viewJob(&job, false)}, nil
}
