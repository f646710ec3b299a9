package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

type batchInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 240 visible ASCII characters. It holds for each job by its place in the batch."`

	faults []Fault
}

// Resolve implements [huma.Resolver]: its faults are told with those of the body.
func (in *batchInput) Resolve(ctx huma.Context) []error {
	in.faults = unknownQuery(ctx)
	return nil
}

type batchOutput struct {
	Body BatchResponse
}

// BatchResponse has one result for each job of a batch, in its order.
type BatchResponse struct {
	Results  []BatchResult `json:"results" doc:"One for each job, in the request's order."`
	Accepted int           `json:"accepted" doc:"How many jobs were made."`
	Refused  int           `json:"refused" doc:"How many were not."`
}

// BatchResult is the job that was made, or why it was not.
type BatchResult struct {
	Job   *Job     `json:"job,omitempty"`
	Error *Problem `json:"error,omitempty"`
}

func (s *Server) routeBatches() {
	register(s, huma.Operation{
		OperationID: "submit-batch", Method: http.MethodPost, Path: "/v1/batches", Tags: []string{"batches"},
		Summary:     "Submit several jobs",
		Description: "Each job is accepted or refused on its own; the answer is 200 in either case, with one result for each.",
	}, RoleSubmit, s.submitBatch)
	documentBody(s.api.OpenAPI().Paths["/v1/batches"].Post, s.schemas.batch, BatchRequest{Jobs: []JobRequest{exampleJob()}})
}

// submitBatch submits one after the other, so that the jobs are queued in their order.
func (s *Server) submitBatch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	most := maxKey - len("/") - len(strconv.Itoa(s.opts.Limits.Batch))
	f := &faults{list: slices.Concat(in.faults, checkKey(requestOf(ctx).http.Header.Values(keyHeader), most))}
	body, problem := readBody(requestOf(ctx), s.opts.Limits.Body)
	if problem != nil {
		return nil, s.rejected(f.beside(problem))
	}
	jobs, err := s.splitBatch(body, f)
	if err != nil {
		return nil, s.rejected(problemOf(err))
	}
	out := &batchOutput{Body: BatchResponse{Results: make([]BatchResult, len(jobs))}}
	for i, raw := range jobs {
		result := &out.Body.Results[i]
		if err := s.submitItem(ctx, raw, in.IdempotencyKey, i, result); err != nil {
			result.Error = problemOf(err)
			_ = s.rejected(result.Error)
			out.Body.Refused++
			continue
		}
		out.Body.Accepted++
	}
	return out, nil
}

func (s *Server) submitItem(ctx context.Context, raw []byte, key string, i int, result *BatchResult) error {
	if key != "" {
		key += "/" + strconv.Itoa(i)
	}
	job, replayed, err := s.submit(ctx, raw, key, &faults{prefix: jobPointer(i)})
	if err == nil && replayed {
		job, err = s.replay(ctx, job.ID)
	}
	if err != nil {
		return err
	}
	result.Job = viewJob(&job, false)
	return nil
}

// splitBatch checks the batch and gives the jobs in it as they were sent: each of them is checked
// when it is submitted or, where the batch itself is refused, here, so that every fault is told.
func (s *Server) splitBatch(body []byte, f *faults) ([]json.RawMessage, error) {
	if err := s.scan(body, s.schemas.outer, f); err != nil {
		return nil, err
	}
	var batch struct {
		Jobs []json.RawMessage `json:"jobs"`
	}
	err := json.Unmarshal(body, &batch)
	if len(f.list) > 0 {
		for i, raw := range batch.Jobs {
			f.prefix = jobPointer(i)
			_, _ = s.newJob(raw, f) // its error is what f has
		}
		return nil, f.problem()
	}
	if err != nil {
		return nil, newProblem(codeInvalidJSON, "%v", err)
	}
	return batch.Jobs, nil
}

// jobPointer is where in a batch its job i is.
func jobPointer(i int) string { return "/jobs/" + strconv.Itoa(i) }
