package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// parseTOML reads a document into a tree. A syntax error, which includes a key stated twice, ends
// the reading, since what follows it can't be trusted; it is the one fault then.
func parseTOML(source string, data []byte, f *faults) node {
	root := node{kind: kindTable, at: place{source: source}}
	var values map[string]any
	if err := toml.Unmarshal(data, &values); err != nil {
		at := root.at
		if syntax, ok := errors.AsType[*toml.DecodeError](err); ok {
			at.line, _ = syntax.Position()
		}
		// The message alone: the longer form quotes the line, in which a secret may stand.
		f.add(at, "", "", "is not valid TOML: "+strings.TrimPrefix(err.Error(), "toml: "), "")
		return root
	}
	lines := tomlLines(data)
	fromTOML(values, "", lines, &root)
	return root
}

// fromTOML fills n from a decoded value whose path is given, in the form of tomlLines.
func fromTOML(v any, path string, lines map[string]int, n *node) {
	if line := lines[path]; line > 0 {
		n.at.line = line
	}
	switch v := v.(type) {
	case map[string]any:
		n.kind = kindTable
		for key, value := range v {
			child := node{at: n.at}
			fromTOML(value, path+"\x00"+key, lines, &child)
			n.keys = append(n.keys, entry{key, child})
		}
		slices.SortFunc(n.keys, func(a, b entry) int {
			if a.value.at.line != b.value.at.line {
				return a.value.at.line - b.value.at.line
			}
			return strings.Compare(a.key, b.key)
		})
	case []any:
		n.kind = kindList
		for i, value := range v {
			child := node{at: n.at}
			fromTOML(value, path+"\x00#"+strconv.Itoa(i), lines, &child)
			n.list = append(n.list, child)
		}
	case string:
		n.kind, n.text = kindText, v
	case int64:
		n.kind, n.text = kindWhole, strconv.FormatInt(v, 10)
	case float64:
		n.kind, n.text = kindDecimal, strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		n.kind, n.text = kindTruth, strconv.FormatBool(v)
	default:
		n.kind = kindOther
	}
}

// tomlIndex finds the lines of a valid document's keys, which the decoder does not tell. A path is
// its keys, each after a NUL; an element of a list is "#" and its index.
type tomlIndex struct {
	p     unstable.Parser
	lines map[string]int
	// elements counts the elements that an array of tables has had so far.
	elements map[string]int
}

// tomlLines gives the line of every key and list element, by path.
func tomlLines(data []byte) map[string]int {
	x := &tomlIndex{lines: map[string]int{}, elements: map[string]int{}}
	x.p.Reset(data)
	var table string
	for x.p.NextExpression() {
		e := x.p.Expression()
		if e.Kind == unstable.KeyValue {
			x.keyValue(e, table)
		} else if array := e.Kind == unstable.ArrayTable; array || e.Kind == unstable.Table {
			table = x.header(e, array)
		}
	}
	return x.lines
}

// header notes the lines of a table's header and gives its path; array tells that it begins a
// new element of an array of tables.
func (x *tomlIndex) header(e *unstable.Node, array bool) string {
	path := x.key(e.Key(), "", array)
	if array {
		x.elements[path]++
		path = x.latest(path)
		x.lines[path] = x.p.Shape(e.Child().Raw).Start.Line
	}
	return path
}

func (x *tomlIndex) keyValue(kv *unstable.Node, table string) {
	x.value(kv.Value(), x.key(kv.Key(), table, false))
}

func (x *tomlIndex) value(v *unstable.Node, path string) {
	children := v.Children()
	for i := 0; children.Next(); i++ { // a scalar has none
		if v.Kind == unstable.InlineTable {
			x.keyValue(children.Node(), path)
		} else {
			x.value(children.Node(), path+"\x00#"+strconv.Itoa(i))
		}
	}
}

// key notes the line of each part of a dotted key below table and gives its path. A part that
// names an array of tables means its latest element, but for the last part of such an array's own header.
func (x *tomlIndex) key(key unstable.Iterator, table string, header bool) string {
	path := table
	for key.Next() {
		path += "\x00" + string(key.Node().Data)
		if x.lines[path] == 0 {
			x.lines[path] = x.p.Shape(key.Node().Raw).Start.Line
		}
		if !header || !key.IsLast() {
			path = x.latest(path)
		}
	}
	return path
}

// latest gives the path of an array of tables' latest element, and any other path as it is.
func (x *tomlIndex) latest(path string) string {
	if n := x.elements[path]; n > 0 {
		return path + "\x00#" + strconv.Itoa(n-1)
	}
	return path
}
