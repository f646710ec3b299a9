package judge

import (
	"math"
	"strconv"

	"optimus/sandbox"
)

// Check compares what a program printed with what was expected of it and says the verdict
// (accepted, presentation_error or wrong_answer) and, where it is not accepted, the first
// difference in words.
//
// White space is space, tab, line feed, vertical tab, form feed and carriage return; everything
// else, NUL and bytes that are no UTF-8 included, is compared byte for byte.
//
//   - exact: the same bytes.
//   - trim: the same lines, whatever white space ends each of them (so that CR LF is LF) and
//     whatever empty lines end the output.
//   - tokens: the same words in the same order.
//   - float: as tokens, and two words that both read as numbers also match within the
//     tolerances: see [sandbox.Checker]. A number is decimal, of at most 4096 bytes, within the
//     range of a float64; or inf, infinity or nan in any case with an optional sign, of which
//     each matches itself alone. Anything else is compared as a word.
//
// For exact and trim, output that is right but for its white space, be it more, less or other,
// is a presentation error. An unknown kind is treated as trim, the default.
//
// It takes time linear in both texts and memory independent of them.
func Check(c sandbox.Checker, expected string, actual []byte) (sandbox.Verdict, string) {
	switch c.Kind {
	case sandbox.CheckTokens:
		return checkWords(expected, actual, sameWord)
	case sandbox.CheckFloat:
		return checkWords(expected, actual, newTolerance(c).same)
	case sandbox.CheckExact:
		if expected == string(actual) {
			return sandbox.Accepted, ""
		}
		return refuse(expected, actual, exactDifference(expected, actual))
	case sandbox.CheckTrim:
	}
	if at, differs := trimDifference(expected, actual); differs {
		return refuse(expected, actual, at)
	}
	return sandbox.Accepted, ""
}

func refuse(expected string, actual []byte, at difference) (sandbox.Verdict, string) {
	if sameButSpace(expected, actual) {
		return sandbox.PresentationError, "only white space differs: " + at.describe(expected, actual)
	}
	return sandbox.WrongAnswer, at.describe(expected, actual)
}

type text interface{ ~string | ~[]byte }

func space(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// sameButSpace tells whether both hold the same bytes once all white space is dropped.
func sameButSpace(a string, b []byte) bool {
	i, j := 0, 0
	for {
		i, j = skipSpace(a, i), skipSpace(b, j)
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if a[i] != b[j] {
			return false
		}
		i++
		j++
	}
}

func skipSpace[T text](s T, i int) int {
	for i < len(s) && space(s[i]) {
		i++
	}
	return i
}

func skipWord[T text](s T, i int) int {
	for i < len(s) && !space(s[i]) {
		i++
	}
	return i
}

// exactDifference is where the first different byte stands. The texts must differ.
func exactDifference(e string, a []byte) difference {
	n := 0
	for n < len(e) && n < len(a) && e[n] == a[n] {
		n++
	}
	return difference{expected: n, actual: n, expectedEnd: len(e), actualEnd: len(a)}
}

// trimDifference compares line by line without the white space that ends lines and texts.
func trimDifference(e string, a []byte) (difference, bool) {
	endE, endA := trimEnd(e, 0, len(e)), trimEnd(a, 0, len(a))
	i, j := 0, 0
	for i < endE || j < endA {
		lineE, lineA := lineEnd(e, i, endE), lineEnd(a, j, endA)
		stopE, stopA := trimEnd(e, i, lineE), trimEnd(a, j, lineA)
		for i < stopE && j < stopA && e[i] == a[j] {
			i++
			j++
		}
		lastE, lastA := lineE == endE, lineA == endA
		if i < stopE || j < stopA || lastE != lastA {
			return trimmedDifference(e, a, difference{expected: i, actual: j, expectedEnd: endE, actualEnd: endA}), true
		}
		if lastE {
			break
		}
		i, j = lineE+1, lineA+1
	}
	return difference{}, false
}

// trimmedDifference moves on to the text that one side has where the other has ended.
func trimmedDifference(e string, a []byte, d difference) difference {
	switch {
	case d.expected == d.expectedEnd:
		d.actual = skipSpace(a, d.actual)
	case d.actual == d.actualEnd:
		d.expected = skipSpace(e, d.expected)
	}
	return d
}

func lineEnd[T text](s T, from, end int) int {
	for from < end && s[from] != '\n' {
		from++
	}
	return from
}

func trimEnd[T text](s T, from, end int) int {
	for end > from && space(s[end-1]) {
		end--
	}
	return end
}

func checkWords(e string, a []byte, same func(e string, a []byte) bool) (sandbox.Verdict, string) {
	i, j := 0, 0
	for n := 1; ; n++ {
		i, j = skipSpace(e, i), skipSpace(a, j)
		if i == len(e) && j == len(a) {
			return sandbox.Accepted, ""
		}
		endE, endA := skipWord(e, i), skipWord(a, j)
		if i == len(e) || j == len(a) || !same(e[i:endE], a[j:endA]) {
			at := difference{word: n, expected: i, actual: j, expectedEnd: endE, actualEnd: endA}
			return sandbox.WrongAnswer, at.describe(e, a)
		}
		i, j = endE, endA
	}
}

func sameWord(e string, a []byte) bool { return e == string(a) }

// tolerance is how far two numbers may lie apart.
type tolerance struct{ absolute, relative float64 }

const defaultTolerance = 1e-6

func newTolerance(c sandbox.Checker) tolerance {
	if c.Absolute == 0 && c.Relative == 0 {
		return tolerance{defaultTolerance, defaultTolerance}
	}
	return tolerance{c.Absolute, c.Relative}
}

func (t tolerance) same(e string, a []byte) bool {
	if e == string(a) {
		return true
	}
	want, ok := number(e)
	if !ok {
		return false
	}
	got, ok := number(a)
	return ok && t.close(want, got)
}

// readingError is what reading two decimals as float64 can move them apart, relative to the
// larger: without it 1.1 would not lie within 0.1 of 1.
const readingError = 0x1p-51

func (t tolerance) close(want, got float64) bool {
	switch {
	case math.IsNaN(want) || math.IsNaN(got):
		return math.IsNaN(want) && math.IsNaN(got)
	case math.IsInf(want, 0) || math.IsInf(got, 0):
		return want == got
	}
	scale := 1.0
	if math.IsInf(want-got, 0) {
		scale = 0.25
	}
	want, got = want*scale, got*scale
	apart := math.Abs(want - got)
	slack := readingError * max(math.Abs(want), math.Abs(got))
	return apart <= t.absolute*scale+slack || apart <= t.relative*math.Abs(want)+slack
}

const maxNumberBytes = 4096

// number reads a decimal number, inf, infinity or nan; Go's other forms, such as 0x1p4 or 1_000,
// are no numbers here.
func number[T text](word T) (float64, bool) {
	if len(word) > maxNumberBytes {
		return 0, false
	}
	switch named(word) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity":
		if word[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	for i := range len(word) {
		switch c := word[i]; {
		case c >= '0' && c <= '9', c == '.', c == '+', c == '-', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(word), 64)
	return v, err == nil
}

// named is the word in small letters without its sign, where it is short enough to be a name.
func named[T text](word T) string {
	var small [len("infinity")]byte
	i := 0
	if len(word) > 0 && (word[0] == '+' || word[0] == '-') {
		i = 1
	}
	if len(word)-i > len(small) {
		return ""
	}
	n := copy(small[:], word[i:])
	for k := range n {
		if small[k] >= 'A' && small[k] <= 'Z' {
			small[k] += 'a' - 'A'
		}
	}
	return string(small[:n])
}
