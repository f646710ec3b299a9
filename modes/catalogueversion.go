package modes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// versionMatches tells whether a version is one that want asks for: any ("", "*", "x"), that
// very one, the ones that begin so ("3", "3.x", "3.13.*"), or an npm-style range of one bound
// ("^3.1", "~3.1", ">=3").
func versionMatches(want, have string) bool {
	want = strings.TrimSpace(want)
	if want == have {
		return true
	}
	for _, op := range []string{">=", "^", "~", "="} {
		if rest, ok := strings.CutPrefix(want, op); ok {
			return inRange(op, strings.TrimSpace(rest), have)
		}
	}
	parts := versionParts(want)
	for len(parts) > 0 && isAny(parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	return samePrefix(parts, have, len(parts))
}

func inRange(op, low, have string) bool {
	parts := versionParts(low)
	switch op {
	case ">=":
		return compareVersions(have, low) >= 0
	case "~": // the same major and, where stated, minor version
		return compareVersions(have, low) >= 0 && samePrefix(parts, have, min(2, len(parts)))
	case "^": // up to the first part that is not 0, none changes
		same := 1
		for same < len(parts) && parts[same-1] == "0" {
			same++
		}
		return compareVersions(have, low) >= 0 && samePrefix(parts, have, same)
	}
	return low == have
}

func isAny(part string) bool { return part == "" || part == "*" || part == "x" || part == "X" }

func versionParts(v string) []string { return strings.Split(v, ".") }

// samePrefix tells whether the first n of parts are also have's.
func samePrefix(parts []string, have string, n int) bool {
	known := versionParts(have)
	return n <= len(known) && n <= len(parts) && slices.Equal(parts[:n], known[:n])
}

// compareVersions orders by each part in turn, as numbers where both are; of two that are equal
// so far the longer is the higher.
func compareVersions(a, b string) int {
	return slices.CompareFunc(versionParts(a), versionParts(b), func(x, y string) int {
		i, errX := strconv.ParseUint(x, 10, 64)
		j, errY := strconv.ParseUint(y, 10, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(i, j)
		}
		return strings.Compare(x, y)
	})
}
