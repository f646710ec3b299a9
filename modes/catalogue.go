package modes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/web"
)

// heldImage is an image that is on this machine: its digest, and its size in bytes, where they are known.
type heldImage struct {
	digest string
	size   int64
}

// imagePresent tells whether an image is on this machine.
type imagePresent func(ref string) (heldImage, bool)

// catalogue answers what languages there are and which one a submission means. It may be used by
// many goroutines at once.
type catalogue struct {
	// stated are in the order of names, of one name the highest version first.
	stated  atomic.Pointer[[]catalogueEntry]
	present imagePresent
	// usable says why a containerd runtime can't be used here; nil: each can.
	usable func(runtime string) error
	// unworked: this process has no worker, so that others run what there is.
	unworked bool
}

type catalogueEntry struct {
	config config.Language
	lang   sandbox.Language
}

// newCatalogue takes languages as the catalogue states them. present may be nil: all are there.
func newCatalogue(c config.Catalogue, present imagePresent) *catalogue {
	if present == nil {
		present = func(string) (heldImage, bool) { return heldImage{}, true }
	}
	all := &catalogue{present: present}
	all.Set(c)
	return all
}

// Set has the catalogue be another from now on; what was resolved keeps the language that it has.
func (c *catalogue) Set(stated config.Catalogue) {
	entries := make([]catalogueEntry, 0, len(stated.Languages))
	for _, l := range stated.Languages {
		entries = append(entries, catalogueEntry{config: l, lang: languageOf(l)})
	}
	slices.SortStableFunc(entries, func(a, b catalogueEntry) int {
		return cmp.Or(strings.Compare(a.lang.Name, b.lang.Name), compareVersions(b.lang.Version, a.lang.Version))
	})
	c.stated.Store(&entries)
}

func (c *catalogue) entries() []catalogueEntry { return *c.stated.Load() }

// Languages lists every language, by name, whether it is available or not.
func (c *catalogue) Languages() []web.Language {
	entries := c.entries()
	list := make([]web.Language, len(entries))
	for i, e := range entries {
		image, missing := c.available(e)
		list[i] = web.Language{
			Language: e.lang, Aliases: e.config.Aliases, DisplayName: displayName(e.config),
			State: web.LanguageAvailable, HowToGet: missing, ImageBytes: image.size, Samples: samplesOf(e.config),
		}
		list[i].Digest = image.digest
		switch {
		case missing != "":
			list[i].State = web.LanguageMissing
		case c.unworked:
			list[i].State = web.LanguageNoWorker
		}
	}
	return list
}

// available gives a language's image, or else what makes the language available.
func (c *catalogue) available(e catalogueEntry) (image heldImage, missing string) {
	image, ok := c.present(e.lang.Image)
	switch {
	case !ok:
		return heldImage{}, howToGet(e.config)
	case e.lang.Runtime != "" && c.usable != nil && c.usable(e.lang.Runtime) != nil:
		return heldImage{}, containerd.RuntimeFix
	}
	return image, ""
}

// Resolve gives the language that a name or alias means and, of its versions, the very one that version
// names, else the highest that it asks for: see versionMatches. Its errors are an *unknownLanguageError or a
// [*web.UnavailableError].
func (c *catalogue) Resolve(name, version string) (sandbox.Language, error) {
	e, err := c.find(name, version)
	if err != nil {
		return sandbox.Language{}, err
	}
	image, missing := c.available(e)
	if missing != "" {
		return sandbox.Language{}, &web.UnavailableError{Language: e.lang.Name, HowToGet: missing}
	}
	e.lang.Digest = image.digest
	return e.lang, nil
}

// Lanes lists what can be run here at the moment.
func (c *catalogue) Lanes() []store.Lane {
	var lanes []store.Lane
	for _, e := range c.entries() {
		lane := store.LaneOf(e.lang)
		if _, missing := c.available(e); missing == "" && !slices.Contains(lanes, lane) {
			lanes = append(lanes, lane)
		}
	}
	return lanes
}

// find gives the entry that a name and version mean, whether its image is present or not.
func (c *catalogue) find(name, version string) (catalogueEntry, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	var versions []string
	var found *catalogueEntry
	for _, e := range c.entries() {
		if e.config.Name != name && !slices.Contains(e.config.Aliases, name) {
			continue
		}
		if version == e.config.Version {
			return e, nil // what a job was resolved to means itself, also where it is the beginning of a higher one
		}
		if found == nil && versionMatches(version, e.config.Version) {
			found = &e
		}
		versions = append(versions, e.config.Version)
	}
	if found != nil {
		return *found, nil
	}
	if versions != nil {
		return catalogueEntry{}, &unknownLanguageError{Name: name, Version: version, Versions: versions}
	}
	names, all := c.names()
	return catalogueEntry{}, &unknownLanguageError{Name: name, Near: config.Nearest(name, all), Names: names}
}

