package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Its text form is a whole number with one of the units
// B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024); none means bytes.
type Size int64

// Sizes in bytes.
const (
	KB  Size = 1000
	MB       = 1000 * KB
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

type sizeUnit struct {
	name  string
	bytes Size
}

// sizeUnits has the units from the largest down.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TiB", 1 << 40},
		{"TB", 1000 * 1000 * MB},
		{"GiB", GiB},
		{"GB", 1000 * MB},
		{"MiB", MiB},
		{"MB", MB},
		{"KiB", KiB},
		{"KB", KB},
		{"B", 1},
	}
}

var errSize = errors.New(`is not a size such as "256MiB", "64KB" or a plain number of bytes`)

// ParseSize reads a Size's text form.
func ParseSize(s string) (Size, error) {
	digits := strings.TrimRight(s, "KMGTiB")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || digits[0] == '+' {
		return 0, fmt.Errorf("%q %w", s, errSize)
	}
	name := s[len(digits):]
	if name == "" {
		return Size(n), nil
	}
	for _, u := range sizeUnits() {
		if u.name != name {
			continue
		}
		if n > math.MaxInt64/int64(u.bytes) {
			return 0, fmt.Errorf("%q %w: it is too large", s, errSize)
		}
		return Size(n) * u.bytes, nil
	}
	return 0, fmt.Errorf("%q %w: its unit is not known", s, errSize)
}

// String gives the shortest exact text form, of several that are the one with the largest unit.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	shortest := ""
	for _, u := range sizeUnits() {
		text := strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		if s%u.bytes == 0 && u.bytes > 1 && (shortest == "" || len(text) < len(shortest)) {
			shortest = text
		}
	}
	if shortest == "" {
		return strconv.FormatInt(int64(s), 10)
	}
	return shortest
}

// MarshalText writes the text form.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Duration is a [time.Duration] whose text form is that of [ParseDuration].
type Duration time.Duration

// String gives the shortest exact text form.
func (d Duration) String() string { return formatDuration(time.Duration(d)) }

// MarshalText writes the text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

var errDuration = errors.New(`is not a duration such as "500ms", "2s", "1m30s" or "7d"`)

// ParseDuration reads a duration of 0 or more: Go's form (units ns, us, ms, s, m, h), or a whole
// number of days ("7d").
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q %w", s, errDuration)
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q %w", s, errDuration)
	}
	return d, nil
}

const day = 24 * time.Hour

// formatDuration leaves out the zero parts that Go's own form has: 1m, not 1m0s.
func formatDuration(d time.Duration) string {
	if d >= day && d%day == 0 && d/day <= math.MaxUint16 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
