package webtest

import (
	"fmt"
	"slices"
	"time"

	"optimus/sandbox"
	"optimus/web"
)

// Catalogue is a catalogue of three languages: python (alias py), cpp (alias c++), and java, whose
// image is missing.
type Catalogue struct{}

// Languages implements [web.Catalogue].
func (Catalogue) Languages() []web.Language {
	limits := sandbox.Limits{
		CPU: 2 * time.Second, Wall: 10 * time.Second, Memory: 256 << 20, Output: 1 << 20,
		Processes: 64, FileSize: 64 << 20, OpenFiles: 256,
	}
	return []web.Language{
		{
			Language: sandbox.Language{
				Name: "cpp", Version: "14.2", Image: "test/cpp", SourceFile: "main.cpp", Limits: limits, CompileLimits: limits,
				Compile: []string{"g++", "-o", "main", "{source}"}, Run: []string{"./main"},
			},
			Aliases: []string{"c++"}, DisplayName: "C++ (GCC 14.2)", State: web.LanguageElsewhere,
		},
		{
			Language: sandbox.Language{
				Name: "java", Version: "21", Image: "test/java", SourceFile: "Main.java", Limits: limits, CompileLimits: limits,
				Compile: []string{"javac", "{source}"}, Run: []string{"java", "Main"}, TimeFactor: 2, Queue: "slow",
			},
			State: web.LanguageMissing, HowToGet: "optimus admin images build java",
		},
		{
			Language: sandbox.Language{
				Name: "python", Version: "3.13.5", Image: "test/python", SourceFile: "main.py", Limits: limits, CompileLimits: limits,
				Run: []string{"python3", "{source}"}, Digest: "sha256:123",
			},
			Aliases: []string{"py", "python3"}, State: web.LanguageAvailable, ImageBytes: 31_000_000,
		},
	}
}

// Resolve implements [web.Catalogue].
func (c Catalogue) Resolve(name, version string) (sandbox.Language, error) {
	for _, l := range c.Languages() {
		if l.Name != name && !slices.Contains(l.Aliases, name) {
			continue
		}
		switch {
		case version != "" && version != l.Version:
			return sandbox.Language{}, fmt.Errorf("%w: %s %q", web.ErrUnknownLanguage, name, version)
		case !l.Available():
			return sandbox.Language{}, &web.UnavailableError{Language: l.Name, HowToGet: l.HowToGet}
		}
		return l.Language, nil
	}
	return sandbox.Language{}, fmt.Errorf("%w %q; known are cpp, java, python", web.ErrUnknownLanguage, name)
}
