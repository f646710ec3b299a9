package web

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// maxFaults bounds the faults that one answer lists.
const maxFaults = 100

// errSyntax is wrapped by every error of a text that is not JSON as RFC 8259 and RFC 7493 want it.
var errSyntax = errors.New("not valid JSON")

// errTooMany is returned once an array has more items than its schema allows: what follows is
// neither read nor decoded, so that a small body cannot make a large list.
var errTooMany = errors.New("too many items")

// scanner checks, in one pass and without building a tree, that a text is I-JSON (RFC 7493: UTF-8,
// no duplicate names, no lone surrogates), no deeper than a bound, and what a schema allows. Where
// it finds no fault, decoding into the schema's Go type cannot fail.
type scanner struct {
	data     []byte
	pos      int
	depth    int
	maxDepth int
	schemas  huma.Registry
	path     []segment
	faults   *faults
}

// segment is one step of the path to a value: a field's name, or an item's index where name is nil.
type segment struct {
	name  []byte
	index int
}

// scanJSON adds to f what data has that schema does not allow. The error, which wraps errSyntax,
// is about a text that is no JSON at all, or is errTooMany; then the faults are not complete.
func scanJSON(data []byte, schema *huma.Schema, schemas huma.Registry, maxDepth int, f *faults) error {
	s := scanner{data: data, maxDepth: maxDepth, schemas: schemas, faults: f, path: make([]segment, 0, 8)}
	if s.space(); s.pos < len(s.data) && s.data[s.pos] == 'n' {
		s.fault("must not be null")
	}
	if err := s.value(schema); err != nil {
		return err
	}
	if s.space(); s.pos < len(s.data) {
		return s.syntax("text after the end of the value")
	}
	return nil
}

