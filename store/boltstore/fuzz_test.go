package boltstore

import (
	"errors"
	"testing"

	"optimus/store"
)

// FuzzCursor: a text is a cursor that reads back as itself, or is refused.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "x", "AAAA", encodeCursor(store.ID{}), encodeCursor(store.ID{1, 2, 15: 3}) + "=", "\xff\x00"} {
		f.Add(seed)
	}
	f.Add(encodeCursor(store.ID{7}))
	f.Fuzz(func(t *testing.T, text string) {
		id, err := decodeCursor(text)
		if err != nil {
			if !errors.Is(err, store.ErrBadCursor) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again, err := decodeCursor(encodeCursor(id)); err != nil || again != id {
			t.Errorf("%q is of %s, whose cursor is of %s, %v", text, id, again, err)
		}
	})
}

// FuzzRecord: a job's record, as a file may hold it, is read or refused, and is the same once written.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"id":"0190a6d2-7f3c-8000-8000-5b2d1c0e9a47","state":"queued","later":{"a":[1]}}`, `{"state":"completed","attempts":[{}],"token":18446744073709551615}`,
		`null`, `[]`, `{"id":1}`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeRecord(raw)
		if err != nil || r.ID == (store.ID{}) {
			return // without an id it is nobody's
		}
		written, err := encodeRecord(r)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", raw, err)
		}
		again, err := decodeRecord(written)
		if err != nil || again.ID != r.ID || again.State != r.State {
			t.Errorf("%q became %q: %v", raw, written, err)
		}
	})
}
