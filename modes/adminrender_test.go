package modes

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// rendered gives what a command prints where no settings are stated.
func rendered(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv("OPTIMUS_CONFIG", os.DevNull)
	app, _, _, out := dry(t)
	err := runApp(t, app, flagsFirst(app, append([]string{"optimus"}, args...)))
	return out.String(), err
}

func TestRenderedComposeIsCurrent(t *testing.T) {
	got, err := rendered(t, "admin", "render", "compose")
	if err != nil {
		t.Fatal(err)
	}
	if got != document(t, "deploy/compose/compose.yaml") {
		t.Error("deploy/compose/compose.yaml is not what `optimus admin render compose` prints: run 'make generate'")
	}
}

func TestRenderedUnits(t *testing.T) {
	dir := t.TempDir()
	if _, err := rendered(t, "admin", "render", "systemd", "--out", dir, "--binary", "/bin/true", "--data", "/srv/jobs"); err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(units) != 2 {
		t.Fatalf("the files are %q, error %v", units, err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"ReadWritePaths=/srv/jobs\n", "Delegate=yes\n", "KillMode=mixed\n", "ExecStart=/bin/true "} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has not %q", filepath.Base(unit), want)
			}
		}
		// systemd itself; it has no manual pages here, and the units beside ours are not our business.
		verify := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
		if said, err := verify.CombinedOutput(); err != nil || strings.Contains(string(said), filepath.Base(unit)) {
			t.Errorf("systemd on %s: %v: %s", filepath.Base(unit), err, said)
		}
	}
}

// TestUnitsWaitForTheStop adds up what the parts of a whole server ask for.
func TestUnitsWaitForTheStop(t *testing.T) {
	cfg := testConfig(t)
	cfg.Worker.Grace = 10 * time.Minute
	cfg.Monitoring.Listen, cfg.Monitoring.Pprof = "127.0.0.1:0", "127.0.0.1:0"
	ts := newTestServer(t, cfg)
	if err := ts.life.start(t.Context(), ts.begin); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ts.life.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	// The engine is a fake, which asks for less than the real one.
	parts := closeRunner + closeDaemon + closeIndex
	for _, step := range ts.life.steps {
		parts += step.limit
	}
	if stop := stopTime(cfg); stop < parts-time.Second { // the fake runner's
		t.Errorf("a stop may take %s, its parts %s", stop, parts)
	}
	text, err := rendered(t, "admin", "render", "systemd")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no TimeoutStopSec in\n%s", text)
	}
	seconds, err := strconv.Atoi(m[1])
	if err != nil || time.Duration(seconds)*time.Second < stopTime(config.Default()) {
		t.Errorf("systemd waits %d s, error %v; want at least %s", seconds, err, stopTime(config.Default()))
	}
}

func TestRenderedDockerfile(t *testing.T) {
	text, err := rendered(t, "admin", "render", "dockerfile", "python")
	if err != nil || !strings.HasPrefix(text, "FROM debian:trixie-slim\n") || !strings.Contains(text, "python3-minimal") {
		t.Errorf("error %v, text\n%s", err, text)
	}
}

func TestRenderedOpenAPI(t *testing.T) {
	text, err := rendered(t, "admin", "render", "openapi")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.Paths["/v1/jobs"] == nil || doc.Components.Schemas["JobRequest"] == nil {
		t.Errorf("error %v, text %.200s", err, text)
	}
}

func TestRenderMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"dockerfile":                   "render dockerfile LANGUAGE",
		"dockerfile nonesuch":          "nonesuch",
		"systemd extra":                `takes no arguments, but has "extra"`,
		"systemd --binary bin/optimus": "absolute path",
		"compose --image a\"b":         "want a reference",
		"composes":                     "did you mean compose?",
	} {
		if text, err := rendered(t, append([]string{"admin", "render"}, strings.Fields(line)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v and %q, want %q", line, err, text, want)
		}
	}
	t.Setenv("OPTIMUS_SANDBOX_CONTAINERD", "private")
	if _, err := rendered(t, "admin", "render", "compose"); err == nil || !strings.Contains(err.Error(), "sandbox.containerd") {
		t.Errorf("compose with a private containerd gives %v", err)
	}
}

