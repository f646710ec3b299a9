package modes

import (
	"encoding/base64"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"optimus/sandbox"
	"optimus/sandbox/sandboxtest"
	"optimus/web"
)

// soakProgram is a program of a soak: how it is submitted, and what it must get.
type soakProgram struct {
	name    string
	request web.JobRequest
	want    sandbox.Verdict
}

// soakPrograms are the examples and the programs of the catalogue in these languages, in an order
// that chance decides.
func soakPrograms(t *testing.T, chance *rand.Rand, languages []string) []soakProgram {
	t.Helper()
	examples, err := readExamples("../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := sandboxtest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	var programs []soakProgram
	for _, e := range examples {
		if e.Expect == sandbox.Accepted {
			e.Limits = unhurried() // whatever else the machine does
		}
		if slices.Contains(languages, e.Language) {
			programs = append(programs, soakProgram{e.name, e.request(), e.Expect})
		}
	}
	own := len(programs)
	for _, c := range cases {
		if slices.Contains(languages, c.Language) && submittable(c) {
			programs = append(programs, soakProgram{c.Name, caseRequest(c), c.Want.Verdict})
		}
	}
	if own == 0 || len(programs) < 3*own {
		t.Fatalf("there are %d examples and only %d programs in all", own, len(programs))
	}
	chance.Shuffle(len(programs), func(i, j int) { programs[i], programs[j] = programs[j], programs[i] })
	return programs
}

// soakInput is the largest input, in bytes, of a soak's program. What larger ones leave in the server's
// heap until it is collected is more than a leak would be.
const soakInput = 1 << 20

// submittable tells whether a job can say all that a case needs, and whether its verdict is the same
// with others beside it.
func submittable(c sandboxtest.Case) bool {
	large := slices.ContainsFunc(c.Submission.Tests, func(t sandbox.TestCase) bool { return len(t.Input) > soakInput })
	return !large && !c.Exclusive && c.CompileLimits == (sandbox.Limits{}) && reflect.ValueOf(c.Change).IsZero()
}

// caseRequest gives the case as the API takes it. Bytes that are no text must come through, too.
func caseRequest(c sandboxtest.Case) web.JobRequest {
	const encoding = "base64"
	encode := base64.StdEncoding.EncodeToString
	s := c.Submission
	r := web.JobRequest{
		Language: c.Language, Args: s.Args, StopOnFailure: s.StopOnFailure, Labels: map[string]string{"case": c.Name},
	}
	if c.Marked {
		r.Args = append(slices.Clone(r.Args), "marked")
	}
	if s.Checker.Kind != "" {
		r.Checker = &web.CheckerRequest{Kind: string(s.Checker.Kind)}
	}
	for _, f := range s.Source.Files {
		r.Files = append(r.Files, web.FileRequest{Name: f.Name, Content: encode(f.Content), Encoding: encoding})
	}
	for i, test := range s.Tests {
		t := web.TestRequest{
			ID: test.ID, Input: encode(test.Input), Encoding: encoding, Limits: caseLimits(test.Limits.Or(s.Limits), c.Want, i),
		}
		if test.Expected != nil {
			t.ExpectedOutput = new(encode([]byte(*test.Expected)))
		}
		r.Tests = append(r.Tests, t)
	}
	return r
}

// caseLimits gives the limits of the test with that index. Its times are its own only where they are
// to be exceeded.
func caseLimits(l sandbox.Limits, want sandboxtest.Want, test int) *web.LimitsRequest {
	verdict := want.Verdict
	if len(want.Tests) > 0 {
		verdict = want.Tests[min(test, len(want.Tests)-1)]
	}
	r := unhurried()
	if verdict == sandbox.TimeLimitExceeded {
		r.CPU, r.Wall = stated(l.CPU.Milliseconds()), stated(l.Wall.Milliseconds())
	}
	r.Memory, r.Output, r.Processes, r.FileSize = stated(l.Memory), stated(l.Output), stated(l.Processes), stated(l.FileSize)
	r.OpenFiles, r.Stack, r.Disk = stated(l.OpenFiles), stated(l.Stack), stated(l.Disk)
	return r
}

// stated leaves out a limit that is not stated.
func stated(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
