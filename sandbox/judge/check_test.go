package judge_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"optimus/sandbox"
	"optimus/sandbox/judge"
)

const (
	accepted     = sandbox.Accepted
	presentation = sandbox.PresentationError
	wrong        = sandbox.WrongAnswer
)

func TestCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 5000)
	tests := []struct {
		name                       string
		expected, actual           string
		exact, trim, tokens, float sandbox.Verdict
	}{
		{"same", "1 2\n", "1 2\n", accepted, accepted, accepted, accepted},
		{"both empty", "", "", accepted, accepted, accepted, accepted},
		{"nothing printed", "1\n", "", wrong, wrong, wrong, wrong},
		{"nothing expected", "", "1", wrong, wrong, wrong, wrong},
		{"only white space against nothing", "", " \n\t\n", presentation, accepted, accepted, accepted},
		{"last line feed missing", "1\n2\n", "1\n2", presentation, accepted, accepted, accepted},
		{"CR LF", "1\n2\n", "1\r\n2\r\n", presentation, accepted, accepted, accepted},
		{"lone CR inside a line", "1\n2\n", "1\r2\n", presentation, presentation, accepted, accepted},
		{"space at the end of a line", "1\n2\n", "1 \t\v\f\n2", presentation, accepted, accepted, accepted},
		{"empty lines at the end", "1\n", "1\n\n \n\n", presentation, accepted, accepted, accepted},
		{"empty line at the start", "1\n", "\n1\n", presentation, presentation, accepted, accepted},
		{"empty line inside", "1\n2\n", "1\n\n2\n", presentation, presentation, accepted, accepted},
		{"space at the start of a line", "1\n", " 1\n", presentation, presentation, accepted, accepted},
		{"doubled space", "1 2", "1  2", presentation, presentation, accepted, accepted},
		{"tab for space", "1 2", "1\t2", presentation, presentation, accepted, accepted},
		{"space left out", "1 2", "12", presentation, presentation, wrong, wrong},
		{"no-break space is no white space", "1 2", "1\u00a02", wrong, wrong, wrong, wrong},
		{"other word", "yes", "no", wrong, wrong, wrong, wrong},
		{"other case", "YES", "yes", wrong, wrong, wrong, wrong},
		{"a line more", "1\n", "1\n2\n", wrong, wrong, wrong, wrong},
		{"a line less", "1\n2\n", "1\n", wrong, wrong, wrong, wrong},
		{"NUL is a byte like any other", "a\x00b", "a\x00b", accepted, accepted, accepted, accepted},
		{"NUL is no white space", "ab", "a\x00b", wrong, wrong, wrong, wrong},
		{"NUL at the end", "ab", "ab\x00", wrong, wrong, wrong, wrong},
		{"same invalid UTF-8", "\xff\xfe", "\xff\xfe", accepted, accepted, accepted, accepted},
		{"other invalid UTF-8", "\xff", "\xfe", wrong, wrong, wrong, wrong},
		{"number within the tolerance", "1", "1.0000005", wrong, wrong, wrong, accepted},
		{"number at the tolerance", "0.1", "0.100001", wrong, wrong, wrong, accepted},
		{"number beyond the tolerance", "1", "1.00001", wrong, wrong, wrong, wrong},
		{"relative tolerance of a large number", "1e12", "1000000900000", wrong, wrong, wrong, accepted},
		{"other spelling of a number", "100", "1E+2", wrong, wrong, wrong, accepted},
		{"signs", "+1 -0", "1 0", wrong, wrong, wrong, accepted},
		{"bare point", ".5 5.", "0.5 5", wrong, wrong, wrong, accepted},
		{"hexadecimal is a word", "16", "0x10", wrong, wrong, wrong, wrong},
		{"hexadecimal float is a word", "16", "0x1p4", wrong, wrong, wrong, wrong},
		{"underscores are a word", "1000", "1_000", wrong, wrong, wrong, wrong},
		{"comma is a word", "1.5", "1,5", wrong, wrong, wrong, wrong},
		{"NaN matches itself", "nan", "-NaN", wrong, wrong, wrong, accepted},
		{"NaN matches no number", "1", "nan", wrong, wrong, wrong, wrong},
		{"NaN is not what was asked", "nan", "1", wrong, wrong, wrong, wrong},
		{"infinity", "Infinity", "+inf", wrong, wrong, wrong, accepted},
		{"infinity of the other sign", "inf", "-inf", wrong, wrong, wrong, wrong},
		{"infinity matches no number", "1e308", "inf", wrong, wrong, wrong, wrong},
		{"out of range is a word", "inf", "1e999", wrong, wrong, wrong, wrong},
		{"out of range but the same", "1e999", "1e999", accepted, accepted, accepted, accepted},
		{"below range is 0", "0", "1e-999", wrong, wrong, wrong, accepted},
		{"ends of the range", "1e308", "-1e308", wrong, wrong, wrong, wrong},
		{"a number and a word", "1", "one", wrong, wrong, wrong, wrong},
		{"words between numbers", "x = 1", "x = 1.0", wrong, wrong, wrong, accepted},
		{"huge word", long, long, accepted, accepted, accepted, accepted},
		{"huge number is a word", long, long + ".0", wrong, wrong, wrong, wrong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for kind, want := range map[sandbox.CheckerKind]sandbox.Verdict{
				sandbox.CheckExact: tt.exact, sandbox.CheckTrim: tt.trim, "": tt.trim,
				sandbox.CheckTokens: tt.tokens, sandbox.CheckFloat: tt.float,
			} {
				got, message := judge.Check(sandbox.Checker{Kind: kind}, tt.expected, []byte(tt.actual))
				if got != want {
					t.Errorf("%s: %s (%s), want %s", kind, got, message, want)
				}
				if (message == "") != (got == accepted) {
					t.Errorf("%s: %s with the message %q", kind, got, message)
				}
			}
		})
	}
}

