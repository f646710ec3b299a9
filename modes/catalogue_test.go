package modes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

const twoPythons = `{"languages": [
	{"name": "python", "aliases": ["py", "python3"], "version": "3.9.2", "image": "docker.io/library/python:3.9",
	 "source_file": "main.py", "run": ["python3", "{source}"]},
	{"name": "python", "aliases": ["py"], "version": "3.13.5", "image": "optimus.local/python:trixie",
	 "build": {"suite": "trixie", "packages": ["python3-minimal"], "hooks": ["true"]},
	 "source_file": "main.py", "run": ["python3", "{source}"], "queue": "scripts"},
	{"name": "java", "version": "21", "image": "optimus.local/java:trixie", "source_file": "Main.java", "tier": "dedicated",
	 "compile": ["javac", "{sources}"], "run": ["java", "{main}"], "env": {"B": "2", "A": "1"},
	 "limits": {"memory": "512MiB"}, "memory_overhead": "96MiB", "out_of_memory_exit": [3], "time_factor": 2,
	 "concurrency": {"max_parallel_tests": 4}, "sample": "class Main {}"}
]}`

func testCatalogue(t *testing.T, present imagePresent) *catalogue {
	t.Helper()
	c, err := config.ParseCatalogue("languages.json", []byte(twoPythons))
	if err != nil {
		t.Fatal(err)
	}
	return newCatalogue(c, present)
}

func TestCatalogueIsWhatOthersNeed(t *testing.T) {
	t.Parallel()
	var _ languages = testCatalogue(t, nil)
}

func TestCatalogueResolves(t *testing.T) {
	t.Parallel()
	c := testCatalogue(t, nil)
	for _, tc := range []struct{ name, version, want, fault string }{
		{"python", "", "3.13.5", ""},
		{"py", "", "3.13.5", ""},
		{" Python ", "", "3.13.5", ""},
		{"python3", "", "3.9.2", ""}, // only the older one has this alias
		{"python", "3.9", "3.9.2", ""},
		{"python", "3.x", "3.13.5", ""},
		{"python", "3.9.2", "3.9.2", ""},
		{"python", "2", "", `no version "2": there is 3.13.5, 3.9.2`},
		{"pyton", "", "", `did you mean "python"?`},
		{"cobol", "", "", "known are java, python"},
		{"", "", "", "is not known"},
	} {
		lang, err := c.Resolve(tc.name, tc.version)
		if tc.fault != "" {
			if !errors.Is(err, web.ErrUnknownLanguage) || !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("%s@%s: error %v, want one with %q", tc.name, tc.version, err, tc.fault)
			}
			continue
		}
		if err != nil || lang.Version != tc.want {
			t.Errorf("%s@%s is %q, %v; want %q", tc.name, tc.version, lang.Version, err, tc.want)
		}
	}
}

// Whoever names a version in full gets it, though it is the beginning of a higher one.
func TestCatalogueResolvesAVersionToItself(t *testing.T) {
	t.Parallel()
	all, err := config.ParseCatalogue("languages.json", []byte(strings.ReplaceAll(twoPythons, "3.9.2", "3")))
	if err != nil {
		t.Fatal(err)
	}
	for want, version := range map[string]string{"3": "3", "3.13.5": "3.13"} {
		if lang, err := newCatalogue(all, nil).Resolve("python", version); err != nil || lang.Version != want {
			t.Errorf("version %s is %s, %v; want %s", version, lang.Version, err, want)
		}
	}
}

func TestCatalogueKnowsWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := testCatalogue(t, func(ref string) (heldImage, bool) { return heldImage{"sha256:1", 5}, strings.Contains(ref, "java") })
	_, err := c.Resolve("python", "")
	if un, ok := errors.AsType[*web.UnavailableError](err); !ok || un.HowToGet != "optimus admin images build python" {
		t.Errorf("a missing image that has a recipe: %v", err)
	}
	_, err = c.Resolve("python", "3.9")
	if un, ok := errors.AsType[*web.UnavailableError](err); !ok || un.HowToGet != "optimus admin images pull python" {
		t.Errorf("a missing image without a recipe: %v", err)
	}
	if lang, err := c.Resolve("java", ""); err != nil || lang.Digest != "sha256:1" {
		t.Errorf("java has the digest %q, %v", lang.Digest, err)
	}
	if got, want := c.Lanes(), []store.Lane{{Language: "java", Tier: sandbox.Dedicated}}; !slices.Equal(got, want) {
		t.Errorf("lanes = %v, want %v", got, want)
	}
	var shown []string
	for _, l := range c.Languages() {
		shown = append(shown, fmt.Sprint(l.DisplayName, " ", l.State, " ", l.Digest, " ", l.ImageBytes, " ", l.HowToGet))
	}
	want := []string{
		"java 21 available sha256:1 5 ", "python 3.13.5 missing  0 optimus admin images build python", "python 3.9.2 missing  0 optimus admin images pull python",
	}
	if !slices.Equal(shown, want) {
		t.Errorf("languages = %q, want %q", shown, want)
	}
}

func TestLanguageOfStatesEverything(t *testing.T) {
	t.Parallel()
	c := testCatalogue(t, nil)
	lang, err := c.Resolve("java", "")
	if err != nil {
		t.Fatal(err)
	}
	if lang.Limits.Memory != 512<<20 || lang.Limits.CPU != 2*time.Second || lang.CompileLimits.Memory != 1<<30 || lang.CompileLimits.Wall != 30*time.Second {
		t.Errorf("limits = %+v, compile %+v", lang.Limits, lang.CompileLimits)
	}
	if !slices.Equal(lang.Env, []string{"A=1", "B=2"}) || lang.WarmUp != "class Main {}" || lang.Queue != config.DefaultQueue ||
		lang.ParallelTests != 4 || lang.MemoryOverhead != 96<<20 || lang.TimeFactor != 2 || lang.Tier != sandbox.Dedicated {
		t.Errorf("language = %+v", lang)
	}
	if lang, err = c.Resolve("python", ""); err != nil || lang.Queue != "scripts" {
		t.Errorf("queue = %q, %v", lang.Queue, err)
	}
}

func TestCatalogueRecipe(t *testing.T) {
	t.Parallel()
	c := testCatalogue(t, nil)
	r, ok := c.recipe("optimus.local/python:trixie", "http://mirror")
	if !ok || r.Suite != "trixie" || !slices.Equal(r.Packages, []string{"python3-minimal"}) || r.Mirror != "http://mirror" || len(r.Hooks) != 1 {
		t.Errorf("recipe = %+v, %v", r, ok)
	}
	if _, ok := c.recipe("docker.io/library/python:3.9", ""); ok {
		t.Error("an image without a recipe has one")
	}
}

func TestALanguageWhoseRuntimeIsNotHere(t *testing.T) {
	t.Parallel()
	c := testCatalogue(t, nil)
	other := c.entries()[0].lang.Name
	c.entries()[0].lang.Runtime = "io.containerd.other.v1"
	c.usable = func(runtime string) error { return errors.New(runtime + " is not here") }
	if l := c.Languages()[0]; l.Available() || l.HowToGet != containerd.RuntimeFix {
		t.Errorf("%s is listed as available %t, get it with %q", other, l.Available(), l.HowToGet)
	}
	if _, err := c.Resolve(other, ""); !errors.As(err, new(*web.UnavailableError)) {
		t.Errorf("a submission is answered with %v", err)
	}
	if slices.ContainsFunc(c.Lanes(), func(l store.Lane) bool { return l == store.LaneOf(c.entries()[0].lang) }) {
		t.Error("its jobs are claimed")
	}
	if len(c.Lanes()) == 0 {
		t.Error("the others are held up")
	}
}

