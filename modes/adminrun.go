package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/judge"
	"optimus/store"
	"optimus/web"
)

// RunRequest is a local program with what it is to be judged by.
type RunRequest struct {
	// File is the program's main file; Language the name or alias of its language.
	File, Language string
	Tests          []sandbox.TestCase
	Limits         sandbox.Limits
	Args           []string
	StopOnFailure  bool
	// JSON prints the report as the API shows it.
	JSON bool
}

// languageDefault stands in the help for what the language decides.
const languageDefault = "the language's"

func runCommand(p Process, run func(context.Context, config.Config, RunRequest) error) *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "judge a local file, without a server",
		ArgsUsage: "FILE [ARGUMENT…]",
		Description: "Without --test the program runs once, and its output is shown." +
			examples("optimus admin run hello.py --lang python", "optimus admin run sum.cpp --lang cpp --test '3 4:7' --test @big.in:@big.out",
				"optimus admin run slow.py --lang python --cpu 500ms --memory 64MiB --stdin big.in"),
		CustomHelpTemplate: helpOfAction(exitMeaning{ExitVerdict, "the verdict is not accepted"}),
		Flags: append(configFlags(),
			&cli.StringFlag{Name: "lang", Aliases: []string{"l"}, Usage: "`LANGUAGE` of the file, such as python or cpp"},
			&cli.StringSliceFlag{Name: "test", KeepSpace: true, Usage: "`INPUT:EXPECTED` of a test; @FILE stands for a file's content, \\n for a line feed; without ':' any output is accepted"},
			&cli.StringFlag{Name: "stdin", Usage: "standard input from `FILE` (- for this command's own) instead of tests"},
			&cli.DurationFlag{Name: "cpu", Usage: "CPU `TIME` limit of each test, such as 2s", DefaultText: languageDefault},
			&cli.DurationFlag{Name: "wall", Usage: "real `TIME` limit of each test", DefaultText: languageDefault},
			&cli.StringFlag{Name: "memory", Usage: "memory limit of each test, a `SIZE` such as 256MiB", DefaultText: languageDefault},
			&cli.BoolFlag{Name: "stop-on-failure", Usage: "skip what has not started once a test is not accepted"},
			&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"},
		),
		Action: func(c *cli.Context) error {
			r, err := runRequest(c, p.Stdin)
			if err != nil {
				return err
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			return run(c.Context, cfg, r)
		},
	}
}

// runRequest reads the command line.
func runRequest(c *cli.Context, stdin io.Reader) (RunRequest, error) {
	if !c.Args().Present() || c.String("lang") == "" {
		return RunRequest{}, usagef("name the program's file and its language: optimus admin run FILE --lang LANGUAGE")
	}
	r := RunRequest{
		File:          c.Args().First(),
		Args:          c.Args().Tail(),
		Language:      c.String("lang"),
		Limits:        sandbox.Limits{CPU: c.Duration("cpu"), Wall: c.Duration("wall")},
		StopOnFailure: c.Bool("stop-on-failure"),
		JSON:          c.Bool("json"),
	}
	if text := c.String("memory"); text != "" {
		size, err := config.ParseSize(text)
		if err != nil {
			return r, usagef("--memory %q: %w", text, err)
		}
		r.Limits.Memory = int64(size)
	}
	tests, from := c.StringSlice("test"), c.String("stdin")
	if len(tests) > 0 && from != "" {
		return r, usagef("state --test or --stdin, not both")
	}
	for i, text := range tests {
		test, err := parseTest(strconv.Itoa(i+1), text)
		if err != nil {
			return r, err
		}
		r.Tests = append(r.Tests, test)
	}
	if len(tests) == 0 {
		input, err := readInput(from, stdin)
		if err != nil {
			return r, err
		}
		r.Tests = []sandbox.TestCase{{ID: "run", Input: input, Weight: 1}}
	}
	return r, nil
}

func readInput(from string, stdin io.Reader) ([]byte, error) {
	var input []byte
	var err error
	switch from {
	case "":
	case "-":
		input, err = io.ReadAll(stdin)
	default:
		input, err = os.ReadFile(from)
	}
	if err != nil {
		return nil, fmt.Errorf("read standard input of the program: %w", err)
	}
	return input, nil
}

