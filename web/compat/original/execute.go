package original

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"optimus/sandbox"
	"optimus/store"
)

// executeRequest is the body of POST /execute. Fields that it does not know are ignored, as the
// original did.
type executeRequest struct {
	Language   string     `json:"language"`
	SourceCode string     `json:"source_code"`
	TestCases  []testCase `json:"test_cases"`
	TimeoutMS  *int64     `json:"timeout_ms"`
}

// rawRequest is an executeRequest whose tests are not decoded yet.
type rawRequest struct {
	executeRequest
	TestCases json.RawMessage `json:"test_cases"`
}

type testCase struct {
	Input          string  `json:"input"`
	ExpectedOutput string  `json:"expected_output"`
	Weight         *uint32 `json:"weight"`
}

const defaultWeight = 10

// Execute answers POST /execute with the body that the server has read.
func (a *API) Execute(w http.ResponseWriter, r *http.Request, body []byte) {
	id, f := a.execute(r.Context(), body, r.Header.Get("Idempotency-Key"))
	if f != nil {
		a.host.Rejected(strings.ToLower(f.code))
		a.fail(w, r, f)
		return
	}
	a.host.About(r.Context(), id)
	write(w, http.StatusAccepted, map[string]string{"job_id": id.String()})
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	if f.cause != nil {
		a.host.Failed(r.Context(), f.cause)
	}
	if f.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatFloat(math.Ceil(f.retryAfter.Seconds()), 'f', 0, 64))
	}
	WriteError(w, f.status, f.code, f.message)
}

// execute keeps the original's order: language, idempotency key, then everything else.
func (a *API) execute(ctx context.Context, body []byte, key string) (store.ID, *failure) {
	req, f := a.decode(body)
	if f != nil {
		return store.ID{}, f
	}
	lang, err := a.host.Resolve(req.Language)
	if err != nil {
		return store.ID{}, &failure{status: http.StatusUnprocessableEntity, code: "LANGUAGE_NOT_SUPPORTED", message: err.Error()}
	}
	hash := payloadHash(req)
	tenant := a.host.Tenant(ctx)
	if key != "" {
		id, err := a.store.LookupKey(ctx, tenant, key, hash)
		switch {
		case err == nil:
			return id, nil
		case !errors.Is(err, store.ErrNotFound):
			return store.ID{}, submitFailure(err)
		}
	}
	if f := a.check(req); f != nil {
		return store.ID{}, f
	}
	n := a.newJob(req, lang)
	n.Tenant, n.Key, n.PayloadHash = tenant, key, hash
	job, replayed, err := a.store.Submit(ctx, n)
	if err != nil {
		return store.ID{}, submitFailure(err)
	}
	if !replayed {
		a.host.Submitted(lang.Name)
	}
	return job.ID, nil
}

// decode reads the body and puts the defaults in.
func (a *API) decode(body []byte) (*executeRequest, *failure) {
	var raw rawRequest
	err := json.Unmarshal(body, &raw)
	req := raw.executeRequest
	if err == nil {
		req.TestCases, err = decodeTests(raw.TestCases, a.limits.Tests)
	}
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return nil, &failure{
			status: http.StatusUnprocessableEntity, code: "INVALID_REQUEST",
			message: wrongTypeMessage(wrongType),
		}
	case err != nil:
		return nil, &failure{status: http.StatusBadRequest, code: "INVALID_JSON", message: err.Error()}
	case !utf8.Valid(body):
		return nil, &failure{status: http.StatusBadRequest, code: "INVALID_JSON", message: "the body is not UTF-8"}
	}
	if req.TimeoutMS == nil {
		ms := a.limits.DefaultTimeout.Milliseconds()
		req.TimeoutMS = &ms
	}
	for i := range req.TestCases {
		if req.TestCases[i].Weight == nil {
			weight := uint32(defaultWeight)
			req.TestCases[i].Weight = &weight
		}
	}
	return &req, nil
}

// decodeTests decodes at most one test more than there may be, so that a small body cannot make a
// large list.
func decodeTests(data []byte, most int) (tests []testCase, err error) {
	if len(data) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	switch {
	case err != nil:
		return nil, fmt.Errorf("test_cases: %w", err)
	case open == nil:
		return nil, nil
	case open != json.Delim('['):
		return nil, &json.UnmarshalTypeError{Field: "test_cases", Value: "single value", Type: reflect.TypeFor[[]testCase]()}
	}
	for dec.More() && len(tests) <= most {
		t := &testCase{}
		if err := dec.Decode(&t); err != nil {
			return nil, inTest(len(tests), err)
		}
		if t == nil {
			return nil, inTest(len(tests), &json.UnmarshalTypeError{Value: "null", Type: reflect.TypeFor[testCase]()})
		}
		tests = append(tests, *t)
	}
	return tests, nil
}

// inTest says in which test an error is.
func inTest(i int, err error) error {
	at := "test_cases[" + strconv.Itoa(i) + "]"
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		wrongType.Field = strings.TrimSuffix(at+"."+wrongType.Field, ".")
		return wrongType
	}
	return fmt.Errorf("%s: %w", at, err)
}

