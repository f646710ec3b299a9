package modes

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"optimus/config"
)

// runConfig runs `config` with args and gives what it printed.
func runConfig(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := configCommand(Process{Stdout: &out, Stderr: io.Discard})
	// The library's help flag is one variable, which every parse writes to.
	command.HideHelp = true
	for _, sub := range command.Subcommands {
		sub.HideHelp = true
	}
	app := &cli.App{
		HideHelp:       true,
		Commands:       []*cli.Command{command},
		Writer:         io.Discard,
		ErrWriter:      io.Discard,
		ExitErrHandler: func(*cli.Context, error) {},
	}
	err := runApp(t, app, append([]string{"optimus", "config"}, args...))
	return out.String(), err
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigShow(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "optimus.toml", "[redis]\nurl = 'redis://:hunter2@queue'\n[worker]\nslots = 3\n")
	out, err := runConfig(t, "show", "--config", path, "--data", "/srv/optimus")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("a secret is shown:\n%s", out)
	}
	for _, want := range []string{
		"worker.slots", "file " + path + ":4", config.Placeholder, "flag --data", "server.listen",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	out, err = runConfig(t, "show", "--config", path, "--data", "/srv/optimus", "--changed")
	if err != nil || strings.Contains(out, "server.listen") || !strings.Contains(out, "worker.slots") {
		t.Errorf("--changed shows %v\n%s", err, out)
	}
}

func TestConfigShowJSON(t *testing.T) {
	t.Parallel()
	out, err := runConfig(t, "show", "--json", "--data", "/srv/optimus")
	if err != nil {
		t.Fatal(err)
	}
	var settings []config.Setting
	if err := json.Unmarshal([]byte(out), &settings); err != nil {
		t.Fatal(err)
	}
	if len(settings) == 0 || settings[0].Path != "data" || settings[0].Value != "/srv/optimus" || settings[0].Origin.Where != "--data" {
		t.Errorf("settings = %+v", settings)
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	toml := writeFile(t, "optimus.toml", "[worker]\nslots = 3\n")
	bad := writeFile(t, "optimus.toml", "[worker]\nslots = 'many'\nslot = 1\n")
	public := writeFile(t, "optimus.toml", "[server]\nlisten = ':8080'\n")
	small := writeFile(t, "optimus.toml", "[limits]\nmemory = '400MiB'\n")
	langs := writeFile(t, "languages.json", `{"languages": [{"name": "x"}]}`)
	for _, tc := range []struct {
		name  string
		args  []string
		print string
		fault []string
	}{
		{"file", []string{toml}, toml, nil},
		{"flag", []string{"--config", toml}, toml, nil},
		{"embedded languages", []string{toml}, "those in the binary", nil},
		{"both at fault", []string{bad, langs}, "", []string{
			"the configuration has 2 faults", bad + ":2: worker.slots", bad + ":3: worker.slot", langs + ":1: languages[0].run: is missing",
		}},
		{"public address", []string{public}, "", []string{"no API key"}},
		{"language over the maxima", []string{small}, "", []string{"language java 21: limits.memory = 512MiB", "400MiB"}},
		{"other file", []string{"x.yaml"}, "", []string{"x.yaml: name an optimus.toml"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			out, err := runConfig(t, append([]string{"check", "--data", t.TempDir()}, tc.args...)...)
			if (err != nil) != (tc.fault != nil) || !strings.Contains(out, tc.print) {
				t.Fatalf("printed %q, error %v", out, err)
			}
			for _, want := range tc.fault {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in\n%v", want, err)
				}
			}
		})
	}
}

func TestConfigExample(t *testing.T) {
	t.Parallel()
	out, err := runConfig(t, "example")
	if err != nil || out != config.Example() {
		t.Errorf("example printed %d bytes, %v", len(out), err)
	}
}
