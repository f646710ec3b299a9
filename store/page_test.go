package store

import (
	"errors"
	"testing"
)

// FuzzCursor: a text is a cursor that reads back as itself, or is refused.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "x", "AAAA", Cursor(ID{}), Cursor(ID{1, 2, 15: 3}) + "=", "\xff\x00", Cursor(ID{7})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := decodeCursor(text)
		if err != nil {
			if !errors.Is(err, ErrBadCursor) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again, err := decodeCursor(Cursor(id)); err != nil || again != id {
			t.Errorf("%q is of %s, whose cursor is of %s, %v", text, id, again, err)
		}
	})
}
