package sandboxtest

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"optimus/sandbox"
)

var update = flag.Bool("update", false, "write the table of docs/SECURITY.md anew")

func TestCatalogueIsWhole(t *testing.T) {
	t.Parallel()
	seen, sources := make(map[string]bool), make(map[string]string)
	for _, c := range allCases(t) {
		if seen[c.Name] {
			t.Errorf("case %q: there are two", c.Name)
		}
		seen[c.Name] = true
		source := c.Language + string(c.Submission.Source.Files[0].Content)
		if other, ok := sources[source]; ok {
			t.Errorf("case %q has the source of %q", c.Name, other)
		}
		sources[source] = c.Name
	}
}

func TestCaseIsReadWhole(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"all/a/b.txtar": {Data: []byte(`
why = "to see each field arrive"
aim = "cheat"
layers = ["judge", "host"]
runs = 2
loaded = true
limits = {cpu_ms = 1, memory_mib = 2}
want = {verdict = "runtime_error", signal = "SIGSEGV", wall_ms = [3, 4], memory_mib = [5, 6]}
compile = {stderr = "warning"}
own_kernel = {why = "it is late", verdict = "accepted", expected = "d", wall_ms = [8, 9]}

[files]
"lib.h" = {hex = "00 ff", times = 2}

[[tests]]
input = {text = "ab", times = 3}
expected = "c"
limits = {wall_ms = 7}
-- main.py --
pass
-- main.cpp --
int main() {}
`)}, "all/README.md": {}}
	cases, err := readCases(files, "all")
	if err != nil || len(cases) != 2 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	c, s := cases[1], cases[1].Submission
	test := s.Tests[1]
	switch {
	case c.File != "a/b", c.Name != "a/b/cpp", c.Language != "cpp", c.Aim != "cheat", len(c.Layers) != 2, !c.Exclusive,
		len(s.Source.Files) != 2, s.Source.Files[0].Name != "main.cpp", string(s.Source.Files[1].Content) != "\x00\xff\x00\xff",
		len(s.Tests) != 2, string(test.Input) != "ababab", *test.Expected != "c", test.Limits != sandbox.Limits{Wall: 7 * time.Millisecond},
		s.Limits != sandbox.Limits{CPU: time.Millisecond, Memory: 2 << 20},
		c.Want.Verdict != sandbox.RuntimeError, c.Want.Run.Signal != 11, c.Want.Run.Wall != [2]time.Duration{3e6, 4e6},
		c.Want.Run.Memory != [2]int64{5 << 20, 6 << 20}, c.Want.Compile.Stderr != "warning":
		t.Errorf("%+v", c)
	}
	if e := c.elsewhere(); *e.Submission.Tests[1].Expected != "d" || *test.Expected != "c" || e.Want.Verdict != sandbox.Accepted ||
		e.Want.Run.Wall != [2]time.Duration{8e6, 9e6} || e.Want.Compile.Stderr != "warning" {
		t.Errorf("on another kernel: %+v", e)
	}
}

func TestCaseFaults(t *testing.T) {
	t.Parallel()
	const right = "why = \"x\"\naim = \"honest\"\nlayers = [\"judge\"]\nwant = {verdict = \"accepted\"}\n-- main.py --\n"
	if _, err := parseCase("x", []byte(right)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct{ old, now, want string }{
		{"why = \"x\"\n", "", "why"},
		{"why = \"x\"", "why = \" \"", "why"},
		{"why = \"x\"", "wy = \"x\"", "wy"},
		{"\"honest\"", "\"honesty\"", "honesty"},
		{"\"judge\"", "\"jury\"", "jury"},
		{"[\"judge\"]", "[]", "layers"},
		{"{verdict = \"accepted\"}", "{}", "verdict"},
		{"\"accepted\"", "\"good\"", "good"},
		{"\"accepted\"", "\"runtime_error\"", "exit or signal"},
		{"\"accepted\"", "\"time_limit_exceeded\"", "exceeded"},
		{"\"accepted\"", "\"accepted\", tests = [\"fine\"]", "fine"},
		{"\"accepted\"", "\"accepted\", signal = \"SIGNONE\"", "SIGNONE"},
		{"\"accepted\"", "\"accepted\", exceeded = \"patience\"", "patience"},
		{"\"accepted\"", "\"accepted\", cpu = 3", "cpu"},
		{"want", "checker = \"maybe\"\nwant", "maybe"},
		{"want", "limits = {cpu = 3}\nwant", "cpu"},
		{"want", "files = {x = {text = 3}}\nwant", "text"},
		{"want", "files = {x = {hex = \"0x\"}}\nwant", "hex"},
		{"want", "tests = [{input = 3}]\nwant", "input"},
		{"want", "tests = [{output = \"3\"}]\nwant", "output"},
		{"want", "own_kernel = {verdict = \"accepted\"}\nwant", "own_kernel.why"},
		{"want", "own_kernel = {why = \"x\"}\nwant", "own_kernel"},
		{"-- main.py --", "-- input --\n1\n-- input --\n2\n-- main.py --", "input"},
		{"main.py", "main.rb", "main.py"},
		{"-- main.py --\n", "", "main.py"},
	} {
		text := strings.Replace(right, f.old, f.now, 1)
		if _, err := parseCase("x", []byte(text)); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%q gives %v, want it to name %q", text, err, f.want)
		}
	}
	if _, err := readCases(fstest.MapFS{"all/x.txt": {}}, "all"); err == nil || !strings.Contains(err.Error(), caseSuffix) {
		t.Errorf("a file of another kind gives %v", err)
	}
}

// TestDocumentsListWhatThereIs: the README of the catalogue names every aim, layer and field, and
// docs/SECURITY.md holds the table that the catalogue makes.
func TestDocumentsListWhatThereIs(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("catalogue/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for aim := range aims() {
		if !strings.Contains(string(readme), "`"+string(aim)+"`") {
			t.Errorf("catalogue/README.md does not name the aim %s", aim)
		}
	}
	for layer := range layers() {
		if !strings.Contains(string(readme), "`"+string(layer)+"`") {
			t.Errorf("catalogue/README.md does not name the layer %s", layer)
		}
	}
	for _, part := range []any{header{}, limitsHeader{}, testHeader{}, wantHeader{}, differenceHeader{}, deedHeader{}, Change{}} {
		for f := range reflect.TypeOf(part).Fields() {
			if field := f.Tag.Get("toml"); field != "" && !strings.Contains(string(readme), "`"+field+"`") {
				t.Errorf("catalogue/README.md does not name the field %s", field)
			}
		}
	}
	const name = "../../docs/SECURITY.md"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	for part, want := range map[string]string{"layers": LayersTable(), "catalogue": SecurityTable(allCases(t))} {
		begin, end := "<!-- "+part+": begin -->\n", "<!-- "+part+": end -->\n"
		before, rest, ok := strings.Cut(now, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("docs/SECURITY.md has no %q and %q", begin, end)
		}
		now = before + begin + want + end + after
	}
	switch {
	case now == string(text):
	case *update:
		if err := os.WriteFile(name, []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("docs/SECURITY.md has not the catalogue's tables (go test ./sandbox/sandboxtest -run TestDocuments -update writes them)")
	}
}
