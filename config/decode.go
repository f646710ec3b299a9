package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder fills structs from trees. What it can't take becomes a fault and leaves the field as it was.
type decoder struct {
	// tag is the struct tag that names the keys: "toml" or "json".
	tag string
	// hints answer an unknown key better than its likeness to a known one does.
	hints map[string]string
	// all lists every path there is, for keys in the wrong table.
	all    []string
	faults *faults
	// note is told where each field stands; nil for no one.
	note func(path string, at place)
}

func (d *decoder) set(path string, at place) {
	if d.note != nil {
		d.note(path, at)
	}
}

// key gives the name that a field goes by; empty for a field that no file states.
func key(f reflect.StructField, tag string) string {
	name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
	return name
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) structure(n node, path string, v reflect.Value) {
	if n.kind != kindTable {
		d.wrongType(n, path, "a table")
		return
	}
	d.set(path, n.at)
	known := map[string]int{}
	var names []string
	for i := range v.NumField() {
		if name := key(v.Type().Field(i), d.tag); name != "" {
			known[name] = i
			names = append(names, name)
		}
	}
	stated := map[string]bool{}
	for _, e := range n.keys {
		i, ok := known[e.key]
		if !ok {
			d.unknown(e, path, names)
			continue
		}
		stated[e.key] = true
		d.field(e.value, join(path, e.key), v.Type().Field(i), v.Field(i))
	}
	for _, name := range names {
		f := v.Type().Field(known[name])
		if f.Tag.Get("required") != "" && !stated[name] {
			d.faults.add(n.at, join(path, name), "", "is missing", "must be "+allowed(f))
		}
	}
}

// unknown reports a key that no field has. Its value is not shown: it may be a misspelt secret.
func (d *decoder) unknown(e entry, path string, siblings []string) {
	help, ok := d.hints[join(path, e.key)]
	if !ok {
		help, ok = d.hints["*."+e.key]
	}
	if !ok {
		help = didYouMean(e.key, siblings)
	}
	if help == "" {
		for _, p := range d.all {
			if p == e.key || strings.HasSuffix(p, "."+e.key) {
				help = "did you mean " + p + "?"
				break
			}
		}
	}
	if help == "" {
		help = "known here: " + strings.Join(siblings, ", ")
	}
	d.faults.add(e.value.at, join(path, e.key), "", "is not a known key", help)
}

func (d *decoder) wrongType(n node, path, want string) {
	d.faults.add(n.at, path, shown(n), "is "+n.kind.String(), "must be "+want)
}

// field sets one field. The struct tags of f say what is allowed.
func (d *decoder) field(n node, path string, f reflect.StructField, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer: // a table that may be left out
		v.Set(reflect.New(v.Type().Elem()))
		d.structure(n, path, v.Elem())
	case v.Type() == reflect.TypeFor[Secret](), v.Kind() != reflect.Struct && v.Kind() != reflect.Slice && v.Kind() != reflect.Map:
		if d.scalar(n, path, f, v) {
			d.set(path, n.at)
		}
	case v.Kind() == reflect.Struct:
		d.structure(n, path, v)
	case v.Kind() == reflect.Map:
		d.texts(n, path, f, v)
	default:
		d.list(n, path, f, v)
	}
}

// texts sets a map of texts.
func (d *decoder) texts(n node, path string, f reflect.StructField, v reflect.Value) {
	if n.kind != kindTable {
		d.wrongType(n, path, allowed(f))
		return
	}
	d.set(path, n.at)
	m := map[string]string{}
	for _, e := range n.keys {
		d.set(join(path, e.key), e.value.at)
		if e.value.kind != kindText {
			d.wrongType(e.value, join(path, e.key), "text")
			continue
		}
		m[e.key] = e.value.text
	}
	v.Set(reflect.ValueOf(m))
}

// list sets a slice; a word is a comma-separated list.
func (d *decoder) list(n node, path string, f reflect.StructField, v reflect.Value) {
	items, element := n.list, elementOf(f)
	if n.kind == kindWord {
		for s := range strings.SplitSeq(n.text, ",") {
			if s = strings.TrimSpace(s); s != "" {
				items = append(items, node{kind: kindWord, at: n.at, text: s})
			}
		}
	} else if n.kind != kindList {
		d.wrongType(n, path, allowed(f))
		return
	}
	out, whole := reflect.MakeSlice(v.Type(), len(items), len(items)), true
	for i, item := range items {
		at := path + "[" + strconv.Itoa(i) + "]"
		if v.Type().Elem().Kind() == reflect.Struct {
			d.structure(item, at, out.Index(i))
			continue
		}
		d.set(at, item.at)
		if !d.scalar(item, at, element, out.Index(i)) {
			whole = false
		} else if f.Tag.Get("repeats") == "" {
			d.repeated(items[:i], item, at)
		}
	}
	if whole {
		v.Set(out)
	}
	d.set(path, n.at)
}

// elementOf gives the field that one member of a list is held against: the list's tags hold for
// it, and it may be empty only where any text will do.
func elementOf(f reflect.StructField) reflect.StructField {
	var tag strings.Builder
	for _, name := range []string{"is", "oneof", "min", "max"} {
		if value, ok := f.Tag.Lookup(name); ok {
			tag.WriteString(name + ":" + strconv.Quote(value) + " ")
		}
	}
	if f.Tag.Get("is") != "" || f.Tag.Get("oneof") != "" {
		tag.WriteString(`required:"true"`)
	}
	return reflect.StructField{Name: f.Name, Type: f.Type.Elem(), Tag: reflect.StructTag(tag.String())}
}

