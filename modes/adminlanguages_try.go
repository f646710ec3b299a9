package modes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox"
	"optimus/web"
)

func testLanguagesCommand(p Process) *cli.Command {
	return &cli.Command{
		Name:  "test",
		Usage: "compile and run each language's own samples, and print what became of them",
		Description: "Three of each language: one that prints \"Hello, world!\", one with an error, which must be a compile error or, where nothing\n" +
			"is compiled, a runtime error, and one that never ends, which must meet the time limit. They run on this machine, as `optimus\n" +
			"admin run` does, or with --server on a running one. Without LANGUAGE all that are available are tried." +
			examples("optimus admin languages test", "optimus admin languages test python cpp --server http://127.0.0.1:8080"),
		CustomHelpTemplate: helpOfAction(exitMeaning{ExitVerdict, "a sample did not end as it should"}),
		ArgsUsage:          "[LANGUAGE…]",
		Flags:              moveFlags(),
		Action: func(c *cli.Context) error {
			if c.IsSet("server") {
				cl, err := newClient(c)
				if err != nil {
					return err
				}
				return tryLanguages(c, p, cl)
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			if err := languagesAreKnown(cfg, c.Args().Slice()...); err != nil {
				return err
			}
			return withServer(c.Context, p, cfg, func(cl *client) error { return tryLanguages(c, p, cl) })
		},
	}
}

// languagesAreKnown says of a name that the catalogue has not, before containers are started for nothing.
func languagesAreKnown(cfg config.Config, names ...string) error {
	stated, err := config.LoadCatalogue(cfg.CataloguePath())
	if err != nil {
		return err
	}
	all := newCatalogue(stated, nil)
	for _, name := range names {
		if _, err := all.find(name, ""); err != nil {
			return fmt.Errorf("%w; `optimus admin languages list --local` shows what there is", err)
		}
	}
	return nil
}

// tried is what became of a sample.
type tried struct {
	Language string          `json:"language"`
	Version  string          `json:"version"`
	Sample   string          `json:"sample"`
	Expected sandbox.Verdict `json:"expected"`
	Verdict  string          `json:"verdict,omitempty"`
	OK       bool            `json:"ok"`
	// Milliseconds of the compile and of the run; not there for what was not.
	CompileMS *float64 `json:"compile_ms,omitempty"`
	CPU       *float64 `json:"cpu_ms,omitempty"`
	Wall      *float64 `json:"wall_ms,omitempty"`
	Memory    *int64   `json:"memory_bytes,omitempty"`
	// Note says why it is not as expected.
	Note string `json:"note,omitempty"`
}

// trial is a sample with what must become of it.
type trial struct {
	name, source string
	expected     sandbox.Verdict
	request      web.JobRequest
}

// Limits of the sample that never ends: long enough for any runtime to start.
const (
	tryCPU  = time.Second
	tryWall = 20 * time.Second
)

// trialsOf gives a language's samples; it may state none.
func trialsOf(l web.LanguageInfo) []trial {
	broken := sandbox.RuntimeError
	if l.Compiled {
		broken = sandbox.CompileError
	}
	hello, cpu, wall := "Hello, world!\n", tryCPU.Milliseconds(), tryWall.Milliseconds()
	var all []trial
	for _, t := range []trial{
		{name: "hello", source: l.Samples.Hello, expected: sandbox.Accepted, request: web.JobRequest{Tests: []web.TestRequest{{ExpectedOutput: &hello}}}},
		{name: "error", source: l.Samples.Error, expected: broken},
		{name: "limit", source: l.Samples.Limit, expected: sandbox.TimeLimitExceeded, request: web.JobRequest{Limits: &web.LimitsRequest{CPU: &cpu, Wall: &wall}}},
	} {
		if t.source != "" {
			t.request.Language, t.request.Version, t.request.SourceCode = l.Name, l.Version, &t.source
			all = append(all, t)
		}
	}
	return all
}

func tryLanguages(c *cli.Context, p Process, cl *client) error {
	var list web.LanguageList
	if err := cl.call(c.Context, http.MethodGet, "/v1/languages", nil, &list); err != nil {
		return err
	}
	chosen, err := chosenLanguages(list.Languages, c.Args().Slice())
	if err != nil {
		return err
	}
	results := []tried{}
	progress := newProgressLine(p.Stderr)
	for _, l := range chosen {
		for _, t := range trialsOf(l) {
			if progress.terminal {
				fmt.Fprintf(p.Stderr, "\r\x1b[K%s %s: %s", l.Name, l.Version, t.name)
			}
			r, err := cl.try(c.Context, l, t)
			if err != nil {
				progress.clear()
				return err
			}
			results = append(results, r)
		}
	}
	if progress.terminal {
		fmt.Fprint(p.Stderr, "\r\x1b[K")
	}
	return printTried(c, p.Stdout, results)
}

// chosenLanguages gives those that are named or, where none is, all that can be run.
func chosenLanguages(all []web.LanguageInfo, names []string) (chosen []web.LanguageInfo, err error) {
	for _, name := range names {
		found := false
		for _, l := range all {
			if l.Name == name || containsFold(l.Aliases, name) {
				found = true
				chosen = append(chosen, l)
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no language %q: `optimus admin languages list` shows what there is", name)
		}
	}
	if len(names) > 0 {
		return chosen, nil
	}
	for _, l := range all {
		if l.Available {
			chosen = append(chosen, l)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no language is available: get the image of one, such as with `optimus admin images build python`")
	}
	return chosen, nil
}

// try judges a sample. An error is one of the server; what is wrong with the language is in the result.
func (c *client) try(ctx context.Context, l web.LanguageInfo, t trial) (tried, error) {
	const patience = 2 * time.Minute
	r := tried{Language: l.Name, Version: l.Version, Sample: t.name, Expected: t.expected}
	job, err := c.judged(ctx, t.request, patience)
	var refused *refusalError
	switch {
	case errors.As(err, &refused) && refused.problem.Status == http.StatusUnprocessableEntity:
		r.Note = oneLine(cmp.Or(refused.problem.Detail, refused.problem.Title), 200)
		return r, nil
	case err != nil:
		return r, err
	}
	r.Verdict = job.Verdict
	if r.OK = job.Verdict == string(t.expected); !r.OK {
		r.Note = faultOf(job, patience)
	}
	if job.Compile != nil {
		r.CompileMS = &job.Compile.Wall
	}
	for _, test := range job.Tests {
		if test.Run != nil {
			r.CPU, r.Wall, r.Memory = &test.Run.CPU, &test.Run.Wall, test.Run.Memory
		}
	}
	return r, nil
}

// judged submits a job and waits for its end, however long a server lets one request wait.
func (c *client) judged(ctx context.Context, request web.JobRequest, patience time.Duration) (job web.Job, err error) {
	until := time.Now().Add(patience)
	err = c.call(ctx, http.MethodPost, "/v1/jobs?wait=10s", request, &job)
	for err == nil && job.Verdict == "" && time.Now().Before(until) {
		err = c.call(ctx, http.MethodGet, "/v1/jobs/"+job.ID+"?wait=10s", nil, &job)
	}
	return job, err
}

// faultOf says in a line what a job has of what went wrong.
func faultOf(job web.Job, patience time.Duration) string {
	if job.Verdict == "" {
		return fmt.Sprintf("still %s after %s", job.State, patience)
	}
	return oneLine(whyNot(&job), 100)
}

func printTried(c *cli.Context, w io.Writer, results []tried) error {
	wrong := 0
	t := newTable("LANGUAGE", "VERSION", "SAMPLE", "VERDICT", "COMPILE", "CPU", "WALL", "MEMORY", "AS EXPECTED").alignRight("COMPILE", "CPU", "WALL", "MEMORY")
	for _, r := range results {
		state, verdict := "yes", r.Verdict
		if !r.OK {
			wrong++
			state = strings.TrimSuffix("NO, wanted "+string(r.Expected)+": "+r.Note, ": ")
		}
		if verdict == "" {
			verdict = "-"
		}
		ms := func(v *float64) string {
			if v == nil {
				return "-"
			}
			return milliseconds(time.Duration(*v * float64(time.Millisecond)))
		}
		memory := "-"
		if r.Memory != nil {
			memory = megabytes(*r.Memory)
		}
		t.add(r.Language, r.Version, r.Sample, verdict, ms(r.CompileMS), ms(r.CPU), ms(r.Wall), memory, state)
	}
	var err error
	if c.Bool("json") {
		err = writeJSON(w, results)
	} else {
		err = t.writeTo(w)
	}
	if err == nil && wrong > 0 {
		return fmt.Errorf("%w: %d of %d samples did not end as they should", errVerdict, wrong, len(results))
	}
	return err
}