func TestCheckFloatTolerances(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		absolute, relative float64
		expected, actual   string
		want               sandbox.Verdict
	}{
		{"absolute alone, near", 0.1, 0, "1000", "1000.1", accepted},
		{"absolute alone, far", 0.1, 0, "1000", "1000.2", wrong},
		{"relative alone, near", 0, 0.1, "1000", "1100", accepted},
		{"relative alone, far", 0, 0.1, "1000", "1101", wrong},
		{"relative is of the expected one", 0, 0.5, "1", "2", wrong},
		{"relative of 0 is 0", 0, 0.5, "0", "0.1", wrong},
		{"either is enough", 0.01, 0.1, "1000", "1099", accepted},
		{"difference beyond the range, near", 0, 2.5, "1e308", "-1e308", accepted},
		{"difference beyond the range, far", 0, 1.9, "1e308", "-1e308", wrong},
		{"smallest numbers", 0, 0.1, "5e-324", "1e-322", wrong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := sandbox.Checker{Kind: sandbox.CheckFloat, Absolute: tt.absolute, Relative: tt.relative}
			if got, message := judge.Check(c, tt.expected, []byte(tt.actual)); got != tt.want {
				t.Errorf("%s (%s), want %s", got, message, tt.want)
			}
		})
	}
}

