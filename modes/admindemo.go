package modes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox"
	"optimus/web"
)

// DemoRequest says which examples to judge, and where.
type DemoRequest struct {
	// Folder holds the examples.
	Folder string
	// Server is the client of a running server; nil stands for one of its own.
	Server *client
	JSON   bool
}

func demoCommand(demo func(context.Context, config.Config, DemoRequest) error) *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "judge a folder of examples, and check that each gets the verdict that it expects",
		ArgsUsage: "[FOLDER]",
		Description: "Starts a server of its own, with a store that it deletes afterwards, unless --server names a running one.\n" +
			"FOLDER is docs/examples by default; docs/examples/README.md says what lies in one." +
			examples("optimus admin demo", "optimus admin demo my/examples --server http://127.0.0.1:8080"),
		CustomHelpTemplate: helpOfAction(exitMeaning{ExitVerdict, "an example got another verdict"}),
		Flags: append(configFlags(),
			&cli.StringFlag{Name: "server", Usage: "`URL` of a running server to use"},
			&cli.StringFlag{Name: "key-file", Usage: "`FILE` that holds its API key; else " + envKey + " is taken"},
			caFileFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		),
		Action: func(c *cli.Context) error {
			r := DemoRequest{Folder: filepath.Join("docs", "examples"), JSON: c.Bool("json")}
			if c.Args().Present() {
				r.Folder = c.Args().First()
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			if c.IsSet("server") {
				if r.Server, err = newClient(c); err != nil {
					return err
				}
			}
			return demo(c.Context, cfg, r)
		},
	}
}

// judged is an example with the job that it became.
type judged struct {
	Example  string          `json:"example"`
	Language string          `json:"language"`
	Why      string          `json:"why"`
	Expected sandbox.Verdict `json:"expected"`
	Job      *web.Job        `json:"job,omitempty"`
	// Error says why there is no verdict.
	Error string `json:"error,omitempty"`
}

func (j judged) asExpected() bool { return j.Job != nil && j.Job.Verdict == string(j.Expected) }

// runDemo judges the examples and prints what became of them.
func runDemo(ctx context.Context, p Process, cfg config.Config, r DemoRequest) error {
	examples, err := readExamples(r.Folder)
	if err != nil {
		return err
	}
	var results []judged
	if r.Server != nil {
		results, err = judgeExamples(ctx, p, r.Server, examples)
	} else {
		err = withServer(ctx, p, cfg, func(c *client) error {
			results, err = judgeExamples(ctx, p, c, examples)
			return err
		})
	}
	if err != nil {
		return err
	}
	if r.JSON {
		err = writeJSON(p.Stdout, results)
	} else {
		err = printJudged(p, results)
	}
	wrong := 0
	for _, j := range results {
		if !j.asExpected() {
			wrong++
		}
	}
	if err == nil && wrong > 0 {
		return fmt.Errorf("%w: %d of %d examples", errVerdict, wrong, len(results))
	}
	return err
}

// withServer calls use with a client of a server that lives as long: on a free port of loopback,
// with the machine's images and an empty store.
func withServer(ctx context.Context, p Process, cfg config.Config, use func(*client) error) error {
	return withFolder(func(dir string) error { return withServerOn(ctx, p, cfg, dir, openEngine, use) })
}

// withFolder calls use with an empty folder, which lives as long.
func withFolder(use func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "optimus-")
	if err != nil {
		return fmt.Errorf("make a folder for the store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return use(dir)
}

// withServerOn is withServer on the store in a folder, or on the one of the settings where none is
// given, and on another engine.
func withServerOn(ctx context.Context, p Process, cfg config.Config, storeDir string, open engineOpener, use func(*client) error) (err error) {
	cfg.Logging.Level = "warn"
	cfg.Server.Listen, cfg.Keys = "127.0.0.1:0", nil
	log, err := newLogger(p.Stderr, cfg.Logging)
	if err != nil {
		return err
	}
	s := newServer(p, cfg, log, open)
	s.storeDir = storeDir
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(context.WithoutCancel(ctx))) }()
	return use(&client{base: "http://" + s.address, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}})
}

// judgeExamples judges one example after the other, so that each is measured alone.
func judgeExamples(ctx context.Context, p Process, c *client, examples []example) ([]judged, error) {
	const patience = time.Minute
	results := make([]judged, 0, len(examples))
	for i, e := range examples {
		if isTerminal(p.Stderr) {
			fmt.Fprintf(p.Stderr, "\r\x1b[K[%d/%d] %s (%s)", i+1, len(examples), e.name, e.Language)
		}
		j := judged{Example: e.name, Language: e.Language, Why: e.Why, Expected: e.Expect}
		var job web.Job
		err := c.call(ctx, http.MethodPost, "/v1/jobs?wait="+patience.String(), e.request(), &job)
		var refused *refusalError
		switch {
		case err == nil && job.Verdict != "":
			j.Job = &job
		case err == nil:
			j.Job, j.Error = &job, fmt.Sprintf("still %s after %s", job.State, patience)
		case errors.As(err, &refused):
			j.Error = strings.ReplaceAll(err.Error(), "\n", " ")
		default:
			return nil, err
		}
		results = append(results, j)
	}
	if isTerminal(p.Stderr) {
		fmt.Fprint(p.Stderr, "\r\x1b[K")
	}
	return results, nil
}

func printJudged(p Process, results []judged) error {
	t := newTable("LANGUAGE", "EXAMPLE", "VERDICT", "EXPECTED", "CPU", "WALL", "MEMORY", "NOTE").alignRight("CPU", "WALL", "MEMORY")
	good := 0
	for _, j := range results {
		verdict, expected, text := "-", "yes", j.Why
		cpu, wall, memory := "-", "-", "-"
		if j.Job != nil {
			verdict = j.Job.Verdict
			cpu, wall, memory = figures(heaviest(j.Job))
		}
		if j.asExpected() {
			good++
		} else {
			expected = "NO: " + string(j.Expected)
			text = j.Error
			if j.Job != nil && text == "" {
				text = whyNot(j.Job)
			}
		}
		t.add(j.Language, j.Example, verdict, expected, cpu, wall, memory, oneLine(text, 72))
	}
	if err := t.writeTo(p.Stdout); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.Stdout, "\n%d of %d verdicts are as expected.\n", good, len(results)); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

// heaviest gives the run of a job that took the most CPU time: a test's, or else the compile's.
func heaviest(j *web.Job) *web.Run {
	var most *web.Run
	for _, t := range j.Tests {
		if t.Run != nil && (most == nil || t.Run.CPU > most.CPU) {
			most = t.Run
		}
	}
	if most == nil {
		return j.Compile
	}
	return most
}

// whyNot says what stands behind a verdict that nobody expected.
func whyNot(j *web.Job) string {
	if j.Error != "" {
		return j.Error
	}
	for _, t := range j.Tests {
		if t.Verdict == j.Verdict {
			return note(t)
		}
	}
	if j.Compile != nil {
		return outputOf(j.Compile.Stderr, j.Compile.StderrEncoding)
	}
	return ""
}
