package modes

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"

	"optimus/sandbox"
	"optimus/store"
)

// document reads a file of the repository.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestArchitectureHasTheTransitions(t *testing.T) {
	t.Parallel()
	if table := store.TransitionTable(); !strings.Contains(document(t, "docs/ARCHITECTURE.md"), table) {
		t.Fatalf("docs/ARCHITECTURE.md has not the code's table:\n%s", table)
	}
}

// TestQueueIsAsThePackagesSay compares docs/QUEUE.md with the transition table, and with the trees that
// the stores' packages draw, which their own tests compare with what is stored.
func TestQueueIsAsThePackagesSay(t *testing.T) {
	t.Parallel()
	text := document(t, "docs/QUEUE.md")
	if table := store.TransitionTable(); !strings.Contains(text, table) {
		t.Errorf("docs/QUEUE.md has not the code's table:\n%s", table)
	}
	for _, pkg := range []string{"boltstore", "redisstore"} {
		drawn := regexp.MustCompile(`(?m)(?:^//\t.*\n)+`).FindString(document(t, "store/"+pkg+"/doc.go"))
		tree := "```\n" + strings.ReplaceAll(drawn, "//\t", "") + "```\n"
		if drawn == "" || !strings.Contains(text, tree) {
			t.Errorf("docs/QUEUE.md has not the tree of %s:\n%s", pkg, tree)
		}
	}
}

func TestArchitectureNamesFoldersThatExist(t *testing.T) {
	t.Parallel()
	text := document(t, "docs/ARCHITECTURE.md")
	named := regexp.MustCompile(`(?m)^ *([a-z][a-z0-9/]*/) `).FindAllStringSubmatch(text, -1)
	if len(named) < 10 {
		t.Fatalf("only %d folders found in docs/ARCHITECTURE.md", len(named))
	}
	for _, m := range named {
		if info, err := os.Stat(filepath.Join("..", m[1])); err != nil || !info.IsDir() {
			t.Errorf("docs/ARCHITECTURE.md names %s, which is no folder", m[1])
		}
	}
}

// TestREADMECommandsExist looks up every `make` target and every `optimus` command in the README.
func TestREADMECommandsExist(t *testing.T) {
	text := document(t, "README.md")
	makefile := document(t, "Makefile")
	targets := regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(text, -1)
	if len(targets) < 3 {
		t.Fatalf("only %d make targets found in the README", len(targets))
	}
	for _, m := range targets {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("the README says make %s, which the Makefile has not", m[1])
		}
	}
	app, _, _, _ := dry(t)
	commands := regexp.MustCompile("(?m)(?:^(?:sudo )?(?:\\./)?|`)optimus ([a-z][^`#\n]*)").FindAllStringSubmatch(text, -1)
	if len(commands) < 5 {
		t.Fatalf("only %d commands found in the README", len(commands))
	}
	for _, m := range commands {
		checkCommand(t, app, strings.Fields(m[1]))
	}
	for _, path := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(path[1], "https://") {
			document(t, path[1])
		}
	}
}

// TestDeployCommandsExist looks up every `make` target and every `optimus` command in docs/DEPLOY.md.
func TestDeployCommandsExist(t *testing.T) {
	text, makefile := document(t, "docs/DEPLOY.md"), document(t, "Makefile")
	targets := regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)(?: ([a-z-]+))?").FindAllStringSubmatch(text, -1)
	if len(targets) < 4 {
		t.Fatalf("only %d make targets found", len(targets))
	}
	for _, m := range targets {
		for _, target := range m[1:] {
			if target != "" && !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("docs/DEPLOY.md says make %s, which the Makefile has not", target)
			}
		}
	}
	app, _, _, _ := dry(t)
	commands := regexp.MustCompile("\\boptimus ((?:admin|serve|work) [^`#\n|>;]*)").FindAllStringSubmatch(text, -1)
	if len(commands) < 10 {
		t.Fatalf("only %d commands found", len(commands))
	}
	for _, m := range commands {
		checkCommand(t, app, strings.Fields(m[1]))
	}
	settings := document(t, "docs/CONFIG.md")
	for _, m := range regexp.MustCompile("`((?:worker|redis|server|sandbox)[.][a-z_]+)(?: =[^`]*)?`").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(settings, "`"+m[1]+"`") {
			t.Errorf("docs/DEPLOY.md names the setting %s, which there is not", m[1])
		}
	}
}