func TestCheckMessage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		kind             sandbox.CheckerKind
		expected, actual string
		want             string
	}{
		{"first line", sandbox.CheckTrim, "42", "43", `line 1, column 2: expected "42", got "43"`},
		{"later line", sandbox.CheckTrim, "1\n2\nabc", "1\n2 \nabd", `line 3, column 3: expected "abc", got "abd"`},
		{"column counts characters", sandbox.CheckTrim, "äöü", "äöx", `line 1, column 3: expected "äöü", got "äöx"`},
		{"a character half the same", sandbox.CheckTrim, "aä", "aö", `line 1, column 2: expected "aä", got "aö"`},
		{"nothing printed", sandbox.CheckTrim, "1", "", `line 1, column 1: expected "1", got end of output`},
		{"a line less", sandbox.CheckTrim, "1\n2", "1\n", `line 1, column 2: expected "2", got end of output`},
		{"a line more", sandbox.CheckTrim, "1\n", "1\n2\n", `line 2, column 1: expected end of output, got "2"`},
		{"word", sandbox.CheckTokens, "1 2 3", "1\n 2 4", `word 3 (line 2, column 4): expected "3", got "4"`},
		{"word missing", sandbox.CheckFloat, "1 2", "1", `word 2 (line 1, column 2): expected "2", got end of output`},
		{"white space", sandbox.CheckExact, "1\n", "1", `only white space differs: line 1, column 2: expected "1\n", got end of output`},
		{"not shown whole", sandbox.CheckTokens, strings.Repeat("a", 100), "b", `word 1 (line 1, column 1): expected "` + strings.Repeat("a", 36) + `"…, got "b"`},
		{"in mid-line", sandbox.CheckTrim, strings.Repeat("x", 40) + "1", strings.Repeat("x", 40) + "2", `line 1, column 41: expected …"` + strings.Repeat("x", 12) + `1", got …"` + strings.Repeat("x", 12) + `2"`},
		{"not printable", sandbox.CheckExact, "a\x00", "a\xff", `line 1, column 2: expected "a\x00", got "a\xff"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, got := judge.Check(sandbox.Checker{Kind: tt.kind}, tt.expected, []byte(tt.actual))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// invariants holds for any two texts.
func invariants(t interface{ Errorf(string, ...any) }, expected string, actual []byte) {
	verdict := make(map[sandbox.CheckerKind]sandbox.Verdict)
	for _, kind := range sandbox.CheckerKinds() {
		v, message := judge.Check(sandbox.Checker{Kind: kind}, expected, actual)
		verdict[kind] = v
		if v != accepted && v != presentation && v != wrong {
			t.Errorf("%s gives the verdict %q", kind, v)
		}
		if len(message) > 800 || !utf8.ValidString(message) {
			t.Errorf("%s gives a message of %d bytes: %q", kind, len(message), message)
		}
	}
	if same := expected == string(actual); same != (verdict[sandbox.CheckExact] == accepted) {
		t.Errorf("exact says %s of %q and %q", verdict[sandbox.CheckExact], expected, actual)
	}
	if same := normal(expected) == normal(string(actual)); same != (verdict[sandbox.CheckTrim] == accepted) {
		t.Errorf("trim says %s of %q and %q", verdict[sandbox.CheckTrim], expected, actual)
	}
	words := func(s string) string { return strings.Join(strings.FieldsFunc(s, isSpace), " ") }
	if same := words(expected) == words(string(actual)); same != (verdict[sandbox.CheckTokens] == accepted) {
		t.Errorf("tokens says %s of %q and %q", verdict[sandbox.CheckTokens], expected, actual)
	}
	if verdict[sandbox.CheckTokens] == accepted && verdict[sandbox.CheckFloat] != accepted {
		t.Errorf("float refuses the same words %q and %q", expected, actual)
	}
	bare := func(s string) string { return strings.Join(strings.FieldsFunc(s, isSpace), "") }
	if same := bare(expected) == bare(string(actual)); same != (verdict[sandbox.CheckExact] != wrong) {
		t.Errorf("exact says %s of %q and %q", verdict[sandbox.CheckExact], expected, actual)
	}
}

func isSpace(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }

// normal is what trim compares, written the plain way.
func normal(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\v\f\r")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func TestCheckProperties(t *testing.T) {
	t.Parallel()
	// Few different bytes, so that texts are often nearly the same.
	alphabet := rapid.SampledFrom([]byte(" \n\r\t01.ae-\x00\xffä"))
	texts := rapid.SliceOfN(alphabet, 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		invariants(t, string(texts.Draw(t, "expected")), texts.Draw(t, "actual"))
	})
}

func TestCheckFloatProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "number")
		text := strconv.FormatFloat(v, 'e', -1, 64)
		other := strconv.FormatFloat(v, 'f', -1, 64)
		c := sandbox.Checker{Kind: sandbox.CheckFloat, Absolute: math.SmallestNonzeroFloat64}
		if got, message := judge.Check(c, text, []byte(other)); got != accepted {
			t.Errorf("%s and %s are one number: %s", text, other, message)
		}
		far := strconv.FormatFloat(v*1.001+1e-3*math.Copysign(1, v), 'g', -1, 64)
		if got, _ := judge.Check(sandbox.Checker{Kind: sandbox.CheckFloat}, text, []byte(far)); got == accepted && !math.IsInf(v, 0) {
			t.Errorf("%s and %s are accepted", text, far)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("1 2\n", []byte("1 2"))
	f.Add("nan\r\n", []byte("NaN\x00"))
	f.Add("ä\xff", []byte("ö"))
	f.Add("1e999", []byte("inf"))
	f.Fuzz(func(t *testing.T, expected string, actual []byte) { invariants(t, expected, actual) })
}

// TestCheckIsLinear compares large texts of the kinds that trip quadratic checkers; each takes
// milliseconds where the time is linear, and minutes where it is not.
func TestCheckIsLinear(t *testing.T) {
	t.Parallel()
	const size = 128 << 10
	started := time.Now()
	for _, unit := range []string{" ", "\n", "1", "1 ", "\r\n", "a\n", " \n", "\xff", "\xc3"} {
		text := strings.Repeat(unit, size/len(unit))
		for _, kind := range sandbox.CheckerKinds() {
			for _, tail := range []string{"", "x", " x", "\nx"} {
				judge.Check(sandbox.Checker{Kind: kind}, text, []byte(text+tail))
			}
		}
	}
	if took := time.Since(started); took > 60*time.Second {
		t.Errorf("took %s", took)
	}
}

//nolint:paralleltest // AllocsPerRun counts the allocations of the whole process
func TestCheckAllocatesLittle(t *testing.T) {
	expected := strings.Repeat("1.5 ", 1<<16)
	actual := []byte(strings.Repeat("1.50 ", 1<<16))
	for _, kind := range sandbox.CheckerKinds() {
		allocated := testing.AllocsPerRun(1, func() { judge.Check(sandbox.Checker{Kind: kind}, expected, actual) })
		if allocated > 64 {
			t.Errorf("%s allocates %.0f times", kind, allocated)
		}
	}
}
