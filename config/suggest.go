package config

import "slices"

// Nearest gives the candidate that is most like s, or an empty text where none is near: at most
// two edits, or a third of its length, and never more than half of the two is another.
func Nearest(s string, candidates []string) string {
	best, most := "", max(2, len(s)/3)+1
	if len(s) > 64 {
		return ""
	}
	for _, c := range candidates {
		if d := distance(s, c); d < most && 2*d <= max(len(s), len(c)) {
			best, most = c, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that make a into b.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// didYouMean words a suggestion, or nothing.
func didYouMean(s string, candidates []string) string {
	slices.Sort(candidates)
	if near := Nearest(s, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
