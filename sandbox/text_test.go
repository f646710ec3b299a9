package sandbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"optimus/sandbox"
)

func TestTextLosesNoByte(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := sandbox.Text(rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text"))
		raw, err := json.Marshal(sandbox.TestCase{Expected: &text})
		if err != nil {
			t.Fatal(err)
		}
		var back sandbox.TestCase
		if err := json.Unmarshal(raw, &back); err != nil || back.Expected == nil || *back.Expected != text {
			t.Fatalf("%q came back from %s as %v, %v", text, raw, back.Expected, err)
		}
	})
}

// TestTextInOldForm: what is UTF-8 is written as it was before there was another form.
func TestTextInOldForm(t *testing.T) {
	t.Parallel()
	text := sandbox.Text("é\n")
	raw, err := json.Marshal(&text)
	if err != nil || string(raw) != `"é\n"` {
		t.Errorf("%s, %v", raw, err)
	}
	var none sandbox.TestCase
	if err := json.Unmarshal([]byte(`{"expected":null}`), &none); err != nil || none.Expected != nil {
		t.Errorf("null became %v, %v", none.Expected, err)
	}
}

func TestTextRefuses(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`5`, `{}`, `{"base64":null}`, `{"base64":"*"}`, `{"base64":"/w==","more":1}`, `[]`} {
		var text sandbox.Text
		if err := json.Unmarshal([]byte(raw), &text); err == nil || !strings.Contains(err.Error(), "must be a string or") {
			t.Errorf("%s gave %q, %v", raw, text, err)
		}
	}
}
