package config

import (
	"reflect"
	"strings"
	"testing"
)

// The example states every default and nothing else.
func TestExampleIsTheDefaults(t *testing.T) {
	t.Parallel()
	var f faults
	c := Default()
	stated := map[string]bool{}
	d := &decoder{tag: "toml", faults: &f, note: func(path string, _ place) { stated[path] = true }}
	tree := parseTOML("optimus.toml", []byte(Example()), &f)
	d.structure(tree, "", reflect.ValueOf(&c).Elem())
	if err := f.err("configuration"); err != nil {
		t.Fatal(err)
	}
	defaults := Default().Settings()
	for i, s := range c.Settings() {
		if s.Value != defaults[i].Value {
			t.Errorf("%s is %q, the default %q", s.Path, s.Value, defaults[i].Value)
		}
		if !stated[s.Path] && !onlyInFiles(s.Path) {
			t.Errorf("%s is not stated", s.Path)
		}
	}
}

// The commented-out key of the example works once its marks are removed.
func TestExampleKey(t *testing.T) {
	t.Parallel()
	_, keys, found := strings.Cut(Example(), "# [[keys]]")
	if !found {
		t.Fatal("the example shows no key")
	}
	keys = "[[keys]]" + strings.ReplaceAll(keys, "\n# ", "\n")
	secret := file(t, "key", strings.Repeat("k", minSecret))
	hash := strings.Repeat("0f", 32)
	keys = strings.ReplaceAll(strings.ReplaceAll(keys, "…64 hexadecimal digits…", hash), "/run/secrets/course", secret)
	for _, without := range []string{"hash", "secret_file"} { // one or the other
		var kept []string
		for line := range strings.Lines(keys) {
			if !strings.HasPrefix(line, without) {
				kept = append(kept, line)
			}
		}
		c := load(t, func(o *LoadOptions) { o.Path = file(t, "optimus.toml", strings.Join(kept, "")) })
		if len(c.Keys) != 1 || c.Keys[0].Name != "course" || c.Keys[0].Rate != 50 || len(c.Keys[0].Roles) != 2 || c.Keys[0].Hash.Empty() {
			t.Errorf("keys = %+v", c.Keys)
		}
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	var look func(reflect.Type)
	look = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if name := f.Tag.Get("is"); name != "" {
				seen[name] = true
				if formOf(name).name != name {
					t.Errorf("%s.%s: no form %q", typ, f.Name, name)
				}
			}
			inner := f.Type
			for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[Secret]() {
				look(inner)
				continue
			}
			for _, tag := range []string{"min", "max"} {
				if text, ok := f.Tag.Lookup(tag); ok {
					if _, ok, problem := read(node{kind: kindWord, text: text}, inner); !ok || problem != "" {
						t.Errorf("%s.%s: %s %q %s", typ, f.Name, tag, text, problem)
					}
				}
			}
		}
	}
	look(reflect.TypeFor[Config]())
	look(reflect.TypeFor[Catalogue]())
	for _, f := range forms() {
		if !seen[f.name] {
			t.Errorf("no field asks for the form %q", f.name)
		}
	}
}

// The defaults hold against their own bounds, and the environment can state every one of them.
func TestDefaultsAreAllowed(t *testing.T) {
	t.Parallel()
	var env []string
	for _, s := range Default().Settings() {
		if s.Env != "" {
			env = append(env, s.Env+"="+s.Default)
		}
	}
	c := load(t, func(o *LoadOptions) { o.Env = env })
	for _, s := range c.Settings() {
		want := s.Default
		if s.Path == "data" {
			want = "/var/lib/optimus"
		}
		if s.Env != "" && (s.Value != want || s.Origin.Where != s.Env) {
			t.Errorf("%s=%s gives %q from %s", s.Env, s.Default, s.Value, s.Origin)
		}
	}
}

func TestVariablesAreUnique(t *testing.T) {
	t.Parallel()
	names := map[string]string{envConfig: "the file", envMirror: "the mirror"}
	for _, path := range paths() {
		if other, ok := names[EnvName(path)]; ok {
			t.Errorf("%s means %s and %s", EnvName(path), other, path)
		}
		names[EnvName(path)] = path
	}
}