func TestShippedRecipesAreValid(t *testing.T) {
	t.Parallel()
	all, err := config.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	c := newCatalogue(all, nil)
	for _, l := range c.Languages() {
		r, ok := c.recipe(l.Image, "")
		if !ok {
			t.Errorf("%s has no recipe", l.Name)
			continue
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", l.Name, err)
		}
	}
}

// What a command is made into shows faults of the catalogue that its own check cannot see.
func TestShippedCommands(t *testing.T) {
	t.Parallel()
	all, err := config.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	c := newCatalogue(all, nil)
	want := map[string]struct{ compile, run string }{
		"python": {"", "python3 -B main.py"},
		"cpp":    {"g++ -O2 -std=c++23 -o main main.cpp", "./main"},
		"c":      {"gcc -O2 -std=gnu17 -o main main.c -lm", "./main"},
		"rust":   {"rustc -O --edition 2021 -C strip=debuginfo -o main main.rs", "./main"},
		"java": {
			"javac -J-Xmx928m -J-XX:TieredStopAtLevel=1 -J-XX:ActiveProcessorCount=1 -J-XX:+UseSerialGC -J-Xshare:auto " +
				"-J-XX:-UsePerfData -proc:none -encoding UTF-8 -d . Main.java",
			"java -Xmx416m -XX:NewRatio=7 -Xss64m -XX:ActiveProcessorCount=1 -XX:+UseSerialGC -Xshare:auto -XX:-UsePerfData " +
				"-XX:+ExitOnOutOfMemoryError -XX:+DisplayVMOutputToStderr -Xlog:disable -Xlog:all=warning:stderr Main",
		},
		"javascript": {"", "node --max-old-space-size=256 --stack-size=64000 main.js"},
		"bash":       {"", "bash main.sh"},
	}
	for _, l := range c.Languages() {
		src := sandbox.Source{Files: []sandbox.File{{Name: l.SourceFile}}}
		compile := strings.Join(l.CompileCommand(src, l.CompileLimits), " ")
		run := strings.Join(l.RunCommand(src, nil, l.TestLimits(sandbox.Limits{}, sandbox.Limits{})), " ")
		if w := want[l.Name]; compile != w.compile || run != w.run {
			t.Errorf("%s:\n compile %s\n run     %s\nwant\n compile %s\n run     %s", l.Name, compile, run, w.compile, w.run)
		}
		if l.WarmUp == "" {
			t.Errorf("%s has no warm-up", l.Name)
		}
	}
}

func TestVersionMatches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want, have string
		ok         bool
	}{
		{"", "3.13.5", true},
		{"*", "3.13.5", true},
		{"x", "3.13.5", true},
		{"3", "3.13.5", true},
		{"3", "30.1", false},
		{"3.1", "3.13.5", false},
		{"3.13", "3.13.5", true},
		{"3.13.x", "3.13.5", true},
		{"3.X.x", "3.13.5", true},
		{"3.13.5", "3.13.5", true},
		{"3.13.5.1", "3.13.5", false},
		{"21.0", "21", false},
		{"=21", "21", true},
		{"^3.2", "3.13.5", true},
		{"^3.14", "3.13.5", false},
		{"^2.9", "3.13.5", false},
		{"^0.3.1", "0.3.4", true},
		{"^0.3.1", "0.4.0", false},
		{"~3.13.1", "3.13.5", true},
		{"~3.12.1", "3.13.5", false},
		{"~3", "3.13.5", true},
		{">=3", "3.13.5", true},
		{">=4", "3.13.5", false},
		{"latest", "3.13.5", false},
	} {
		if got := versionMatches(tc.want, tc.have); got != tc.ok {
			t.Errorf("%q matches %q: %v", tc.want, tc.have, got)
		}
	}
	sorted := []string{"3", "3.2", "3.10", "21", "21-rc"}
	if !slices.IsSortedFunc(sorted, compareVersions) {
		t.Errorf("%v are out of order", sorted)
	}
}
