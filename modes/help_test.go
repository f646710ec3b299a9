package modes

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// eachCommand calls use with every command below these that a user sees, and with the words that lead there.
func eachCommand(commands []*cli.Command, path []string, use func(path []string, c *cli.Command)) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		here := append(slices.Clone(path), c.Name)
		use(here, c)
		eachCommand(c.Subcommands, here, use)
	}
}

// TestEveryHelp reads the help of each command as a new user would: what does it take, what does it give back, and what
// does a whole line look like?
func TestEveryHelp(t *testing.T) {
	app, _, _, _ := dry(t)
	eachCommand(app.Commands, nil, func(path []string, c *cli.Command) {
		line := strings.Join(append([]string{"optimus"}, path...), " ")
		text, err := rendered(t, append(path, "--help")...)
		if err != nil {
			t.Errorf("%s --help: %v", line, err)
		}
		if len(c.Subcommands) > 0 {
			if want := "   " + line + " COMMAND [OPTIONS]\n"; !strings.Contains(text, want) {
				t.Errorf("the help of %s has not %q", line, want)
			}
			return
		}
		for _, want := range []string{"   " + line + " [OPTIONS]", "\nEXIT CODES:\n   0  done", "\n   2  the command line is wrong"} {
			if !strings.Contains(text, want) {
				t.Errorf("the help of %s has not %q", line, want)
			}
		}
		for _, f := range c.Flags {
			if v, ok := f.(cli.VisibleFlag); !ok || !v.IsVisible() {
				continue
			}
			shown, ok := f.(cli.DocGenerationFlag)
			if !ok || strings.Count(shown.GetUsage(), "`") != 2*min(1, strings.Count(shown.GetUsage(), "`")) || shown.TakesValue() != strings.Contains(shown.GetUsage(), "`") {
				t.Errorf("%s: flag --%s does not name its value", line, f.Names()[0])
			}
		}
		shown := exampleLines(c)
		if !slices.ContainsFunc(shown, func(l string) bool { return strings.Contains(l, line) }) {
			t.Errorf("the help of %s shows no line of it", line)
		}
		for _, l := range shown {
			checkExample(t, app, l)
		}
	})
}

// exampleLines gives the lines of a description that are indented.
func exampleLines(c *cli.Command) (lines []string) {
	for l := range strings.Lines(c.Description) {
		if l, indented := strings.CutPrefix(l, "   "); indented {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines
}

// checkExample fails where an example names a command or a flag that there is not.
func checkExample(t *testing.T, app *cli.App, line string) {
	t.Helper()
	_, after, found := strings.Cut(line, "optimus ")
	if !found {
		t.Errorf("%q is no example of this program", line)
		return
	}
	after, _, _ = strings.Cut(after, " | ")
	after, _, _ = strings.Cut(after, " && ")
	after, _, _ = strings.Cut(after, ")")
	commands, flags := app.Commands, app.Flags
	for word := range strings.FieldsSeq(after) {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) })
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		switch {
		case i >= 0:
			commands, flags = commands[i].Subcommands, commands[i].Flags
		case len(commands) > 0:
			t.Errorf("%q: there is no command %s", line, word)
			return
		case isFlag && name != "help" && !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }):
			t.Errorf("%q: there is no flag %s", line, word)
		}
	}
}

func TestExitCodesAreDocumented(t *testing.T) {
	operations, err := os.ReadFile("../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	help, err := rendered(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	unmarked := strings.ReplaceAll(string(operations), "`", "")
	for _, m := range exitMeanings() {
		if row := fmt.Sprintf("| %d | %s |", m.code, m.meaning); !strings.Contains(unmarked, row) {
			t.Errorf("docs/OPERATIONS.md has not %q", row)
		}
		if row := fmt.Sprintf("   %d  %s\n", m.code, m.meaning); !strings.Contains(help, row) {
			t.Errorf("the help has not %q", row)
		}
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"admin jobs list --limit x":                "--limit \"x\": want a whole number, such as 20; see optimus admin jobs list --help",
		"admin run a.py --lang python --cpu 5":     "--cpu \"5\": want a time with its unit",
		"admin capacity --target much":             "--target \"much\": want a number, such as 2.5",
		"admin capacity --target -1":               "--target -1: want 0 or more",
		"admin capacity --slots -1":                "--slots -1: want 1 or more",
		"admin doctor --json=maybe":                "--json \"maybe\": want true or false",
		"serve --listen":                           "--listen wants a value; see optimus serve --help",
		"serve --lisen :1":                         "there is no flag --lisen, did you mean --listen?",
		"serve now":                                "optimus serve takes no arguments, but has \"now\"",
		"admin images prune python":                "takes no arguments, but has \"python\"",
		"admin bench quickly":                      "takes no arguments, but has \"quickly\"",
		"admin keys create x --role boss":          "--role \"boss\": want one of submit, read, admin",
		"admin keys create x --rate -1":            "--rate -1: want 0 or more",
		"admin render kubernetes --distribution x": "flag --distribution: kubernetes.distribution = \"x\": is not among the choices",
		"serve --listen nowhere":                   "flag --listen: server.listen = \"nowhere\": has the wrong form",
		"admin languages add --name b --ext c --base-image d:1 --command x --cpu much": "flag --cpu: resources = \"much\": has the wrong form; must be a Kubernetes quantity",
		"admin languages add --name b_! --ext c --base-image d:1 --command x":          "flag --name: ",
		"admin keys list root":         "takes no arguments, but has \"root\"",
		"admin store export file":      "--out names where it is written",
		"admin jobs list --state done": "--state \"done\": want one of queued, running, completed, failed, cancelled",
		"admin jobs delete 7":          "`optimus admin jobs list` shows them",
		"admin dead-letter delete 01a20ff7-39a8-8000-8000-79dda62a1f34": "--yes says that it is meant",
	} {
		if _, err := rendered(t, strings.Fields(line)...); ExitCode(err) != ExitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}
