package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Text is bytes that are UTF-8 as a rule. As JSON it is a string where they are, else the object
// {"base64": "…"}, so that no byte is lost. A reader that knows strings alone fails at that
// object, rather than to take other bytes for these.
type Text string

type binaryText struct {
	Base64 []byte `json:"base64"`
}

var errNotText = errors.New(`must be a string or {"base64": "…"}`)

// MarshalJSON implements [json.Marshaler].
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t)) //nolint:wrapcheck // a string can always be encoded
	}
	return json.Marshal(binaryText{[]byte(t)}) //nolint:wrapcheck // so can bytes
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t)) //nolint:wrapcheck // encoding/json's own caller
	}
	var binary struct {
		Base64 *[]byte `json:"base64"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&binary); err != nil {
		return fmt.Errorf("%w: %w", errNotText, err)
	}
	if binary.Base64 == nil {
		return errNotText
	}
	*t = Text(*binary.Base64)
	return nil
}
