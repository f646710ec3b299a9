package config

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Placeholders lists what commands may hold between braces.
func Placeholders() []string {
	return []string{"source", "sources", "main", "args", "memory_mb", "stack_mb"}
}

// catalogueChecker looks at what more than one field decides.
type catalogueChecker struct {
	faults *faults
	places map[string]place
	source string
}

// fault reports a fault of the field at a path, at its line or that of what it stands in.
func (c *catalogueChecker) fault(path, value, problem, help string) {
	at, known := c.places[path]
	for p := path; !known && p != ""; {
		p = p[:max(strings.LastIndexAny(p, ".["), 0)]
		at, known = c.places[p]
	}
	if !known {
		at = place{source: c.source}
	}
	if value != "" {
		value = strconv.Quote(value)
	}
	c.faults.add(at, path, value, problem, help)
}

func (c *catalogueChecker) check(all Catalogue) {
	if len(all.Languages) == 0 && len(*c.faults) == 0 {
		c.fault("languages", "", "is empty", "state at least one language")
	}
	for i, l := range all.Languages {
		at := fmt.Sprintf("languages[%d]", i)
		c.commands(at, l)
		c.environment(at, l)
		c.limits(at, l)
		if l.Name == WarmAvailable {
			c.fault(at+".name", l.Name, "is reserved", "choose another name")
		}
	}
	c.names(all.Languages)
	c.judge0(all.Languages)
	c.recipes(all.Languages)
}

// commands checks compile and run.
func (c *catalogueChecker) commands(at string, l Language) {
	if len(l.Run) == 0 && c.has(at+".run") {
		c.fault(at+".run", "", "is empty", "state the command and its arguments")
	}
	for i, word := range l.Compile {
		c.word(fmt.Sprintf("%s.compile[%d]", at, i), word, i == 0)
	}
	for i, word := range l.Run {
		c.word(fmt.Sprintf("%s.run[%d]", at, i), word, i == 0)
	}
	if i := slices.Index(l.Compile, "{args}"); i >= 0 {
		c.fault(fmt.Sprintf("%s.compile[%d]", at, i), "{args}", "has no meaning in a compile", "only run may hold it")
	}
	usesMain := slices.ContainsFunc(slices.Concat(l.Compile, l.Run), func(w string) bool { return strings.Contains(w, "{main}") })
	if usesMain && l.SourceFile != "" && path.Ext(l.SourceFile) == "" {
		c.fault(at+".source_file", l.SourceFile, "has no extension, so that {main} is the source itself", `name it like "main.c"`)
	}
	if len(l.Compile) == 0 && l.CompileLimits != (RunLimits{}) {
		c.fault(at+".compile_limits", "", "has no effect without a compile command", "leave it out, or state compile")
	}
}

func (c *catalogueChecker) has(path string) bool {
	_, ok := c.places[path]
	return ok
}

// word checks one argument of a command.
func (c *catalogueChecker) word(at, word string, first bool) {
	help := "known are {" + strings.Join(Placeholders(), "}, {") + "}"
	if first && word == "" {
		c.fault(at, "", "is empty", "state the command's path or name")
	}
	for _, match := range regexp.MustCompile(`\{([A-Za-z0-9_]*)\}`).FindAllStringSubmatch(word, -1) {
		switch name := match[1]; {
		case !slices.Contains(Placeholders(), name):
			if near := didYouMean(name, Placeholders()); near != "" {
				help = near
			}
			c.fault(at, word, "has an unknown placeholder {"+name+"}", help)
		case (name == "args" || name == "sources") && word != match[0]:
			c.fault(at, word, "has "+match[0]+" beside other text", "it must be an argument of its own")
		}
	}
}

func (c *catalogueChecker) environment(at string, l Language) {
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	for _, k := range slices.Sorted(maps.Keys(l.Env)) {
		if !name.MatchString(k) {
			c.fault(at+".env."+k, "", "is not the name of a variable", "must be letters, digits and _, no digit first")
		}
		if strings.ContainsRune(l.Env[k], 0) {
			c.fault(at+".env."+k, "", "has a NUL byte", "remove it")
		}
	}
}

