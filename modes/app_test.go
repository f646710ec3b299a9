package modes

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// dry gives the command tree with actions that only note what they are given.
func dry(t *testing.T) (*cli.App, *config.Config, *RunRequest, *bytes.Buffer) {
	t.Helper()
	var cfg config.Config
	var run RunRequest
	var out bytes.Buffer
	app := App(Process{Version: "v1", Stdin: strings.NewReader("typed"), Stdout: &out, Stderr: &out}, Actions{
		Serve: func(_ context.Context, c config.Config) error { cfg = c; return nil },
		Run:   func(_ context.Context, c config.Config, r RunRequest) error { cfg, run = c, r; return nil },
	})
	return app, &cfg, &run, &out
}

func TestServeFlags(t *testing.T) {
	app, cfg, _, _ := dry(t)
	err := runApp(t, app, []string{
		"optimus", "serve", "--listen", "127.0.0.1:9", "--data", "/tmp/x",
		"--log-level", "warn", "--log-format", "json", "--redis-url", "redis://h:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Server.Listen != "127.0.0.1:9" || cfg.Data != "/tmp/x" || cfg.Logging.Level != "warn" ||
		cfg.Logging.Format != "json" || cfg.Redis.URL.Empty() {
		t.Fatalf("the flags give %+v", cfg)
	}
}

func TestRunFlags(t *testing.T) {
	app, _, run, _ := dry(t)
	args := []string{
		"optimus", "admin", "run", "sum.py", "--lang", "python", "--test", `3 4:7\n`, "--test", "1,2:",
		"--memory=64MiB", "--cpu", "2s", "--json", "--", "-v",
	}
	if err := runApp(t, app, flagsFirst(app, args)); err != nil {
		t.Fatal(err)
	}
	if run.File != "sum.py" || run.Language != "python" || !run.JSON || run.Limits.Memory != 64<<20 || run.Limits.CPU.String() != "2s" {
		t.Fatalf("the flags give %+v", run)
	}
	if !slices.Equal(run.Args, []string{"-v"}) {
		t.Fatalf("the program's arguments are %q", run.Args)
	}
	if len(run.Tests) != 2 || string(run.Tests[0].Input) != "3 4" || *run.Tests[0].Expected != "7\n" ||
		string(run.Tests[1].Input) != "1,2" || *run.Tests[1].Expected != "" {
		t.Fatalf("the tests are %+v", run.Tests)
	}
}

func TestRunWithInput(t *testing.T) {
	app, _, run, _ := dry(t)
	args := []string{"optimus", "admin", "run", "--lang=c", "a.c", "--stdin", "-"}
	if err := runApp(t, app, flagsFirst(app, args)); err != nil {
		t.Fatal(err)
	}
	if len(run.Tests) != 1 || string(run.Tests[0].Input) != "typed" || run.Tests[0].Expected != nil {
		t.Fatalf("the tests are %+v", run.Tests)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"serve", "--nonsense"},
		{"serve", "argument"},
		{"admin", "nonsense"},
		{"admin", "jobs", "nonsense"},
		{"admin", "run"},
		{"admin", "run", "--lang", "python"},
		{"admin", "run", "a.py", "--lang", "python", "--test", "1:1", "--stdin", "-"},
		{"admin", "run", "a.py", "--lang", "python", "--memory", "lots"},
		{"admin", "jobs", "list", "--server", "nonsense"},
		{"admin", "jobs", "list", "--limit", "0"},
		{"admin", "jobs", "show"},
		{"admin", "queues", "show"},
		{"admin", "queues", "pause"},
		{"admin", "queues", "drain"},
		{"admin", "store", "import"},
		{"admin", "store", "export", "file"},
		{"admin", "workers", "nonsense"},
	} {
		app, _, _, _ := dry(t)
		err := runApp(t, app, flagsFirst(app, append([]string{"optimus"}, args...)))
		if ExitCode(err) != ExitUsage {
			t.Errorf("optimus %v gives %v, want a mistake on the command line", args, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, ExitOK},
		{errors.New("broken"), ExitFailed},
		{usagef("mistake"), ExitUsage},
		{errors.Join(errVerdict), ExitVerdict},
	} {
		if got := ExitCode(c.err); got != c.want {
			t.Errorf("%v is exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// TestEveryCommandHasHelp walks the whole tree.
func TestEveryCommandHasHelp(t *testing.T) {
	app, _, _, _ := dry(t)
	var walk func(path []string, commands []*cli.Command)
	walk = func(path []string, commands []*cli.Command) {
		for _, c := range commands {
			line := append(slices.Clone(path), c.Name)
			if c.Usage == "" {
				t.Errorf("%v has no usage text", line)
			}
			for _, f := range c.Flags {
				if d, ok := f.(cli.DocGenerationFlag); ok && d.GetUsage() == "" {
					t.Errorf("%v: flag %v has no usage text", line, f.Names())
				}
			}
			fresh, _, _, out := dry(t)
			if err := runApp(t, fresh, append(slices.Clone(line), "--help")); err != nil || !strings.Contains(out.String(), c.Usage) {
				t.Errorf("%v --help gives %v and\n%s", line, err, out)
			}
			walk(line, c.Subcommands)
		}
	}
	walk([]string{"optimus"}, app.Commands)
}

func TestMistakesAreAnswered(t *testing.T) {
	for line, want := range map[string]string{
		"admin jobs list --stat queued": "there is no flag --stat, did you mean --state?; see optimus admin jobs list --help",
		"admin jobs list --nonesuch":    "there is no flag --nonesuch; see optimus admin jobs list --help",
		"admin imges":                   `optimus admin has no command "imges", did you mean images?; see optimus admin --help`,
		"serv":                          `optimus has no command "serv", did you mean serve?; see optimus --help`,
		"admin jobs nonesuch":           `optimus admin jobs has no command "nonesuch"; see optimus admin jobs --help`,
	} {
		app, _, _, _ := dry(t)
		err := runApp(t, app, append([]string{"optimus"}, strings.Fields(line)...))
		if ExitCode(err) != ExitUsage || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}
