package redisstore

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"optimus/store"
)

// TestUnpackReadsWhatTheServerPacks has the server's own library write values of all sizes.
func TestUnpackReadsWhatTheServerPacks(t *testing.T) {
	t.Parallel()
	s := openTest(t, Options{URL: commonServer(t).URL, Prefix: newPrefix()}, store.Options{})
	for _, n := range []int64{0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 31, 1 << 32, 1<<53 - 1, -1, -32, -33, -128, -129, -32769, -1 << 31, -1 << 40} {
		raw, err := s.client.Eval(t.Context(), `return cmsgpack.pack(tonumber(ARGV[1]))`, nil, n).Text()
		must(t, err)
		if got, err := unpack([]byte(raw)); err != nil || got != n {
			t.Errorf("%d was read as %v, %v", n, got, err)
		}
	}
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		raw, err := s.client.Eval(t.Context(), `local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = i end
			return cmsgpack.pack({string.rep('x', tonumber(ARGV[1])), t, {a = true, b = 1.5}})`, nil, n).Text()
		must(t, err)
		values, err := unpackArray([]byte(raw))
		must(t, err)
		list := values[1].([]any)
		if values[0] != strings.Repeat("x", n) || len(list) != n || n > 0 && list[n-1] != int64(n) {
			t.Errorf("a text and a list of %d were not read", n)
		}
		if want := map[string]any{"a": true, "b": 1.5}; !reflect.DeepEqual(values[2], want) {
			t.Errorf("read %v, want %v", values[2], want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{0x93, 0x01, 0xa1, 'x', 0xc0})
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := unpack(b)
		if err != nil && !errors.Is(err, errMsgpack) {
			t.Fatalf("%v, %v", v, err)
		}
	})
}

// TestScore: a head's score is exact for every priority and for more claims than there will be.
func TestScore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		priority := rapid.IntRange(store.MinPriority, store.MaxPriority).Draw(t, "priority")
		start := rapid.Int64Range(0, startBits-1).Draw(t, "start")
		score := float64(100-priority)*startBits + float64(start)
		if got := 100 - int(math.Floor(score/startBits)); got != priority || int64(math.Mod(score, startBits)) != start {
			t.Fatalf("priority %d, start %d became %d, %d", priority, start, got, int64(math.Mod(score, startBits)))
		}
	})
}
