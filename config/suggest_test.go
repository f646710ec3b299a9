package config

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"python", "java", "javascript", "cpp", "c", "rust"}
	for asked, want := range map[string]string{
		"pyton": "python", "pyhton": "python", "pythn3": "python", "jav": "java", "jaav": "java", "javascrpt": "javascript",
		"rusty": "rust", "go": "", "cobol": "", "": "", "x": "", strings.Repeat("p", 1000): "",
	} {
		if got := Nearest(asked, names); got != want {
			t.Errorf("nearest to %.20q is %q, want %q", asked, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("distance of %q and %q is %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