// wrongTypeMessage says what a field must be.
func wrongTypeMessage(e *json.UnmarshalTypeError) string {
	want := "something else"
	switch e.Type.Kind() { //nolint:exhaustive // the kinds of an executeRequest's fields
	case reflect.String:
		want = "a string"
	case reflect.Int64:
		want = "a whole number"
	case reflect.Uint32:
		want = "a whole number from 0 to " + strconv.FormatUint(math.MaxUint32, 10)
	case reflect.Slice:
		want = "an array of objects"
	case reflect.Struct:
		want = "an object"
	}
	what := "the body"
	if e.Field != "" {
		// What is embedded names its Go type before the field.
		what = strconv.Quote(strings.TrimPrefix(e.Field, "executeRequest."))
	}
	return fmt.Sprintf("%s must be %s, not %s", what, want, e.Value)
}

// payloadHash identifies what a request means, however its JSON was written.
func payloadHash(req *executeRequest) [sha256.Size]byte {
	data, err := json.Marshal(req)
	if err != nil {
		panic(err) // a struct of strings and numbers can always be encoded
	}
	return sha256.Sum256(append([]byte("original\n"), data...))
}

// check keeps the original's order of errors.
func (a *API) check(req *executeRequest) *failure {
	l := a.limits
	refuse := func(status int, code, format string, args ...any) *failure {
		return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(req.TestCases) == 0:
		return refuse(http.StatusBadRequest, "NO_TEST_CASES", "give 1 to %d test cases", l.Tests)
	case len(req.TestCases) > l.Tests:
		return refuse(http.StatusBadRequest, "TOO_MANY_TEST_CASES", "over %d test cases; allowed are at most %d", l.Tests, l.Tests)
	case int64(len(req.SourceCode)) > l.Source:
		return refuse(http.StatusRequestEntityTooLarge, "SOURCE_CODE_TOO_LARGE",
			"source_code holds %d bytes; allowed are at most %d", len(req.SourceCode), l.Source)
	case strings.TrimSpace(req.SourceCode) == "":
		return refuse(http.StatusBadRequest, "EMPTY_SOURCE_CODE", "source_code is empty")
	}
	for i, t := range req.TestCases {
		if int64(len(t.Input)) > l.Input {
			return refuse(http.StatusRequestEntityTooLarge, "TEST_CASE_INPUT_TOO_LARGE",
				"the input of test case %d holds %d bytes; allowed are at most %d", i+1, len(t.Input), l.Input)
		}
	}
	for i, t := range req.TestCases {
		if int64(len(t.ExpectedOutput)) > l.Expected {
			return refuse(http.StatusRequestEntityTooLarge, "TEST_CASE_OUTPUT_TOO_LARGE",
				"the expected output of test case %d holds %d bytes; allowed are at most %d", i+1, len(t.ExpectedOutput), l.Expected)
		}
	}
	if ms := *req.TimeoutMS; ms < l.MinTimeout.Milliseconds() || ms > l.MaxTimeout.Milliseconds() {
		return refuse(http.StatusBadRequest, "INVALID_TIMEOUT", "timeout_ms is %d; allowed are %d to %d",
			ms, l.MinTimeout.Milliseconds(), l.MaxTimeout.Milliseconds())
	}
	return nil
}

func (a *API) newJob(req *executeRequest, lang sandbox.Language) store.NewJob {
	lang.TimeFactor = 0 // timeout_ms is a test's wall limit as it is
	sub := sandbox.Submission{
		Language: lang,
		Source:   sandbox.Source{Files: []sandbox.File{{Name: lang.SourceFile, Content: []byte(req.SourceCode)}}},
		Limits:   sandbox.Limits{Wall: time.Duration(*req.TimeoutMS) * time.Millisecond},
		Tests:    make([]sandbox.TestCase, len(req.TestCases)),
	}
	for i, t := range req.TestCases {
		expected := sandbox.Text(t.ExpectedOutput)
		sub.Tests[i] = sandbox.TestCase{
			ID: strconv.Itoa(i + 1), Input: []byte(t.Input), Expected: &expected, Weight: float64(*t.Weight),
		}
	}
	queue := lang.Queue
	if queue == "" {
		queue = a.limits.DefaultQueue
	}
	return store.NewJob{Queue: queue, Submission: sub}
}

// retryWhenDrained is when a client may look whether a queue is drained no more.
const retryWhenDrained = 30 * time.Second

// submitFailure answers what the store says against a submission.
func submitFailure(err error) *failure {
	var full *store.QueueFullError
	switch {
	case errors.Is(err, store.ErrKeyConflict):
		return &failure{
			status: http.StatusConflict, code: "IDEMPOTENCY_CONFLICT",
			message: "this Idempotency-Key was used with another payload",
		}
	case errors.As(err, &full):
		return &failure{status: http.StatusTooManyRequests, code: "QUEUE_FULL", message: full.Error(), retryAfter: full.RetryAfter}
	case errors.Is(err, store.ErrQueueFull):
		return &failure{status: http.StatusTooManyRequests, code: "QUEUE_FULL", message: "the queue is full; try again", retryAfter: time.Second}
	case errors.Is(err, store.ErrQueueDrained):
		return &failure{
			status: http.StatusTooManyRequests, code: "QUEUE_FULL",
			message: "the queue takes no jobs until an operator resumes it; try again", retryAfter: retryWhenDrained,
		}
	case errors.Is(err, store.ErrTooLarge):
		return &failure{status: http.StatusRequestEntityTooLarge, code: "PAYLOAD_TOO_LARGE", message: "the submission is larger than the store takes"}
	default:
		return queueFailure(err)
	}
}
