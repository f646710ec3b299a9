// Package tools pins the project's tools and proves its lint rules: each rule about who may import
// whom is broken on purpose, in a small tree of its own, and the linter must object.
package tools

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// breach is one file that breaks one rule.
type breach struct {
	rule    string // of depguard; or the linter's own name
	file    string
	imports string
	code    string // uses what is imported; without it the import is blank
}

// breaches has at least one entry for each rule of depguard in .golangci.yml. No two of them make
// an import cycle: the tree must load.
func breaches() []breach {
	return []breach{
		{rule: "sandbox-vocabulary", file: "sandbox/a.go", imports: "golang.org/x/sys/unix"},
		{rule: "sandbox-vocabulary", file: "sandbox/b.go", imports: "optimus/config"},
		{rule: "store-contract", file: "store/a.go", imports: "github.com/rs/zerolog"},
		{rule: "store-contract", file: "store/b.go", imports: "optimus/sandbox/judge"},
		{rule: "agent", file: "sandbox/agent/a.go", imports: "github.com/rs/zerolog"},
		{rule: "agent", file: "sandbox/agent/b.go", imports: "optimus/config"},
		{rule: "judge-and-wire", file: "sandbox/judge/a.go", imports: "optimus/sandbox/containerd"},
		{rule: "judge-and-wire", file: "sandbox/wire/a.go", imports: "golang.org/x/sys/unix"},
		{rule: "runner", file: "sandbox/containerd/a.go", imports: "optimus/store/plain"},
		{rule: "runner", file: "sandbox/containerd/b.go", imports: "optimus/web/plain"},
		{rule: "runner", file: "sandbox/containerd/c.go", imports: "optimus/config"},
		{rule: "runner", file: "sandbox/containerd/d.go", imports: "optimus/sandbox/agent"},
		{rule: "runner", file: "sandbox/containerd/e.go", imports: "optimus/sandbox/judge/plain"},
		{rule: "store-backends", file: "store/boltstore/a.go", imports: "optimus/sandbox/judge"},
		{rule: "store-backends", file: "store/redisstore/a.go", imports: "optimus/web"},
		{rule: "store-backends", file: "store/redisstore/b.go", imports: "optimus/config"},
		{rule: "suites", file: "store/storetest/a.go", imports: "optimus/store/boltstore"},
		{rule: "suites", file: "store/storetest/b.go", imports: "optimus/store/redisstore"},
		{rule: "suites", file: "sandbox/sandboxtest/a.go", imports: "optimus/sandbox/containerd"},
		{rule: "nothing-imports-modes", file: "web/compat/a.go", imports: "optimus/modes/plain"},
		{rule: "config-is-a-leaf", file: "config/a.go", imports: "github.com/rs/zerolog"},
		{rule: "deploy", file: "deploy/a.go", imports: "optimus/sandbox"},
		{rule: "deploy", file: "deploy/b.go", imports: "github.com/pelletier/go-toml/v2"},
		{rule: "only-modes-deploys", file: "web/h.go", imports: "optimus/deploy/plain"},
		{rule: "worker", file: "modes/worker/a.go", imports: "optimus/web"},
		{rule: "worker", file: "modes/worker/b.go", imports: "optimus/store/boltstore"},
		{rule: "worker", file: "modes/worker/c.go", imports: "optimus/sandbox/containerd"},
		{rule: "web", file: "web/a.go", imports: "github.com/containerd/containerd/v2/core/images"},
		{rule: "web", file: "web/b.go", imports: "optimus/sandbox/judge"},
		{rule: "web", file: "web/c.go", imports: "optimus/store/boltstore/plain"},
		{rule: "web", file: "web/d.go", imports: "optimus/config"},
		{rule: "no-cli-below-modes", file: "web/e.go", imports: "github.com/urfave/cli/v2"},
		{rule: "test-code-stays-in-tests", file: "modes/a.go", imports: "testing"},
		{rule: "test-code-stays-in-tests", file: "modes/b.go", imports: "optimus/store/storetest"},
		{rule: "test-code-stays-in-tests", file: "modes/c.go", imports: "optimus/sandbox/sandboxtest"},
		{rule: "retired", file: "modes/d.go", imports: "io/ioutil"},
		{rule: "retired", file: "modes/e.go", imports: "math/rand"},
		{rule: "retired", file: "modes/f.go", imports: "github.com/rs/zerolog/log"},
		{rule: "forbidigo", file: "modes/g.go", imports: "os", code: "func g() { os.Exit(1) }"},
		{rule: "forbidigo", file: "store/c.go", imports: "time", code: "func c() time.Time { return time.Now() }"},
		{rule: "forbidigo", file: "web/f.go", imports: "context", code: "func f() context.Context { return context.Background() }"},
		{rule: "forbidigo", file: "web/g.go", imports: "github.com/rs/zerolog", code: "func g(l zerolog.Logger) { l.Fatal().Send() }"},
	}
}

