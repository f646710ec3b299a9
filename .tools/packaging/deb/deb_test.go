package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestVersionsSortAsTheyWereMade asks dpkg.
func TestVersionsSortAsTheyWereMade(t *testing.T) {
	t.Parallel()
	made := time.Unix(1700000000, 0)
	var versions []string
	for n, version := range []string{
		"28cff3f", "abcdef0", "abcdef0-dirty", "v0.9.0", "v1.2.0-rc.1", "v1.2.0-rc.1-4-gabcdef0", "v1.2.0", "1.2.0-2-gabcdef0", "v1.2.0-11-g0bcdef0", "v1.10.0",
	} {
		v, err := debianVersion(version, made.Add(time.Duration(min(n, 1))*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v)
	}
	for n := 1; n < len(versions); n++ {
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", versions[n-1], "lt", versions[n]).Run(); err != nil {
			t.Errorf("%s is not before %s: %v", versions[n-1], versions[n], err)
		}
	}
	for _, version := range []string{"unknown", "", "v", "main", "v1.2.0 "} {
		if v, err := debianVersion(version, made); err == nil {
			t.Errorf("version %q gives %s", version, v)
		}
	}
}

func TestCommentedOut(t *testing.T) {
	t.Parallel()
	got, err := commentOut([]byte("# why\na = 1\n[server]\nlisten = \"x\"\n# b = 2\n"))
	if want := "# why\n#a = 1\n[server]\n#listen = \"x\"\n# b = 2\n"; err != nil || string(got) != want {
		t.Errorf("%q, error %v", got, err)
	}
	if _, err := commentOut([]byte("# nothing\n")); err == nil || !strings.Contains(err.Error(), "states nothing") {
		t.Errorf("an example that states nothing gives %v", err)
	}
}