// parseTest reads INPUT:EXPECTED.
func parseTest(id, text string) (sandbox.TestCase, error) {
	test := sandbox.TestCase{ID: id, Weight: 1}
	in, out, judged := strings.Cut(text, ":")
	input, err := testText(in)
	if err != nil {
		return test, fmt.Errorf("test %s: %w", id, err)
	}
	test.Input = []byte(input)
	if judged {
		expected, err := testText(out)
		if err != nil {
			return test, fmt.Errorf("test %s: %w", id, err)
		}
		text := sandbox.Text(expected)
		test.Expected = &text
	}
	return test, nil
}

// testText gives one side of a test: a text in which \n is a line feed, or @FILE.
func testText(text string) (string, error) {
	path, ok := strings.CutPrefix(text, "@")
	if !ok {
		return strings.ReplaceAll(text, `\n`, "\n"), nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read a test's file: %w", err)
	}
	return string(content), nil
}

// runLocal judges a local file in a sandbox of this process's own.
func runLocal(ctx context.Context, p Process, cfg config.Config, r RunRequest) error {
	content, err := os.ReadFile(r.File)
	if err != nil {
		return fmt.Errorf("read the program: %w", err)
	}
	cfg.Logging.Level = "warn" // the result is what the user waits for
	log, err := newLogger(p.Stderr, cfg.Logging)
	if err != nil {
		return err
	}
	life := &lifecycle{log: log}
	var submission sandbox.Submission
	var report sandbox.Report
	err = life.start(ctx, func(ctx context.Context) error {
		e, err := openEngine(ctx, life, cfg, log)
		if err != nil {
			return err
		}
		if submission, err = r.submission(e.languages, content); err != nil {
			return err
		}
		report, err = judge.Judge(ctx, e.runner, submission, judge.Options{})
		if err != nil {
			return fmt.Errorf("judge %s: %w", r.File, err)
		}
		return nil
	})
	if err := errors.Join(err, life.stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	if err := printLocal(p.Stdout, submission, report, r.JSON); err != nil {
		return err
	}
	if report.Verdict != sandbox.Accepted {
		return fmt.Errorf("%s: %w: %s", r.File, errVerdict, report.Verdict)
	}
	return nil
}

// printLocal prints a report as that of a job, without what only a queue gives a job.
func printLocal(w io.Writer, s sandbox.Submission, r sandbox.Report, asJSON bool) error {
	j := web.ViewJob(&store.Job{State: store.Completed, Lane: store.LaneOf(s.Language), Submission: &s, Report: &r})
	if asJSON {
		return writeJSON(w, struct {
			Language string     `json:"language"`
			Version  string     `json:"language_version"`
			Verdict  string     `json:"verdict"`
			Score    *float64   `json:"score"`
			MaxScore *float64   `json:"max_score"`
			Compile  *web.Run   `json:"compile,omitempty"`
			Tests    []web.Test `json:"tests"`
		}{j.Language, j.LanguageVersion, j.Verdict, j.Score, j.MaxScore, j.Compile, j.Tests})
	}
	j.ID = ""
	if err := printJob(w, j, false); err != nil {
		return err
	}
	if len(s.Tests) == 1 && s.Tests[0].Expected == nil && j.Tests[0].Run != nil {
		return printOutput(w, j.Tests[0].Run)
	}
	return nil
}

func (r RunRequest) submission(l languages, content []byte) (sandbox.Submission, error) {
	lang, err := l.Resolve(r.Language, "")
	if err != nil {
		return sandbox.Submission{}, fmt.Errorf("--lang: %w", err)
	}
	name := lang.SourceFile
	if name == "" {
		name = filepath.Base(r.File)
	}
	return sandbox.Submission{
		Language:      lang,
		Source:        sandbox.Source{Files: []sandbox.File{{Name: name, Content: content}}},
		Args:          r.Args,
		Limits:        r.Limits,
		Tests:         r.Tests,
		StopOnFailure: r.StopOnFailure,
	}, nil
}
