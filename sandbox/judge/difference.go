package judge

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// difference is where two texts first differ: offsets into each, and where what is compared
// ends in each. word counts from 1 where words are compared, and is 0 otherwise.
type difference struct {
	word                   int
	expected, actual       int
	expectedEnd, actualEnd int
}

// An excerpt shows a little before the difference and a little more after it, on its own line.
const (
	excerptBefore = 12
	excerptAfter  = 36
)

// describe says for a person where the output differs, in lines and columns of the output that
// count from 1; a column is a character, or a byte that is no UTF-8.
func (d difference) describe(expected string, actual []byte) string {
	line, column := position(actual, d.actual)
	at := fmt.Sprintf("line %d, column %d", line, column)
	if d.word > 0 {
		at = fmt.Sprintf("word %d (%s)", d.word, at)
	}
	want, got := "end of output", "end of output"
	if d.expected < d.expectedEnd {
		want = excerpt(expected[:d.expectedEnd], d.expected, d.word > 0)
	}
	if d.actual < d.actualEnd {
		got = excerpt(actual[:d.actualEnd], d.actual, d.word > 0)
	}
	return fmt.Sprintf("%s: expected %s, got %s", at, want, got)
}

func position(s []byte, offset int) (line, column int) {
	line, start := 1, 0
	for i, c := range s[:offset] {
		if c == '\n' {
			line++
			start = i + 1
		}
	}
	return line, utf8.RuneCount(s[start:characterStart(s, start, offset)]) + 1
}

// characterStart moves an offset that points into a character back to its first byte.
func characterStart[T text](s T, from, offset int) int {
	for back := 1; back < utf8.UTFMax && offset-back >= from; back++ {
		if !utf8.RuneStart(s[offset-back]) {
			continue
		}
		head := string(s[offset-back : min(len(s), offset-back+utf8.UTFMax)])
		if _, n := utf8.DecodeRuneInString(head); n > back {
			return offset - back
		}
		break
	}
	return offset
}

// excerpt quotes the surroundings of an offset: of a word only what follows, as it starts there.
func excerpt[T text](s T, offset int, word bool) string {
	from := offset
	for !word && from > 0 && offset-from < excerptBefore && s[from-1] != '\n' {
		from--
	}
	end := offset
	for end < len(s) && end-offset < excerptAfter {
		end++
		if s[end-1] == '\n' {
			break
		}
	}
	from = characterStart(s, 0, from)
	end = max(characterStart(s, from, end), min(offset+1, len(s)))
	quoted := strconv.Quote(string(s[from:end]))
	if !word && from > 0 && s[from-1] != '\n' {
		quoted = "…" + quoted
	}
	if end < len(s) && s[end-1] != '\n' {
		quoted += "…"
	}
	return quoted
}
