package web_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"optimus/store"
	"optimus/web"
)

// everything states each field that a submission may have, with text and bytes that are awkward in JSON.
const everything = `{
	"language": "c++", "version": "14.2",
	"files": [
		{"name": "main.cpp", "content": "int main() {} // <script>&amp;\u2028\u0000\ud83d\ude00 \"\\"},
		{"name": "inc/a.h", "content": "AAH/", "encoding": "base64"},
		{"name": "empty", "content": ""}
	],
	"args": ["-x", "", "ü\n"],
	"limits": {"cpu_ms": 1, "wall_ms": 2, "memory_bytes": 1048576, "output_bytes": 3, "processes": 4, "file_size_bytes": 5, "open_files": 6, "stack_bytes": 65536, "disk_bytes": 4096},
	"checker": {"kind": "float", "absolute": 0.5, "relative": 1e-300},
	"stop_on_failure": true, "priority": -7, "queue": "slow", "labels": {"course/id": "42", "empty": ""},
	"tests": [
		{"id": "a", "input": "AP8=", "expected_output": "/w==", "encoding": "base64", "weight": 0.1,
		 "limits": {"cpu_ms": 9, "wall_ms": 8, "memory_bytes": 2097152, "output_bytes": 7, "processes": 6, "file_size_bytes": 5, "open_files": 4, "stack_bytes": 131072, "disk_bytes": 8192},
		 "checker": {"kind": "float", "absolute": 1, "relative": 2}},
		{"input": "x", "expected_output": "", "weight": 0, "checker": {"kind": "exact"}},
		{"input": "\u0000\u2028\r\n", "checker": {"kind": "float"}},
		{"expected_output": "/w==", "encoding": "base64", "limits": {"wall_ms": 3}}
	]}`

// unset names the fields below v that no value states.
func unset(at string, v reflect.Value) (names []string) {
	kind := v.Kind()
	switch {
	case kind == reflect.Pointer && !v.IsNil():
		return unset(at, v.Elem())
	case kind == reflect.Slice && v.Len() > 0:
		return unset(at, v.Index(0))
	case kind == reflect.Struct:
		for field, value := range v.Fields() {
			names = append(names, unset(at+"."+field.Name, value)...)
		}
	case v.IsZero():
		return []string{at}
	}
	return names
}

// What is given back of a submission can be submitted as it is, and makes the same job.
func TestASubmissionCanBeSubmittedAgain(t *testing.T) {
	t.Parallel()
	var all web.JobRequest
	must(t, json.Unmarshal([]byte(everything), &all))
	// These are other ways to say what files and tests say; a file in UTF-8 needs no encoding.
	others := []string{"JobRequest.SourceCode", "JobRequest.Stdin", "JobRequest.StdinEncoding", "JobRequest.Files.Encoding"}
	if missing := unset("JobRequest", reflect.ValueOf(all)); !slices.Equal(slices.Sorted(slices.Values(missing)), slices.Sorted(slices.Values(others))) {
		t.Fatalf("the submission states all but %v, want all but %v", missing, others)
	}
	h := setup(t)
	for _, body := range []string{
		everything, hello, `{"language":"py","source_code":""}`,
		`{"language":"python3","source_code":"1","stdin":"/w==","stdin_encoding":"base64"}`,
		`{"language":"cpp","files":[{"content":"/w==","encoding":"base64"}],"tests":[]}`,
	} {
		first, err := h.store.Get(t.Context(), h.submit(body))
		must(t, err)
		var given struct {
			Submission json.RawMessage `json:"submission"`
		}
		a := h.do(http.MethodGet, "/v1/jobs/"+first.ID.String()+"?include=submission", "").want(http.StatusOK)
		must(t, json.Unmarshal(a.Body, &given))
		again, err := h.store.Get(t.Context(), h.submit(string(given.Submission)))
		must(t, err)
		again.ID, again.Created = first.ID, first.Created
		for i := range again.Submission.Tests { // no bytes are no bytes
			if test := &again.Submission.Tests[i]; len(test.Input) == 0 && len(first.Submission.Tests[i].Input) == 0 {
				test.Input = first.Submission.Tests[i].Input
			}
		}
		if !reflect.DeepEqual(first, again) {
			t.Errorf("of %s\nis given back %s\nwhich makes\n%+v, not\n%+v", body, given.Submission, *again.Submission, *first.Submission)
		}
	}
}

// Labels that Optimus sets itself are no part of what is given back: nobody may state them.
func TestReservedLabelsAreNotSubmittedAgain(t *testing.T) {
	t.Parallel()
	h := setup(t)
	first, err := h.store.Get(t.Context(), h.submit(hello))
	must(t, err)
	job, _, err := h.store.Submit(t.Context(), store.NewJob{
		Queue: "default", Submission: *first.Submission, Labels: map[string]string{"optimus.own": "1", "mine": "2"},
	})
	must(t, err)
	got := into[web.Job](h.do(http.MethodGet, "/v1/jobs/"+job.ID.String()+"?include=submission", "").want(http.StatusOK))
	if l := got.Submission.Labels; len(l) != 1 || l["mine"] != "2" || got.Labels["optimus.own"] != "1" {
		t.Errorf("labels %v of a job with %v", l, got.Labels)
	}
}

// A list of dead letters says of each, without a question more, who tried it when, and why it failed.
func TestDeadLettersSayWhy(t *testing.T) {
	t.Parallel()
	h := setup(t)
	id := h.submit(hello)
	must(t, h.store.Start(id))
	must(t, h.store.Retry(id, "the disk was full"))
	must(t, h.store.Start(id))
	running := into[web.Job](h.do(http.MethodGet, "/v1/jobs/"+id.String(), "").want(http.StatusOK))
	if running.Worker != "w1" || running.TestCount != 1 || len(running.History) != 2 || running.Error != "" {
		t.Errorf("while it runs: %+v", running)
	}
	must(t, h.store.Bury(id, "no image"))
	list := into[web.JobList](h.do(http.MethodGet, "/v1/jobs?state=failed", "").want(http.StatusOK)).Jobs
	if len(list) != 1 {
		t.Fatalf("%d dead letters", len(list))
	}
	dead := list[0]
	if dead.Error != "no image" || dead.Worker != "w1" || len(dead.History) != 2 || dead.FinishedAt.IsZero() {
		t.Fatalf("listed: %+v", dead)
	}
	for i, reason := range []string{"the disk was full", "no image"} {
		if a := dead.History[i]; a.Reason != reason || a.Worker != "w1" || a.StartedAt.IsZero() || a.EndedAt.IsZero() || !a.Counted {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}
