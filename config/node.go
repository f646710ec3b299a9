package config

import "strconv"

// kind is what a value is as written.
type kind int

const (
	kindNull kind = iota
	kindTable
	kindList
	kindText
	kindWhole
	kindDecimal
	kindTruth
	kindOther // dates and times, which no setting takes
	kindWord  // untyped, from the environment or the command line: the setting's type decides
)

func (k kind) String() string {
	switch k {
	case kindTable:
		return "a table"
	case kindList:
		return "a list"
	case kindText, kindWord:
		return "text"
	case kindWhole:
		return "a whole number"
	case kindDecimal:
		return "a decimal number"
	case kindTruth:
		return "true or false"
	case kindOther:
		return "a date or time"
	case kindNull:
	}
	return "null"
}

// node is a value as written, whatever the format: both files, the environment and the command
// line become trees of it, so that one decoder holds for all.
type node struct {
	kind kind
	at   place
	// text is a scalar's text, unquoted.
	text string
	list []node
	// keys has a table's entries in the order of the file.
	keys []entry
}

// entry is one key of a table.
type entry struct {
	key   string
	value node
}

// place is where a value stands.
type place struct {
	// source is "default", a file's name, "environment NAME" or "flag NAME".
	source string
	// line counts from 1 in a file; 0 for none.
	line int
}

func (p place) String() string {
	if p.line == 0 {
		return p.source
	}
	return p.source + ":" + strconv.Itoa(p.line)
}
