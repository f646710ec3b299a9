package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Origin says what a setting's value comes from.
type Origin struct {
	// Kind is "default", "file", "environment" or "flag".
	Kind string `json:"kind"`
	// Where is a file and line, a variable's or a flag's name; empty for a default.
	Where string `json:"where,omitempty"`
}

func (o Origin) String() string {
	if o.Where == "" {
		return o.Kind
	}
	return o.Kind + " " + o.Where
}

// Setting is one setting as it holds.
type Setting struct {
	// Path is its dotted path, such as "server.listen" or "keys[0].name".
	Path string `json:"path"`
	// Value is its text form, a secret's a placeholder; a list's members stand between commas.
	Value string `json:"value"`
	// Default is the value it has where nothing states it.
	Default string `json:"default"`
	// Allowed says in words what it takes.
	Allowed string `json:"allowed"`
	// Env is the variable that states it; empty for what only a file can state.
	Env    string `json:"env,omitempty"`
	Origin Origin `json:"origin"`
}

// EnvName gives the variable of a setting's path.
func EnvName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// Settings lists every setting with its value and where that comes from, in the order of the type.
func (c Config) Settings() []Setting {
	var settings []Setting
	defaults := map[string]string{}
	walk(reflect.ValueOf(Default()), "", func(path string, _ reflect.StructField, v reflect.Value) {
		defaults[path] = text(v)
	})
	walk(reflect.ValueOf(c), "", func(path string, f reflect.StructField, v reflect.Value) {
		s := Setting{Path: path, Value: text(v), Default: defaults[path], Allowed: allowed(f), Origin: c.Origin(path)}
		if !strings.Contains(path, "[") && !onlyInFiles(path) {
			s.Env = EnvName(path)
		}
		settings = append(settings, s)
	})
	return settings
}

// Origin tells what the value at a path comes from.
func (c Config) Origin(path string) Origin {
	if o, ok := c.origins[path]; ok {
		return o
	}
	return Origin{Kind: "default"}
}

// walk calls fn for every setting below v. A list of tables is one setting where it is empty, and
// else those of its tables.
func walk(v reflect.Value, path string, fn func(string, reflect.StructField, reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := key(f, "toml")
		if name == "" {
			continue
		}
		at, field := join(path, name), v.Field(i)
		tables := field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct
		switch {
		case field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[Secret]():
			walk(field, at, fn)
		case tables && field.Len() > 0:
			for j := range field.Len() {
				walk(field.Index(j), at+"["+strconv.Itoa(j)+"]", fn)
			}
		default:
			fn(at, f, field)
		}
	}
}

// text gives a value's text form, as the environment and the command line take it.
func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case []string:
		return strings.Join(x, ",")
	case []Key, []Pool:
		return ""
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

// keysBelow lists the keys that the tables below a type have.
func keysBelow(t reflect.Type, tag, path string) []string {
	var keys []string
	for f := range t.Fields() {
		at := join(path, key(f, tag))
		if f.Type.Kind() == reflect.Pointer {
			f.Type = f.Type.Elem()
		}
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Secret]() {
			keys = append(keys, keysBelow(f.Type, tag, at)...)
		} else {
			keys = append(keys, at)
		}
	}
	return keys
}

// paths lists the paths of every setting that the environment and the command line may state.
func paths() []string {
	var all []string
	walk(reflect.ValueOf(Default()), "", func(path string, _ reflect.StructField, _ reflect.Value) {
		all = append(all, path)
	})
	return slices.DeleteFunc(all, onlyInFiles)
}

// onlyInFiles tells the lists of tables, which only a file states.
func onlyInFiles(path string) bool { return path == "keys" || path == "kubernetes.pools" }
