package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Placeholder is what a [Secret] shows of itself.
const Placeholder = "(secret)"

// Secret is a text that shows a placeholder wherever it is printed, logged or encoded. Only
// [Secret.Reveal] gives it away. The zero Secret is the empty text and shows as such.
type Secret struct {
	// A pointer, since fmt calls no methods on what stands in another struct's unexported
	// field: it would print a text, and of a pointer it prints the address.
	text *string
}

// NewSecret hides text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal gives the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty tells whether there is no secret.
func (s Secret) Empty() bool { return s.text == nil }

// String gives the placeholder, or nothing for no secret.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return Placeholder
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format prints the placeholder for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText writes the placeholder; JSON and TOML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue logs the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
