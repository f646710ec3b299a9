package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// docRow is one row of a table of docs/CONFIG.md, its cells without quotes.
type docRow []string

// docTable reads the table under a heading.
func docTable(t *testing.T, heading string) []docRow {
	t.Helper()
	data, err := os.ReadFile("../docs/CONFIG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/CONFIG.md has no heading %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var rows []docRow
	for line := range strings.Lines(rest) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var row docRow
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row = append(row, strings.ReplaceAll(strings.TrimSpace(cell), "`", ""))
		}
		rows = append(rows, row)
	}
	return rows
}

// compareRows holds a table against what the code says, but for the last cell, the meaning, which
// must only be there.
func compareRows(t *testing.T, rows, want []docRow) {
	t.Helper()
	for i := range max(len(rows), len(want)) {
		switch {
		case i >= len(rows):
			t.Errorf("the table lacks\n| %s |", strings.Join(want[i], " | "))
		case i >= len(want):
			t.Errorf("the table has, beyond what there is,\n| %s |", strings.Join(rows[i], " | "))
		case len(rows[i]) != len(want[i])+1 || !slices.Equal(rows[i][:len(want[i])], want[i]) || rows[i][len(want[i])] == "":
			t.Errorf("the table has\n| %s |\nwant\n| %s | and a meaning |", strings.Join(rows[i], " | "), strings.Join(want[i], " | "))
		}
	}
}

func TestDocsSettings(t *testing.T) {
	t.Parallel()
	var want []docRow
	for _, s := range Default().Settings() {
		if !onlyInFiles(s.Path) {
			want = append(want, docRow{s.Path, s.Allowed, s.Default, s.Env})
		}
	}
	compareRows(t, docTable(t, "Settings"), want)
}

func TestDocsKeys(t *testing.T) {
	t.Parallel()
	compareRows(t, docTable(t, "API keys"), fieldRows(reflect.TypeFor[Key](), "toml", ""))
}

func TestDocsPools(t *testing.T) {
	t.Parallel()
	compareRows(t, docTable(t, "Pools"), fieldRows(reflect.TypeFor[Pool](), "toml", ""))
}

func TestDocsLanguages(t *testing.T) {
	t.Parallel()
	compareRows(t, docTable(t, "languages.json"), fieldRows(reflect.TypeFor[Language](), "json", ""))
}

// fieldRows gives a row for every field: its path and what it takes.
func fieldRows(typ reflect.Type, tag, path string) []docRow {
	var rows []docRow
	for f := range typ.Fields() {
		at := join(path, key(f, tag))
		if f.Type.Kind() == reflect.Pointer {
			f.Type = f.Type.Elem()
		}
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Secret]() {
			rows = append(rows, fieldRows(f.Type, tag, at)...)
			continue
		}
		takes := allowed(f)
		if f.Tag.Get("required") != "" {
			takes += "; required"
		}
		rows = append(rows, docRow{at, takes})
	}
	return rows
}

func TestDocsPlaceholders(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/CONFIG.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Placeholders() {
		if !strings.Contains(string(data), "`{"+name+"}`") {
			t.Errorf("docs/CONFIG.md does not explain {%s}", name)
		}
	}
	for original := range originalKeys() {
		if name := strings.TrimPrefix(original, "*."); !strings.Contains(string(data), "`"+name+"`") {
			t.Errorf("docs/CONFIG.md does not say what became of %s", name)
		}
	}
}

// The bounds that docs/API.md states are the defaults.
func TestDocsBounds(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/API.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(data), "| bound | by default | setting |\n")
	rows, _, _ = strings.Cut(rows, "\n\n")
	defaults := map[string]string{}
	for _, s := range Default().Settings() {
		defaults[s.Path] = s.Default
	}
	checked := 0
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.ReplaceAll(line, "`", ""), "|")
		if len(cells) < 5 || strings.HasPrefix(cells[1], "---") {
			continue
		}
		path, stated := strings.TrimSpace(cells[3]), strings.TrimSpace(cells[2])
		if want, ok := defaults[path]; !ok || stated != want {
			t.Errorf("docs/API.md says that %s is %q, it is %q", path, stated, want)
		}
		checked++
	}
	if checked < 7 {
		t.Errorf("only %d bounds found in docs/API.md", checked)
	}
}