// TestOperationsIsTrue looks up what docs/OPERATIONS.md quotes: messages in the code, metrics,
// commands, settings and doctor's checks.
func TestOperationsIsTrue(t *testing.T) {
	t.Parallel()
	text, code := document(t, "docs/OPERATIONS.md"), sources(t)
	find := func(what, pattern string, least int, exists func(string) bool) {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
		if len(found) < least {
			t.Errorf("only %d of the kind %s found", len(found), what)
		}
		for _, m := range found {
			if !exists(m[1]) {
				t.Errorf("docs/OPERATIONS.md names the %s %q, which there is not", what, m[1])
			}
		}
	}
	literal := func(words string) bool {
		kernel := []string{syscall.EROFS.Error(), syscall.EACCES.Error(), syscall.ENOSPC.Error()}
		return strings.Contains(code, words) || slices.Contains(kernel, words)
	}
	find("message", `"([a-z][^"]+[a-z])"`, 25, func(m string) bool { return m == "failed" || literal(strings.Join(strings.Fields(m), " ")) })
	find("metric", "(optimus_[a-z_]+)", 5, literal)
	find("check of doctor", "check `([^`]+)`", 1, func(m string) bool { return literal(`"` + m + `"`) })
	find("problem", "(?:429|503) `([a-z_]+)`", 3, func(m string) bool { return literal(`"` + m + `"`) })
	settings := document(t, "docs/CONFIG.md")
	find("setting", "`((?:worker|store|limits|server|sandbox)[.][a-z_]+)`", 8, func(m string) bool {
		return strings.Contains(settings, "`"+m+"`")
	})
	app, _, _, _ := dry(t)
	for _, m := range regexp.MustCompile("`optimus ([a-z][^`]*)`").FindAllStringSubmatch(text, -1) {
		checkCommand(t, app, strings.Fields(m[1]))
	}
}

// sources gives all code that is no test's, as one text.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	repository := os.DirFS("..")
	err := fs.WalkDir(repository, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(repository, path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// checkCommand follows words down the tree of commands, and looks up the flags after them.
func checkCommand(t *testing.T, app *cli.App, words []string) {
	t.Helper()
	commands := app.Commands
	var flags []cli.Flag
	for n, word := range words {
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			name, _, _ := strings.Cut(flag, "=")
			if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
				t.Errorf("optimus %s: no flag --%s", strings.Join(words, " "), name)
			}
			continue
		}
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) })
		switch {
		case i >= 0:
			commands, flags = commands[i].Subcommands, commands[i].Flags
		case len(commands) > 0:
			t.Errorf("the README says optimus %s: there is no command %q", strings.Join(words[:n+1], " "), word)
			return
		}
	}
}

func TestEveryExampleIsWhole(t *testing.T) {
	t.Parallel()
	examples, err := readExamples("../docs/examples")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]sandbox.Verdict{}
	for _, e := range examples {
		if e.Why == "" {
			t.Errorf("example %s does not say why", e.name)
		}
		seen[e.Language] = append(seen[e.Language], e.Expect)
	}
	if len(seen) < 4 {
		t.Errorf("examples are in %d languages, want at least 4", len(seen))
	}
	for language, verdicts := range seen {
		for _, want := range []sandbox.Verdict{
			sandbox.Accepted, sandbox.WrongAnswer, sandbox.TimeLimitExceeded, sandbox.MemoryLimitExceeded, sandbox.RuntimeError,
		} {
			if !slices.Contains(verdicts, want) {
				t.Errorf("no example in %s gets %s", language, want)
			}
		}
	}
}

func TestExampleFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                                  "no language",
		`{"language": "c", "sauce": "a.c"}`:   "sauce",
		`{"language": "c", "source": "../a"}`: "beside it",
		`{"language": "c", "source": "a.c", "expect": "good"}`:     "no verdict",
		`{"language": "c", "source": "a.c", "expect": "accepted"}`: "a.c",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, exampleFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readExamples(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want it to name %q", text, err, want)
		}
	}
	if _, err := readExamples(t.TempDir()); err == nil {
		t.Error("a folder without examples gives no error")
	}
}
