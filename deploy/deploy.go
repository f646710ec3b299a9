// Package deploy renders what Optimus is deployed with: the files that service managers, Compose and
// others read, from templates in the binary. It knows settings, and starts nothing.
package deploy

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/template"
)

// File is one rendered file.
type File struct {
	// Name is its path below the folder that it is written to, with slashes.
	Name string
	Text string
	// Aside: it tells of the others, and is written into their folder only.
	Aside bool
}

// Join gives the files as one text, in which a comment names each; a single one stands as it is.
func Join(files []File) string {
	files = slices.DeleteFunc(slices.Clone(files), func(f File) bool { return f.Aside })
	if len(files) == 1 {
		return files[0].Text
	}
	var b strings.Builder
	for i, f := range files {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "# %s\n%s", f.Name, f.Text)
	}
	return b.String()
}

// execute renders one template of the tree with what it is given; a name that the template does not
// know is an error.
func execute(tree fs.FS, name string, data any) (string, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"quote": quote}).Parse(string(text))
	if err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("template: %w", err)
	}
	return b.String(), nil
}

// quote gives a text as YAML and JSON write it.
func quote(s string) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", fmt.Errorf("quote %q: %w", s, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
