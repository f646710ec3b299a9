package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// maxDepth of a JSON document; the catalogue's own is 5.
const maxDepth = 32

// parseJSON reads a document into a tree. A key stated twice is a fault for each; a syntax error
// ends the reading and leaves what came before it.
func parseJSON(source string, data []byte, f *faults) node {
	p := &jsonParser{dec: json.NewDecoder(bytes.NewReader(data)), data: data, at: place{source: source, line: 1}, faults: f}
	p.dec.UseNumber()
	n, err := p.value("", 0)
	if err == nil {
		if _, trailing := p.dec.Token(); !errors.Is(trailing, io.EOF) {
			err = errors.New("something follows the document's end")
		}
	}
	if err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			p.advance(syntax.Offset)
		} else {
			p.advance(p.dec.InputOffset())
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early")
		}
		f.add(p.at, "", "", "is not valid JSON: "+err.Error(), "")
		return node{kind: kindTable, at: place{source: source}}
	}
	return n
}

type jsonParser struct {
	dec    *json.Decoder
	data   []byte
	offset int64
	at     place
	faults *faults
}

// advance moves the place to that of a byte offset, which never goes back.
func (p *jsonParser) advance(offset int64) {
	offset = min(offset, int64(len(p.data)))
	if offset > p.offset {
		p.at.line += bytes.Count(p.data[p.offset:offset], []byte("\n"))
		p.offset = offset
	}
}

var errDepth = errors.New("it is nested too deeply")

func (p *jsonParser) value(path string, depth int) (node, error) {
	token, err := p.dec.Token()
	if err != nil {
		return node{}, err //nolint:wrapcheck // parseJSON says what it means
	}
	if depth > maxDepth {
		return node{}, errDepth
	}
	p.advance(p.dec.InputOffset())
	n := node{at: p.at}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(n, path, depth)
		}
		return p.array(n, path, depth)
	case string:
		n.kind, n.text = kindText, t
	case json.Number:
		n.kind, n.text = kindDecimal, t.String()
		if _, err := t.Int64(); err == nil {
			n.kind = kindWhole
		}
	case bool:
		n.kind, n.text = kindTruth, "false"
		if t {
			n.text = "true"
		}
	}
	return n, nil
}

func (p *jsonParser) object(n node, path string, depth int) (node, error) {
	n.kind = kindTable
	seen := map[string]bool{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return n, err //nolint:wrapcheck // parseJSON says what it means
		}
		p.advance(p.dec.InputOffset())
		key, ok := token.(string)
		if !ok {
			return n, errors.New("a key is not text")
		}
		if seen[key] {
			p.faults.add(p.at, join(path, key), "", "the key is stated twice", "state it once")
		}
		seen[key] = true
		v, err := p.value(join(path, key), depth+1)
		if err != nil {
			return n, err
		}
		n.keys = append(n.keys, entry{key, v})
	}
	_, err := p.dec.Token()
	return n, err //nolint:wrapcheck // parseJSON says what it means
}

func (p *jsonParser) array(n node, path string, depth int) (node, error) {
	n.kind = kindList
	for p.dec.More() {
		v, err := p.value(path+"["+strconv.Itoa(len(n.list))+"]", depth+1)
		if err != nil {
			return n, err
		}
		n.list = append(n.list, v)
	}
	_, err := p.dec.Token()
	return n, err //nolint:wrapcheck // parseJSON says what it means
}
