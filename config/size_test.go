package config

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "64000": 64000, "1B": 1, "64KB": 64000, "64KiB": 65536, "256MiB": 256 * MiB, "1MB": MB, "2GiB": 2 * GiB,
		"3GB": 3000 * MB, "1TiB": 1024 * GiB, "1TB": 1000 * 1000 * MB, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "B", "MiB", "-1", "+1", "1.5GiB", "1 MiB", "256M", "256m", "256mib", "1KK", "0x10", "1_000", "8388608TiB", "9223372036854775808", "1MiBMiB",
	} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestSizeString(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		size Size
		want string
	}{
		{0, "0"},
		{1, "1"},
		{1000, "1KB"},
		{1024, "1KiB"},
		{1025, "1025"},
		{256 * KB, "256KB"},
		{250 * MiB, "250MiB"},
		{2 * GiB, "2GiB"},
	} {
		if got := tc.size.String(); got != tc.want {
			t.Errorf("%d shows as %s, want %s", tc.size, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Size(rapid.Int64Min(0).Draw(t, "bytes"))
		if back, err := ParseSize(s.String()); err != nil || back != s {
			t.Fatalf("%d shows as %q, which is %d, %v", s, s, back, err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "2s": 2 * time.Second, "500ms": 500 * time.Millisecond, "1m30s": 90 * time.Second, "7d": 7 * day, "1.5s": 1500 * time.Millisecond,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2", "d", "-1s", "-1d", "1.5d", "1w", "99999999d", "99999999999h", "1d12h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func TestDurationString(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{50 * time.Millisecond, "50ms"},
		{90 * time.Second, "1m30s"},
		{10 * time.Minute, "10m"},
		{70 * time.Minute, "1h10m"},
		{time.Hour, "1h"},
		{time.Hour + time.Second, "1h0m1s"},
		{day, "1d"},
		{36 * time.Hour, "36h"},
	} {
		if got := formatDuration(tc.d); got != tc.want {
			t.Errorf("%d shows as %s, want %s", tc.d, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Min(0).Draw(t, "nanoseconds"))
		if back, err := ParseDuration(formatDuration(d)); err != nil || back != d {
			t.Fatalf("%d shows as %q, which is %d, %v", d, formatDuration(d), back, err)
		}
	})
}
