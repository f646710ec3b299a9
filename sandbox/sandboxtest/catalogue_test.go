package sandboxtest

import (
	"testing"
)

func TestCatalogueIsWhole(t *testing.T) {
	t.Parallel()
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	seen, sources := make(map[string]bool), make(map[string]string)
	for _, c := range cases {
		if seen[c.Name] {
			t.Errorf("case %q: there are two", c.Name)
		}
		seen[c.Name] = true
		source := c.Language + string(c.Submission.Source.Files[0].Content)
		if other, ok := sources[source]; ok && c.Want.Run.Exceeded == "" {
			t.Errorf("case %q has the source of %q", c.Name, other)
		}
		sources[source] = c.Name
	}
}
