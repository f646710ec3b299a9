package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// ID is a job's id: a UUID of version 8 (RFC 9562, section 5.8) whose 122 free bits carry, so
// that get, cancel and events need no global index:
//
//	48 bits  milliseconds since 1970 (sorts by time)
//	 4 bits  version 8
//	12 bits  shard
//	 2 bits  variant
//	16 bits  number of its queue, immutable
//	46 bits  random
type ID [16]byte

// Bounds of what an [ID] carries.
const (
	MaxQueueNumber = 1<<16 - 1
	MaxShard       = 1<<12 - 1
)

// NewID makes an id of the time, the number of a queue (0 to MaxQueueNumber) and a shard
// (0 to MaxShard).
func NewID(t time.Time, queue, shard uint16) ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	ms := uint64(max(t.UnixMilli(), 0))
	binary.BigEndian.PutUint64(id[:8], ms<<16|8<<12|uint64(shard&MaxShard))
	// variant (2 bits), then the queue's 16 bits, then 46 random bits
	low := binary.BigEndian.Uint64(id[8:])&(1<<46-1) | uint64(queue)<<46 | 2<<62
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

// NextID makes an id that sorts after prev, of the time t where that is later: so the ids of
// one queue and shard tell the order in which they were made, even within a millisecond and
// when the clock goes back.
func NextID(prev ID, t time.Time, queue, shard uint16) ID {
	const random = 1<<46 - 1
	id := NewID(t, queue, shard)
	if bytes.Compare(id[:], prev[:]) > 0 {
		return id
	}
	low := binary.BigEndian.Uint64(prev[8:])
	step := 1 + binary.BigEndian.Uint64(id[8:])&(1<<24-1)
	if low&random > random-step {
		return NewID(prev.Time().Add(time.Millisecond), queue, shard)
	}
	id = prev
	binary.BigEndian.PutUint64(id[8:], low+step)
	return id
}

// ParseID reads the canonical form, 8-4-4-4-12 hexadecimal digits; its errors wrap [ErrInvalidID].
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return ID{}, fmt.Errorf("%w: %.40q", ErrInvalidID, s)
	}
	var id ID
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	_, err := hex.Decode(id[:], []byte(digits))
	dashes := s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
	if version, variant := id[6]>>4, id[8]>>6; err != nil || !dashes || version != 8 || variant != 2 {
		return ID{}, fmt.Errorf("%w: %q", ErrInvalidID, s)
	}
	return id, nil
}

func (id ID) String() string {
	var text [36]byte
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		at := []int{0, 9, 14, 19, 24}[i]
		if i > 0 {
			text[at-1] = '-'
		}
		hex.Encode(text[at:], part)
	}
	return string(text[:])
}

// Time is when the id was made, to the millisecond, UTC.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// Queue is the number of the job's queue.
func (id ID) Queue() uint16 { return uint16(binary.BigEndian.Uint64(id[8:]) >> 46 & MaxQueueNumber) }

// Shard is the shard that holds the job.
func (id ID) Shard() uint16 { return binary.BigEndian.Uint16(id[6:8]) & MaxShard }

// MarshalText writes the canonical form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what [ParseID] reads.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}