func TestRenderIntoAFolderThatCannotBe(t *testing.T) {
	if _, err := rendered(t, "admin", "render", "compose", "--out", "/dev/null/x"); err == nil || !strings.Contains(err.Error(), "/dev/null") {
		t.Errorf("error %v", err)
	}
}

func TestCompletion(t *testing.T) {
	app, _, _, _ := dry(t)
	for line, want := range map[string][]string{
		"":                                 {"serve", "work", "admin", "completion"},
		"ad":                               {"admin"},
		"admin im":                         {"images"},
		"serve --li":                       {"--listen"},
		"serve --config ":                  nil, // a file
		"serve --config f --tls-c":         {"--tls-cert"},
		"admin jobs list --config=f --sta": {"--state"},
		"admin images build --all py":      {"python"},
		"admin images build --config f py": {"python"},
		"admin run x -- --js":              nil,
		"admin run x --lang py":            {"python"},
		"admin run x -l ja":                {"java", "javascript"},
		"admin jobs list --state ":         {"queued", "running", "completed", "failed", "cancelled"},
		"admin keys create --role s":       {"submit"},
		"serve --log-level w":              {"warn"},
		"admin render k8s --distribution ": {"standard", "k3s", "k0s", "microk8s"},
		"admin add-lang --skip":            nil, // hidden
		"--he":                             {"--help"},
		"completion z":                     {"zsh"},
		"nonsense ":                        {"serve", "work", "admin", "completion"},
	} {
		var got []string
		for _, c := range candidates(app, strings.Split(line, " ")) {
			got = append(got, c.word)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is completed by %q, want %q", line, got, want)
		}
	}
}

// TestCompletionInBash has a real shell ask the real program.
func TestCompletionInBash(t *testing.T) {
	script := `source <("$0" completion bash)
COMP_WORDS=("$0" admin images ex) COMP_CWORD=3
_optimus
echo "${COMPREPLY[*]}"`
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script, buildBinary(t)).CombinedOutput() //nolint:gosec // our own
	if err != nil || string(out) != "export\n" {
		t.Errorf("bash completes %q, error %v", out, err)
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range shells() {
		if text, err := rendered(t, "completion", shell); err != nil || !strings.Contains(text, "complete --") {
			t.Errorf("%s: %v\n%s", shell, err, text)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}} {
		if _, err := rendered(t, args...); ExitCode(err) != ExitUsage {
			t.Errorf("%q gives %v", args, err)
		}
	}
}

func TestManualPage(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	text, err := rendered(t, "man")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`.TH "OPTIMUS" "1" "2023\-11\-14" "optimus v1"`, "EXIT STATUS", "/etc/optimus/optimus.toml",
		"\\fB\\-\\-listen\\fR \\fIADDRESS\\fR\n", "(default: 127.0.0.1:8080)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the manual page has not %q", want)
		}
	}
	if strings.Contains(text, `"optimus complete`) || strings.Contains(text, `"optimus man`) {
		t.Error("the manual page has a hidden command")
	}
	app, _, _, _ := dry(t)
	eachCommand(app.Commands, []string{"optimus"}, func(path []string, c *cli.Command) {
		if len(c.Subcommands) == 0 && !strings.Contains(text, `.SS "`+roff(strings.TrimSpace(strings.Join(path, " ")+" [OPTIONS] "+c.ArgsUsage))+`"`) {
			t.Errorf("the manual page has no %s", strings.Join(path, " "))
		}
	})
	known := []string{"TH", "SH", "SS", "PP", "TP", "RS", "RE", "nf", "fi"}
	for line := range strings.Lines(text) {
		if macro, is := strings.CutPrefix(line, "."); is && !slices.Contains(known, strings.Fields(macro)[0]) || strings.HasPrefix(line, "'") {
			t.Errorf("no macro of man(7): %q", line)
		}
	}
}
