package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// What the scripts keep as one value is MessagePack, as Redis's cmsgpack writes it: whole numbers,
// texts, arrays, and maps from texts. Go only reads it.

var errMsgpack = errors.New("not MessagePack as the scripts write it")

// maxNesting bounds arrays within arrays; the scripts need three.
const maxNesting = 8

// unpack reads one value: int64, float64, string, bool, nil, []any or map[string]any.
func unpack(b []byte) (any, error) {
	d := decoder{b}
	v, err := d.value(0)
	if err == nil && len(d.rest) > 0 {
		err = fmt.Errorf("%w: %d bytes follow it", errMsgpack, len(d.rest))
	}
	return v, err
}

func unpackArray(b []byte) ([]any, error) {
	v, err := unpack(b)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: no array", errMsgpack)
	}
	return list, nil
}

type decoder struct{ rest []byte }

func (d *decoder) take(n int) ([]byte, error) {
	if n > len(d.rest) {
		return nil, fmt.Errorf("%w: it is cut short", errMsgpack)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b, nil
}

// number reads an unsigned big-endian number of n bytes.
func (d *decoder) number(n int) (uint64, error) {
	b, err := d.take(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[8-n:], b)
	return binary.BigEndian.Uint64(wide[:]), nil
}

func (d *decoder) value(depth int) (any, error) {
	head, err := d.take(1)
	if err != nil {
		return nil, err
	}
	switch c := head[0]; {
	case c <= 0x7f:
		return int64(c), nil
	case c >= 0xe0:
		return int64(int8(c)), nil //nolint:gosec // a negative number of one byte
	case c <= 0x8f:
		return d.mapOf(int(c&0x0f), depth)
	case c <= 0x9f:
		return d.array(int(c&0x0f), depth)
	case c <= 0xbf:
		return d.text(int(c & 0x1f))
	case c == 0xc0:
		return nil, nil //nolint:nilnil // it is nil
	case c == 0xc2 || c == 0xc3:
		return c == 0xc3, nil
	default:
		return d.wide(c, depth)
	}
}

// wide reads a value whose size or number stands behind its first byte.
func (d *decoder) wide(c byte, depth int) (any, error) {
	width := widthOf(c)
	if width == 0 {
		return nil, fmt.Errorf("%w: kind %#x", errMsgpack, c)
	}
	n, err := d.number(width)
	if err != nil {
		return nil, err
	}
	switch {
	case c == 0xca:
		return float64(math.Float32frombits(uint32(n))), nil //nolint:gosec // four bytes
	case c == 0xcb:
		return math.Float64frombits(n), nil
	case c <= 0xcf:
		return int64(n), nil //nolint:gosec // the scripts' numbers are below 2^53
	case c <= 0xd3:
		shift := 64 - 8*width
		return int64(n<<shift) >> shift, nil //nolint:gosec // with its sign
	}
	if n > uint64(len(d.rest)) {
		return nil, fmt.Errorf("%w: it is cut short", errMsgpack)
	}
	switch {
	case c <= 0xdb:
		return d.text(int(n)) //nolint:gosec // is at most the length of the rest
	case c <= 0xdd:
		return d.array(int(n), depth) //nolint:gosec // likewise
	}
	return d.mapOf(int(n), depth) //nolint:gosec // likewise
}

// widthOf says of how many bytes the number is that stands behind a first byte; 0 for none.
func widthOf(c byte) int {
	switch c {
	case 0xcc, 0xd0, 0xd9:
		return 1
	case 0xcd, 0xd1, 0xda, 0xdc, 0xde:
		return 2
	case 0xca, 0xce, 0xd2, 0xdb, 0xdd, 0xdf:
		return 4
	case 0xcb, 0xcf, 0xd3:
		return 8
	}
	return 0
}

func (d *decoder) text(n int) (any, error) {
	b, err := d.take(n)
	return string(b), err
}

func (d *decoder) array(n, depth int) (any, error) {
	if depth >= maxNesting {
		return nil, fmt.Errorf("%w: too deep", errMsgpack)
	}
	list := make([]any, 0, min(n, len(d.rest)))
	for range n {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (d *decoder) mapOf(n, depth int) (any, error) {
	if depth >= maxNesting {
		return nil, fmt.Errorf("%w: too deep", errMsgpack)
	}
	m := map[string]any{}
	for range n {
		k, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m[fmt.Sprint(k)] = v
	}
	return m, nil
}
