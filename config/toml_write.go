package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// TOML gives an optimus.toml that states what differs from the defaults, but for what skip tells of a path,
// for secrets, and for lists of tables.
func (c Config) TOML(skip func(path string) bool) string {
	defaults := map[string]string{}
	walk(reflect.ValueOf(Default()), "", func(path string, _ reflect.StructField, v reflect.Value) {
		defaults[path] = text(v)
	})
	var b strings.Builder
	table := ""
	walk(reflect.ValueOf(c), "", func(path string, _ reflect.StructField, v reflect.Value) {
		secret := v.Type() == reflect.TypeFor[Secret]()
		if secret || strings.Contains(path, "[") || onlyInFiles(path) || skip(path) || text(v) == defaults[path] {
			return
		}
		at, name := "", path
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			at, name = path[:i], path[i+1:]
		}
		if at != table {
			table = at
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		fmt.Fprintf(&b, "%s = %s\n", name, literal(v))
	})
	return strings.TrimPrefix(b.String(), "\n")
}

// literal gives a value as TOML has it.
func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case bool, int:
		return fmt.Sprint(x)
	case float64:
		s := strconv.FormatFloat(x, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	case []string:
		items := make([]string, len(x))
		for i, s := range x {
			items[i] = basicString(s)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case time.Duration, Size:
		return basicString(text(v))
	}
	return basicString(text(v))
}

// basicString quotes a text as TOML does, which knows fewer escapes than Go.
func basicString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
