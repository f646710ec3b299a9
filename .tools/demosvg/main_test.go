package main

import (
	"strings"
	"testing"
)

const printed = `python: unpack: 2s
LANGUAGE  EXAMPLE  VERDICT       EXPECTED           CPU     NOTE
cpp       sum      accepted      yes             1.0 ms     adds <numbers>
cpp       off      wrong_answer  NO: accepted    2.0 ms     is off by one

1 of 2 verdicts are as expected.
`

func TestDraws(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader(printed), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`>accepted</tspan>      <tspan class="good">yes</tspan>`, `class="bad">wrong_answer`, `class="odd">NO</tspan>: accepted`, "1 of 2 verdicts",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the picture has not %q:\n%s", want, out.String())
		}
	}
	for _, not := range []string{"NOTE", "numbers", "unpack"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("the picture has %q", not)
		}
	}
	if err := run(strings.NewReader("no table"), &out); err == nil {
		t.Error("a text without a table gives no error")
	}
}
