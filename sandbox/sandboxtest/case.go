package sandboxtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"optimus/sandbox"
	"optimus/sandbox/judge"
)

// python is the language of the faults' programs.
const python = "python"

// Case is a program of the catalogue in one language, with what must be said of it.
type Case struct {
	// File is its file's name below the catalogue, without its ending; Name is that, and where the
	// file holds the program in several languages, the language's.
	Name     string
	File     string
	Language string
	// Why says what would be wrong with a Runner, or a judge, that fails the case.
	Why string
	// Aim is what an attacker gains where it succeeds, and Layers what is in his way.
	Aim    Aim
	Layers []Layer
	// Submission is all but its language.
	Submission    sandbox.Submission
	CompileLimits sandbox.Limits
	Change        Change
	// Jobs is how often it is judged, one after the other; 0 is once.
	Jobs int
	// Marked gives the program an argument that no other process has, and demands that no process
	// with it is left once the job has ended.
	Marked bool
	// Exclusive: nothing runs beside it, and its tests run one after the other.
	Exclusive bool
	// Loaded: it is judged again while every processor is busy. It is exclusive, too.
	Loaded bool
	Want   Want
	// OwnKernel is what differs where the programs run on a kernel that is not this machine's; nil
	// for nothing.
	OwnKernel *Difference
}

// Difference is what another kernel than this machine's legitimately does otherwise. It is demanded
// as strictly as the rest: one that is gone is noticed.
type Difference struct {
	// Want takes the place of the case's, and Expected, where not nil, of each test's.
	Want     Want
	Expected *sandbox.Text
	// Why says what that kernel does, and why it does no harm.
	Why string
}

// elsewhere is the case as it is on a kernel that is not this machine's.
func (c Case) elsewhere() Case {
	d := c.OwnKernel
	if d == nil {
		return c
	}
	c.Want = d.Want
	if d.Expected != nil {
		c.Submission.Tests = slices.Clone(c.Submission.Tests)
		for i := range c.Submission.Tests {
			c.Submission.Tests[i].Expected = d.Expected
		}
	}
	return c
}

// Change is how a case's language differs from the one of its name.
type Change struct {
	// Env is added to the language's, CompileArgs to its compile command; Compile replaces that.
	Env         []string `toml:"env"`
	CompileArgs []string `toml:"compile_args"`
	Compile     []string `toml:"compile"`
	// Tier replaces the language's.
	Tier sandbox.Tier `toml:"tier"`
}

// fallback bounds a run where neither case nor language does.
func fallback() sandbox.Limits {
	return sandbox.Limits{
		CPU: 10 * time.Second, Wall: 20 * time.Second, Memory: 256 << 20, Output: 1 << 20,
		Processes: 64, FileSize: 64 << 20, OpenFiles: 256,
	}
}

// language is lang with the case's changes and every limit.
func (c Case) language(lang sandbox.Language) sandbox.Language {
	lang.Env = slices.Concat(lang.Env, c.Change.Env)
	lang.Compile = slices.Concat(lang.Compile, c.Change.CompileArgs)
	if len(c.Change.Compile) > 0 {
		lang.Compile = c.Change.Compile
	}
	if c.Change.Tier != "" {
		lang.Tier = c.Change.Tier
	}
	lang.Limits = lang.Limits.Or(fallback())
	lang.CompileLimits = c.CompileLimits.Or(lang.CompileLimits).Or(fallback()).Resolved()
	if c.Exclusive {
		lang.ParallelTests = 1
	}
	return lang
}

// Run judges the case with a Runner and says how that falls short of it.
func (c Case) Run(ctx context.Context, r sandbox.Runner, lang sandbox.Language) error {
	for job := range max(c.Jobs, 1) {
		if err := c.judge(ctx, r, lang); err != nil {
			return fmt.Errorf("job %d: %w", job+1, err)
		}
	}
	return nil
}

func (c Case) judge(ctx context.Context, r sandbox.Runner, lang sandbox.Language) error {
	s := c.Submission
	s.Language = c.language(lang)
	marker := ""
	if c.Marked {
		marker = newMarker()
		s.Args = append(slices.Clone(s.Args), marker)
	}
	report, err := judge.Judge(ctx, r, s, judge.Options{})
	if err != nil {
		return fmt.Errorf("it was not judged: %w", err)
	}
	if err := c.Want.compare(report); err != nil {
		return err
	}
	if marker != "" {
		return noProcess(marker)
	}
	return nil
}