// limits checks that a runtime's overhead leaves something of the memory.
func (c *catalogueChecker) limits(at string, l Language) {
	one := func(name string, lim RunLimits) {
		if l.MemoryOverhead > 0 && lim.Memory <= l.MemoryOverhead {
			c.fault(at+"."+name+".memory", lim.Memory.String(), "is no larger than memory_overhead", "must be more than "+l.MemoryOverhead.String())
		}
	}
	one("limits", l.Limits.Or(BaseLimits()))
	if len(l.Compile) > 0 {
		one("compile_limits", l.CompileLimits.Or(BaseCompileLimits()))
	}
}

// names checks that a name, an alias and a version lead to one language.
func (c *catalogueChecker) names(languages []Language) {
	versions, owner := map[string]int{}, map[string]string{}
	for _, l := range languages {
		owner[l.Name] = l.Name
	}
	for i, l := range languages {
		at := fmt.Sprintf("languages[%d]", i)
		id := l.Name + "@" + l.Version
		if first, ok := versions[id]; ok && l.Name != "" && l.Version != "" {
			c.fault(at+".name", l.Name, fmt.Sprintf("stands in languages[%d] with the same version", first), "name and version together must be unique")
		}
		versions[id] = i
		for j, alias := range l.Aliases {
			if o, ok := owner[alias]; ok && (o != l.Name || alias == l.Name) {
				c.fault(fmt.Sprintf("%s.aliases[%d]", at, j), alias, "already means "+o, "an alias must lead to one language")
			}
			owner[alias] = l.Name
		}
	}
}

func (c *catalogueChecker) judge0(languages []Language) {
	owner := map[int]int{}
	for i, l := range languages {
		for j, id := range l.Judge0IDs {
			if first, ok := owner[id]; ok && first != i {
				c.fault(fmt.Sprintf("languages[%d].judge0_ids[%d]", i, j), strconv.Itoa(id), fmt.Sprintf("stands in languages[%d] too", first), "must be unique")
			}
			owner[id] = i
		}
	}
}

// recipes checks that an image has one recipe.
func (c *catalogueChecker) recipes(languages []Language) {
	first := map[string]int{}
	for i, l := range languages {
		if l.Build == nil {
			continue
		}
		at := fmt.Sprintf("languages[%d].build", i)
		j, ok := first[l.Image]
		if !ok {
			first[l.Image] = i
		} else if !reflect.DeepEqual(l.Build, languages[j].Build) {
			c.fault(at, "", fmt.Sprintf("differs from that of languages[%d], which has the same image", j), "state the same recipe, or another image")
		}
		for k, hook := range l.Build.Hooks {
			if hook == "" || strings.ContainsAny(hook, "\n\x00") {
				c.fault(fmt.Sprintf("%s.hooks[%d]", at, k), hook, "is not one line", "state one shell command on one line")
			}
		}
	}
}

// CheckCatalogue refuses a catalogue whose languages ask for more than the hard maxima.
func (m Limits) CheckCatalogue(all Catalogue) error {
	var f faults
	for _, l := range all.Languages {
		source := place{source: "language " + l.Name + " " + l.Version}
		m.checkLanguage(&f, source, "limits", l.Limits.Or(BaseLimits()))
		if len(l.Compile) > 0 {
			m.checkLanguage(&f, source, "compile_limits", l.CompileLimits.Or(BaseCompileLimits()))
		}
	}
	return f.err("catalogue")
}

func (m Limits) checkLanguage(f *faults, at place, field string, l RunLimits) {
	over := func(name string, value, most fmt.Stringer, is bool) {
		if is {
			f.add(at, field+"."+name, value.String(), "is above limits."+name+" of optimus.toml", "must be at most "+most.String()+", or raise that")
		}
	}
	over("cpu", l.CPU, Duration(m.CPU), time.Duration(l.CPU) > m.CPU)
	over("wall", l.Wall, Duration(m.Wall), time.Duration(l.Wall) > m.Wall)
	over("memory", l.Memory, m.Memory, l.Memory > m.Memory)
	over("output", l.Output, m.Output, l.Output > m.Output)
	over("processes", count(l.Processes), count(m.Processes), l.Processes > m.Processes)
	over("file_size", l.FileSize, m.FileSize, l.FileSize > m.FileSize)
	over("open_files", count(l.OpenFiles), count(m.OpenFiles), l.OpenFiles > m.OpenFiles)
	over("stack", l.Stack, m.Stack, l.Stack > m.Stack)
	over("disk", l.Disk, m.Disk, l.Disk > m.Disk)
}

// count is a number that prints itself.
type count int

func (c count) String() string { return strconv.Itoa(int(c)) }