// ruleName matches the names of depguard's rules in .golangci.yml.
var ruleName = regexp.MustCompile(`(?m)^ {8}([a-z-]+):`)

func TestEveryRuleObjects(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	config := read(t, filepath.Join(root, ".golangci.yml"))
	cases := breaches()

	covered := map[string]bool{}
	for _, b := range cases {
		covered[b.rule] = true
	}
	rules, _, _ := strings.Cut(config[strings.Index(config, "      rules:\n"):], "\n    forbidigo:")
	for _, m := range ruleName.FindAllStringSubmatch(rules, -1) {
		if !covered[m[1]] {
			t.Errorf("rule %q of .golangci.yml has no breach here: add one", m[1])
		}
	}

	found := lint(t, root, plant(t, root, config, cases))
	for _, b := range cases {
		if !objects(found[b.file], b) {
			t.Errorf("%s imports %s: the linter should object by %q; it says %q", b.file, b.imports, b.rule, found[b.file])
		}
	}
	for file, said := range found {
		if strings.HasSuffix(file, "plain.go") {
			t.Errorf("%s breaks no rule; the linter says %q", file, said)
		}
	}
}

func objects(said []string, b breach) bool {
	want := "list '" + b.rule + "'"
	if b.rule == "forbidigo" {
		want = "use of `"
	}
	for _, s := range said {
		if strings.Contains(s, want) {
			return true
		}
	}
	return false
}

// plant makes a module like ours in which each package holds an empty file and its breaches.
func plant(t *testing.T, root, config string, cases []breach) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".golangci.yml"), config)
	for _, name := range []string{"go.mod", "go.sum"} {
		write(t, filepath.Join(dir, name), read(t, filepath.Join(root, name)))
	}
	for _, b := range cases {
		pkg := filepath.Base(filepath.Dir(b.file))
		imports := fmt.Sprintf("%q", b.imports)
		if b.code == "" {
			imports = "_ " + imports
		}
		write(t, filepath.Join(dir, b.file), fmt.Sprintf("package %s\n\nimport %s\n\n%s\n", pkg, imports, b.code))
		// What is imported must be there: an empty package, which breaks no rule.
		if own, ok := strings.CutPrefix(b.imports, "optimus/"); ok {
			write(t, filepath.Join(dir, own, "plain.go"), "package "+filepath.Base(own)+"\n")
		}
	}
	return dir
}

// lint gives what the architecture's linters say, by file.
func lint(t *testing.T, root, dir string) map[string][]string {
	t.Helper()
	tool := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+filepath.Join(root, ".tools/go.mod"), "-n", "golangci-lint")
	tool.Dir, tool.Stderr = root, os.Stderr
	path, err := tool.Output()
	if err != nil {
		t.Fatalf("find golangci-lint: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), strings.TrimSpace(string(path)), "run", "--allow-parallel-runners", //nolint:gosec // our own tool
		"--enable-only=depguard,forbidigo", "--output.json.path=stdout", "--show-stats=false", "./...")
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	var report struct {
		Issues []struct {
			FromLinter string
			Text       string
			Pos        struct{ Filename string }
		}
	}
	if decodeErr := json.Unmarshal(out, &report); decodeErr != nil {
		t.Fatalf("golangci-lint: %v, %v\n%s%s", err, decodeErr, out, &complaints)
	}
	found := map[string][]string{}
	for _, i := range report.Issues {
		if i.FromLinter == "typecheck" {
			t.Fatalf("the tree does not load: %s: %s", i.Pos.Filename, i.Text)
		}
		found[i.Pos.Filename] = append(found[i.Pos.Filename], i.Text)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
