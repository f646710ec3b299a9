package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

func (s *scanner) stringValue(schema *huma.Schema) error {
	text, escaped, err := s.text()
	if err != nil || !s.expect(schema, huma.TypeString) {
		return err
	}
	if schema.MinLength == nil && schema.MaxLength == nil && len(schema.Enum) == 0 {
		return nil
	}
	value := string(text[1 : len(text)-1])
	if escaped {
		value = unquote(text)
	}
	s.between("characters", utf8.RuneCountInString(value), schema.MinLength, schema.MaxLength)
	if len(schema.Enum) > 0 && !slices.Contains(schema.Enum, any(value)) {
		s.fault("%.40q is not allowed; allowed are: %s", value, enumText(schema.Enum))
	}
	return nil
}

func enumText(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}

// text reads a string and gives it with its quotes.
func (s *scanner) text() (text []byte, escaped bool, err error) {
	start := s.pos
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			text = s.data[start:s.pos]
			if !utf8.Valid(text) {
				s.pos = start
				return nil, false, s.syntax("text is not valid UTF-8; send binary data as base64")
			}
			return text, escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, s.syntax("control character %#02x in a string; write it as \\u%04x", c, c)
		}
	}
	return nil, false, s.syntax("the text ends within a string")
}

// escape reads an escape sequence and leaves pos at its last byte.
func (s *scanner) escape() error {
	s.pos++
	if s.pos == len(s.data) {
		return s.syntax("the text ends within a string")
	}
	switch s.data[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		return s.unicode()
	default:
		return s.syntax("unknown escape \\%c", s.data[s.pos])
	}
}

func (s *scanner) unicode() error {
	r, ok := s.hex4(s.pos + 1)
	if !ok {
		return s.syntax("\\u must be followed by four hexadecimal digits")
	}
	s.pos += 4
	switch {
	case 0xdc00 <= r && r < 0xe000:
		return s.syntax("lone surrogate \\u%04x", r)
	case 0xd800 <= r && r < 0xdc00:
		low, ok := s.hex4(s.pos + 3)
		if !ok || s.data[s.pos+1] != '\\' || s.data[s.pos+2] != 'u' || low < 0xdc00 || low > 0xdfff {
			return s.syntax("lone surrogate \\u%04x", r)
		}
		s.pos += 6
	}
	return nil
}

func (s *scanner) hex4(at int) (uint64, bool) {
	if at+4 > len(s.data) {
		return 0, false
	}
	for _, c := range s.data[at : at+4] {
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return 0, false
		}
	}
	r, err := strconv.ParseUint(string(s.data[at:at+4]), 16, 32)
	return r, err == nil
}

// unquote decodes a string that text has checked.
func unquote(text []byte) string {
	var v string
	_ = json.Unmarshal(text, &v) // cannot fail: the scanner has checked it
	return v
}