func (s *scanner) syntax(format string, args ...any) error {
	before := s.data[:min(s.pos, len(s.data))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%w: line %d, column %d: %s", errSyntax, line, column, fmt.Sprintf(format, args...))
}

func (s *scanner) fault(format string, args ...any) {
	if s.faults.full() {
		return
	}
	var b strings.Builder
	for _, p := range s.path {
		b.WriteByte('/')
		if p.name == nil {
			b.WriteString(strconv.Itoa(p.index))
		} else {
			b.WriteString(pointerEscape(string(p.name)))
		}
	}
	s.faults.add(b.String(), format, args...)
}

// resolve follows references; nil allows any value.
func (s *scanner) resolve(schema *huma.Schema) *huma.Schema {
	for schema != nil && schema.Ref != "" {
		schema = s.schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) value(schema *huma.Schema) error {
	s.space()
	if s.pos == len(s.data) {
		return s.syntax("the text ends where a value is due")
	}
	schema = s.resolve(schema)
	switch c := s.data[s.pos]; {
	case c == '{':
		return s.nested(schema, huma.TypeObject, (*scanner).object)
	case c == '[':
		return s.nested(schema, huma.TypeArray, (*scanner).array)
	case c == '"':
		return s.stringValue(schema)
	case c == '-' || '0' <= c && c <= '9':
		return s.number(schema)
	case c == 't':
		return s.literal(schema, "true", huma.TypeBoolean)
	case c == 'f':
		return s.literal(schema, "false", huma.TypeBoolean)
	case c == 'n':
		return s.literal(schema, "null", "null")
	default:
		return s.syntax("%q where a value is due", rune(c))
	}
}

// expect notes a fault where schema wants another type, and tells whether to check on.
func (s *scanner) expect(schema *huma.Schema, got string) bool {
	if schema == nil || schema.Type == "" {
		return false
	}
	if schema.Type != got {
		s.fault("must be %s, not %s", article(schema.Type), article(got))
		return false
	}
	return true
}

func article(typ string) string {
	switch typ {
	case huma.TypeObject, huma.TypeArray:
		return "an " + typ
	case huma.TypeInteger:
		return "a whole number"
	case "null":
		return typ
	default:
		return "a " + typ
	}
}

func (s *scanner) nested(schema *huma.Schema, typ string, scan func(*scanner, *huma.Schema) error) error {
	if s.depth == s.maxDepth {
		return s.syntax("nested more than %d deep", s.maxDepth)
	}
	if !s.expect(schema, typ) {
		schema = nil
	}
	s.depth++
	s.pos++
	err := scan(s, schema)
	s.depth--
	return err
}

func (s *scanner) literal(schema *huma.Schema, word, typ string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return s.syntax("unknown word; did you forget quotes?")
	}
	s.pos += len(word)
	if typ == "null" {
		return nil // as if it were left out; a required field is checked by its object
	}
	s.expect(schema, typ)
	return nil
}

func (s *scanner) object(schema *huma.Schema) error {
	var names, given []string // given are those whose value is not null
	for s.space(); ; s.space() {
		if s.pos < len(s.data) && s.data[s.pos] == '}' && len(names) == 0 {
			s.pos++
			break
		}
		name, err := s.name()
		if err != nil {
			return err
		}
		text := string(name)
		if slices.Contains(names, text) {
			return s.syntax("the name %.80q appears twice in one object", name)
		}
		names = append(names, text)
		if len(names) > maxNames {
			return s.syntax("over %d names in one object", maxNames)
		}
		s.path = append(s.path, segment{name: name})
		s.space()
		if s.pos < len(s.data) && s.data[s.pos] != 'n' {
			given = append(given, text)
		}
		err = s.value(s.property(schema, text))
		s.path = s.path[:len(s.path)-1]
		if err != nil {
			return err
		}
		done, err := s.next('}')
		if err != nil {
			return err
		}
		if done {
			break
		}
	}
	s.required(schema, names, given)
	return nil
}

// maxNames bounds the names of one object, so that the search for duplicates stays cheap.
const maxNames = 256

func (s *scanner) required(schema *huma.Schema, names, given []string) {
	if schema == nil {
		return
	}
	if schema.MaxProperties != nil && len(names) > *schema.MaxProperties {
		s.fault("has %d entries; allowed are at most %d", len(names), *schema.MaxProperties)
	}
	for _, name := range schema.Required {
		if slices.Contains(given, name) {
			continue
		}
		s.path = append(s.path, segment{name: []byte(name)})
		s.fault("is required")
		s.path = s.path[:len(s.path)-1]
	}
}

// property gives the schema of a field, and notes a fault for a field that is not allowed.
func (s *scanner) property(schema *huma.Schema, name string) *huma.Schema {
	if schema == nil {
		return nil
	}
	if p, ok := schema.Properties[name]; ok {
		return p
	}
	switch extra := schema.AdditionalProperties.(type) {
	case *huma.Schema:
		return extra
	case bool:
		if !extra {
			s.fault("unknown field; allowed are: %s", strings.Join(sortedKeys(schema.Properties), ", "))
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// name reads a field's name and the colon after it.
func (s *scanner) name() ([]byte, error) {
	if s.pos == len(s.data) || s.data[s.pos] != '"' {
		return nil, s.syntax("a field's name in double quotes is due")
	}
	text, escaped, err := s.text()
	if err != nil {
		return nil, err
	}
	if escaped {
		text = []byte(unquote(text))
	} else {
		text = text[1 : len(text)-1]
	}
	s.space()
	if s.pos == len(s.data) || s.data[s.pos] != ':' {
		return nil, s.syntax("':' is due after a field's name")
	}
	s.pos++
	return text, nil
}

// next reads a comma or the end of an object or array, and tells whether it was the end.
func (s *scanner) next(end byte) (done bool, err error) {
	s.space()
	if s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ',':
			s.pos++
			return false, nil
		case end:
			s.pos++
			return true, nil
		}
	}
	return false, s.syntax("',' or '%c' is due", end)
}

func (s *scanner) array(schema *huma.Schema) error {
	var items *huma.Schema
	if schema != nil {
		items = schema.Items
	}
	count := 0
	for s.space(); ; {
		if s.pos < len(s.data) && s.data[s.pos] == ']' && count == 0 {
			s.pos++
			break
		}
		if schema != nil && schema.MaxItems != nil && count == *schema.MaxItems {
			s.fault("has over %d items; allowed are at most %d", count, *schema.MaxItems)
			return errTooMany
		}
		s.path = append(s.path, segment{index: count})
		s.space()
		if items != nil && s.pos < len(s.data) && s.data[s.pos] == 'n' {
			s.fault("must not be null")
		}
		err := s.value(items)
		s.path = s.path[:len(s.path)-1]
		if err != nil {
			return err
		}
		count++
		done, err := s.next(']')
		if err != nil {
			return err
		}
		if done {
			break
		}
	}
	if schema != nil {
		s.between("items", count, schema.MinItems, schema.MaxItems)
	}
	return nil
}

func (s *scanner) between(what string, n int, least, most *int) {
	switch {
	case least != nil && n < *least && most != nil:
		s.fault("has %d %s; allowed are %d to %d", n, what, *least, *most)
	case least != nil && n < *least:
		s.fault("has %d %s; allowed are at least %d", n, what, *least)
	case most != nil && n > *most:
		s.fault("has %d %s; allowed are at most %d", n, what, *most)
	}
}

// pointerEscape writes one step of a JSON Pointer (RFC 6901).
func pointerEscape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
