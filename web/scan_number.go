package web

import (
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

func (s *scanner) number(schema *huma.Schema) error {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	leading := s.pos
	if s.digits() == 0 {
		return s.syntax("a digit is due")
	}
	if s.data[leading] == '0' && s.pos > leading+1 {
		return s.syntax("a number must not begin with 0")
	}
	whole := true
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		whole = false
		s.pos++
		if s.digits() == 0 {
			return s.syntax("a digit is due after the decimal point")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		whole = false
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return s.syntax("a digit is due in the exponent")
		}
	}
	s.numberValue(schema, string(s.data[start:s.pos]), whole)
	return nil
}

func (s *scanner) digits() (n int) {
	for s.pos < len(s.data) && '0' <= s.data[s.pos] && s.data[s.pos] <= '9' {
		s.pos++
		n++
	}
	return n
}

func (s *scanner) numberValue(schema *huma.Schema, text string, whole bool) {
	if schema == nil || schema.Type == "" {
		return
	}
	if schema.Type != huma.TypeInteger && !s.expect(schema, huma.TypeNumber) {
		return
	}
	v, err := strconv.ParseFloat(text, 64)
	if schema.Type == huma.TypeInteger && err == nil {
		if !whole {
			s.fault("must be a whole number, not %.40s", text)
			return
		}
		_, err = strconv.ParseInt(text, 10, 64)
	}
	switch {
	case err != nil:
		s.fault("%.40s is out of range%s", text, rangeText(schema))
	case schema.Minimum != nil && v < *schema.Minimum, schema.Maximum != nil && v > *schema.Maximum:
		s.fault("%.40s is out of range%s", text, rangeText(schema))
	}
}

func rangeText(schema *huma.Schema) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case schema.Minimum != nil && schema.Maximum != nil:
		return "; allowed are " + number(*schema.Minimum) + " to " + number(*schema.Maximum)
	case schema.Minimum != nil:
		return "; allowed are " + number(*schema.Minimum) + " and more"
	case schema.Maximum != nil:
		return "; allowed are at most " + number(*schema.Maximum)
	default:
		return ""
	}
}