func (d *decoder) repeated(before []node, item node, path string) {
	if slices.ContainsFunc(before, func(n node) bool { return n.text == item.text }) {
		d.faults.add(item.at, path, shown(item), "stands twice in the list", "state it once")
	}
}

// scalar sets a text, number or truth and tells whether it did.
func (d *decoder) scalar(n node, path string, f reflect.StructField, v reflect.Value) bool {
	value := shown(n)
	if v.Type() == reflect.TypeFor[Secret]() && value != "" {
		value = Placeholder
	}
	got, ok, problem := read(n, v.Type())
	switch {
	case problem != "":
		d.faults.add(n.at, path, value, problem, "must be "+allowed(f))
	case !ok:
		d.faults.add(n.at, path, value, "is "+n.kind.String(), "must be "+allowed(f))
	default:
		if problem = refused(got, f); problem != "" {
			d.faults.add(n.at, path, value, problem, "must be "+allowed(f))
			return false
		}
		v.Set(got)
		return true
	}
	return false
}

// read converts a scalar to a field's type. ok is false for a node of the wrong kind; problem
// says what is wrong with the text of one of a right kind.
func read(n node, t reflect.Type) (v reflect.Value, ok bool, problem string) {
	v = reflect.New(t).Elem()
	word := n.kind == kindWord
	text, whole := word || n.kind == kindText, word || n.kind == kindWhole
	switch {
	case t == reflect.TypeFor[Secret]():
		v.Set(reflect.ValueOf(NewSecret(n.text)))
		ok = text
	case t == reflect.TypeFor[time.Duration](), t == reflect.TypeFor[Duration]():
		if ok = text; ok {
			d, err := ParseDuration(n.text)
			problem = misread(err, "is not a duration such as 500ms, 2s or 7d")
			v.SetInt(int64(d))
		}
	case t == reflect.TypeFor[Size]():
		if ok = text || whole; ok {
			s, err := ParseSize(n.text)
			problem = misread(err, "is not a size such as 64KB or 256MiB")
			v.SetInt(int64(s))
		}
	case t.Kind() == reflect.String:
		v.SetString(n.text)
		ok = text
	case t.Kind() == reflect.Bool:
		v.SetBool(n.text == "true")
		ok = n.kind == kindTruth || word && (n.text == "true" || n.text == "false")
	case t.Kind() == reflect.Int:
		if ok = whole; ok {
			i, err := strconv.ParseInt(n.text, 10, 64)
			problem = misread(err, "is not a whole number")
			v.SetInt(i)
		}
	case t.Kind() == reflect.Float64:
		if ok = whole || n.kind == kindDecimal; ok {
			x, err := strconv.ParseFloat(n.text, 64)
			problem = misread(err, "is not a number")
			v.SetFloat(x)
		}
	}
	return v, ok, problem
}

func misread(err error, problem string) string {
	if err == nil {
		return ""
	}
	return problem
}

// refused checks a value against a field's tags and says what is wrong, or nothing.
func refused(v reflect.Value, f reflect.StructField) string {
	text := ""
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		text = v.Interface().(Secret).Reveal() //nolint:forcetypeassert // of that very type
		if text == Placeholder {
			return "is the placeholder, not the secret itself"
		}
	case v.Kind() == reflect.String:
		text = v.String()
	case v.Kind() == reflect.Bool:
		return ""
	default:
		return outside(v, f)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r == 0 }) {
		return "has a NUL byte"
	}
	if text == "" {
		if f.Tag.Get("required") != "" {
			return "is empty"
		}
		return ""
	}
	if choices := f.Tag.Get("oneof"); choices != "" && !slices.Contains(strings.Fields(choices), text) {
		return "is not among the choices"
	}
	if name := f.Tag.Get("is"); name != "" && !formOf(name).ok(text) {
		return "has the wrong form"
	}
	return ""
}

// outside checks a number against the tags min and max.
func outside(v reflect.Value, f reflect.StructField) string {
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	if low != "" && less(v, bound(low, v.Type())) {
		return "is too small"
	}
	if high != "" && less(bound(high, v.Type()), v) {
		return "is too large"
	}
	if v.Kind() == reflect.Float64 && (v.Float() != v.Float()) {
		return "is not a number"
	}
	return ""
}

func bound(text string, t reflect.Type) reflect.Value {
	v, _, _ := read(node{kind: kindWord, text: text}, t)
	return v
}

func less(a, b reflect.Value) bool {
	if a.Kind() == reflect.Float64 {
		return a.Float() < b.Float()
	}
	return a.Int() < b.Int()
}

// allowed words what a field takes, from its type and tags.
func allowed(f reflect.StructField) string {
	if f.Type.Kind() == reflect.Slice {
		return "a list, each " + allowed(elementOf(f))
	}
	span := ""
	if low, high := f.Tag.Get("min"), f.Tag.Get("max"); high != "" {
		span = fmt.Sprintf(" from %s to %s", low, high)
	} else if low != "" {
		span = fmt.Sprintf(" of %s or more", low)
	}
	if choices := strings.Fields(f.Tag.Get("oneof")); len(choices) > 0 {
		return "one of " + strings.Join(choices, ", ")
	}
	if name := f.Tag.Get("is"); name != "" {
		return formOf(name).allowed
	}
	return typeName(f.Type) + span
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration](), t == reflect.TypeFor[Duration]():
		return "a duration"
	case t == reflect.TypeFor[Size]():
		return "a size"
	case t == reflect.TypeFor[Secret](), t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Map:
		return "a table of texts"
	}
	return "a table"
}
