package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// Bounds gives the filter with its limit filled in, and the ids between which its jobs lie: below the
// one, which the page before and Until give, and from the other on. Errors: [ErrInvalid] for a limit
// out of range, [ErrBadCursor].
func (f Filter) Bounds() (_ Filter, below, least ID, err error) {
	if f.Limit == 0 {
		f.Limit = DefaultListLimit
	}
	if f.Limit < 1 || f.Limit > MaxListLimit {
		return f, below, least, fmt.Errorf("list: %w: a limit of %d, 1 to %d is allowed", ErrInvalid, f.Limit, MaxListLimit)
	}
	if below, err = decodeCursor(f.Cursor); err != nil {
		return f, below, least, err
	}
	if end := idAt(f.Until); !f.Until.IsZero() && bytes.Compare(end[:], below[:]) < 0 {
		below = end
	}
	if !f.Since.IsZero() {
		least = idAt(f.Since)
	}
	return f, below, least, nil
}

// idAt is below every id that is made at t or later, and above every earlier one's.
func idAt(t time.Time) (id ID) {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++ // a job's time is a whole millisecond
	}
	binary.BigEndian.PutUint64(id[:8], uint64(max(ms, 0))<<16)
	return id
}

// Cursor is the cursor of the page behind the one that ends with that job: its id, with a checksum, in
// base64.
func Cursor(last ID) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(last[:], crc32.ChecksumIEEE(last[:])))
}

// decodeCursor gives the id below which the page begins.
func decodeCursor(s string) (ID, error) {
	const sum = 4
	if s == "" {
		return ID(bytes.Repeat([]byte{0xff}, len(ID{}))), nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	n := len(ID{})
	if err != nil || len(b) != n+sum || binary.BigEndian.Uint32(b[n:]) != crc32.ChecksumIEEE(b[:n]) {
		return ID{}, fmt.Errorf("%w: %.60q", ErrBadCursor, s)
	}
	return ID(b[:n]), nil
}