// names lists what the languages are called, and in all these names and then the aliases.
func (c *catalogue) names() (names, all []string) {
	entries := c.entries()
	for _, e := range entries {
		if !slices.Contains(names, e.config.Name) {
			names = append(names, e.config.Name)
		}
	}
	all = slices.Clone(names)
	for _, e := range entries {
		all = append(all, e.config.Aliases...)
	}
	return names, all
}

// recipe gives the Debian recipe of the image ref, from any language that has one for it.
func (c *catalogue) recipe(ref, mirror string) (containerd.Recipe, bool) {
	for _, e := range c.entries() {
		if b := e.config.Build; b != nil && e.config.Image == ref {
			return containerd.Recipe{Suite: b.Suite, Packages: b.Packages, Hooks: b.Hooks, Mirror: mirror}, true
		}
	}
	return containerd.Recipe{}, false
}

// unknownLanguageError says that the catalogue has no such language or no such version of it. It
// is a [web.ErrUnknownLanguage].
type unknownLanguageError struct {
	Name string
	// Near is the known name or alias that is most like Name, or empty; Names are all languages.
	Near  string
	Names []string
	// Version was asked for and Versions are there, highest first, where the name is known.
	Version  string
	Versions []string
}

func (e *unknownLanguageError) Error() string {
	switch {
	case e.Versions != nil:
		return fmt.Sprintf("language %q has no version %q: there is %s", e.Name, e.Version, strings.Join(e.Versions, ", "))
	case e.Near != "":
		return fmt.Sprintf("language %q is not known; did you mean %q?", e.Name, e.Near)
	default:
		return fmt.Sprintf("language %q is not known; known are %s", e.Name, strings.Join(e.Names, ", "))
	}
}

// Is makes it a [web.ErrUnknownLanguage].
func (e *unknownLanguageError) Is(target error) bool { return target == web.ErrUnknownLanguage }

// languageOf puts a language of the catalogue into the sandbox's words: what it does not state is
// stated, and what only people or other dialects need is left out.
func languageOf(l config.Language) sandbox.Language {
	warmUp := l.WarmUp
	if warmUp == "" {
		warmUp = l.Sample
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(l.Env)) {
		env = append(env, name+"="+l.Env[name])
	}
	return sandbox.Language{
		Name:            l.Name,
		Version:         l.Version,
		Image:           l.Image,
		Tier:            sandbox.Tier(l.Tier),
		Runtime:         l.Runtime,
		SourceFile:      l.SourceFile,
		Compile:         l.Compile,
		Run:             l.Run,
		Env:             env,
		Limits:          limitsOf(l.Limits.Or(config.BaseLimits())),
		CompileLimits:   limitsOf(l.CompileLimits.Or(config.BaseCompileLimits())),
		TimeFactor:      l.TimeFactor,
		MemoryFactor:    l.MemoryFactor,
		MemoryOverhead:  int64(l.MemoryOverhead),
		OutOfMemoryExit: l.OutOfMemoryExit,
		ParallelTests:   l.Concurrency.MaxParallelTests,
		Queue:           cmp.Or(l.Queue, config.DefaultQueue),
		WarmUp:          warmUp,
	}
}

func limitsOf(l config.RunLimits) sandbox.Limits {
	return sandbox.Limits{
		CPU:       time.Duration(l.CPU),
		Wall:      time.Duration(l.Wall),
		Memory:    int64(l.Memory),
		Output:    int64(l.Output),
		Processes: int64(l.Processes),
		FileSize:  int64(l.FileSize),
		OpenFiles: int64(l.OpenFiles),
		Stack:     int64(l.Stack),
		Disk:      int64(l.Disk),
	}
}

func displayName(l config.Language) string {
	return cmp.Or(l.DisplayName, l.Name+" "+l.Version)
}

// samplesOf gives a language's programs, with an error where it states none.
func samplesOf(l config.Language) web.LanguageSamples {
	return web.LanguageSamples{Hello: l.Sample, Error: cmp.Or(l.Samples.Error, config.BrokenSample), Limit: l.Samples.Limit}
}

// howToGet gives the command that brings a language's image here.
func howToGet(l config.Language) string {
	if l.Build != nil {
		return "optimus admin images build " + l.Name
	}
	return "optimus admin images pull " + l.Name
}
