package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"optimus/sandbox"
)

// The languages of the cases.
const (
	python = "python"
	cpp    = "cpp"
	java   = "java"
	rust   = "rust"
)

// Case is a program with what a Runner must say of it.
type Case struct {
	Name     string
	Language string
	// Source is the main file's text; Files follow it.
	Source string
	Files  []sandbox.File
	Args   []string
	Stdin  string
	// Change alters the language, where a case needs another command or image.
	Change func(*sandbox.Language)
	// Limits of the run; what is not stated is the language's. CompileLimits likewise.
	Limits        sandbox.Limits
	CompileLimits sandbox.Limits
	// Times is how often the program is run; every run must be as wanted. 0 is once.
	Times int
	// Anew has the program prepared anew for each of these.
	Anew bool
	// Marked gives the program an argument that no other process has, and demands that no process
	// with it is left once the run has ended.
	Marked bool
	Want   Want
	// OwnKernel is what differs where the programs run on a kernel that is not this machine's; nil
	// for nothing.
	OwnKernel *Difference
	// Why says what would be wrong with a Runner that fails the case.
	Why string
}

// Difference is what another kernel than this machine's legitimately does otherwise. It is demanded
// as strictly as the rest: one that is gone is noticed.
type Difference struct {
	// Want takes the place of the case's.
	Want Want
	// Why says what that kernel does, and why it does no harm.
	Why string
}

// Want is what the outcome must be. Zero fields demand nothing but what is said here: a program
// must end with status 0 within its limits unless Verdict, ExitCode or Signal say otherwise.
type Want struct {
	// NotCompiled: the compile must fail, with the outcome that the other fields speak of.
	NotCompiled bool
	// Bad takes any verdict but Accepted; the three below are then not looked at.
	Bad bool
	// Verdict is the outcome's; empty is Accepted, or RuntimeError where ExitCode or Signal is set.
	Verdict sandbox.Verdict
	// ExitCode and Signal are compared where Verdict is a runtime error and one of them is set.
	ExitCode, Signal int
	// Stdout is the whole of it, where not nil.
	Stdout *string
	// StderrHas is a part of it; StderrHasNot must be no part of it.
	StderrHas, StderrHasNot string
	// CPU, Wall, Memory and Processes bound the figures; a zero bound is none. A figure that the
	// kernel does not tell (-1) passes.
	CPU, Wall         [2]time.Duration
	Memory, Processes [2]int64
	// Check looks at whatever else.
	Check func(sandbox.Outcome) error
}

// says wants a program that ends well and prints exactly this.
func says(text string) Want { return Want{Stdout: &text} }

// fallback bounds a run where neither case nor language does.
func fallback() sandbox.Limits {
	return sandbox.Limits{
		CPU: 10 * time.Second, Wall: 20 * time.Second, Memory: 256 << 20, Output: 1 << 20,
		Processes: 64, FileSize: 64 << 20, OpenFiles: 256,
	}
}

func (c Case) source(lang sandbox.Language) sandbox.Source {
	name := lang.SourceFile
	if name == "" {
		name = "main"
	}
	return sandbox.Source{Files: append([]sandbox.File{{Name: name, Content: []byte(c.Source)}}, c.Files...)}
}

// Run runs the case on a Runner and says how the Runner falls short of it.
func (c Case) Run(ctx context.Context, r sandbox.Runner, lang sandbox.Language) error {
	if c.Change != nil {
		c.Change(&lang)
	}
	rounds := 1
	if c.Anew {
		rounds = 2
	}
	for round := range rounds {
		if err := c.round(ctx, r, lang); err != nil {
			return fmt.Errorf("program prepared for the %d. time: %w", round+1, err)
		}
	}
	return nil
}

func (c Case) round(ctx context.Context, r sandbox.Runner, lang sandbox.Language) (err error) {
	program, outcome, err := r.Prepare(ctx, lang, c.source(lang), c.CompileLimits.Or(lang.CompileLimits).Or(fallback()).Resolved())
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if program != nil {
		defer func() { err = errors.Join(err, program.Close()) }()
	}
	if c.Want.NotCompiled {
		if program != nil {
			return errors.New("it compiled")
		}
		return c.Want.compare(outcome)
	}
	if program == nil {
		return fmt.Errorf("it did not compile: %s", show(outcome))
	}
	for n := range max(c.Times, 1) {
		if err := c.once(ctx, program, lang); err != nil {
			return fmt.Errorf("run %d: %w", n+1, err)
		}
	}
	return nil
}

func (c Case) once(ctx context.Context, p sandbox.Program, lang sandbox.Language) error {
	args := c.Args
	marker := ""
	if c.Marked {
		marker = newMarker()
		args = append(slices.Clone(args), marker)
	}
	limits := c.Limits.Or(lang.Limits).Or(fallback()).Resolved()
	outcome, err := p.Run(ctx, sandbox.Input{Stdin: []byte(c.Stdin), Args: args}, limits)
	if err != nil {
		return fmt.Errorf("the runner failed: %w", err)
	}
	if err := c.Want.compare(outcome); err != nil {
		return err
	}
	if marker != "" {
		return noProcess(marker)
	}
	return nil
}

func (w Want) compare(o sandbox.Outcome) error {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	verdict := w.Verdict
	if verdict == "" {
		verdict = sandbox.Accepted
		if w.ExitCode != 0 || w.Signal != 0 || w.NotCompiled {
			verdict = sandbox.RuntimeError
		}
	}
	if got := o.Verdict(); w.Bad {
		if got == sandbox.Accepted {
			fault("it ended well")
		}
	} else if got != verdict {
		fault("verdict %s, want %s", got, verdict)
	} else if w.ExitCode != 0 && o.ExitCode != w.ExitCode || w.Signal != o.Signal && (w.Signal != 0 || w.ExitCode != 0) {
		fault("status %d and signal %d, want %d and %d", o.ExitCode, o.Signal, w.ExitCode, w.Signal)
	}
	if w.Stdout != nil && string(o.Stdout) != *w.Stdout {
		fault("it did not print %.200q", *w.Stdout)
	}
	if !strings.Contains(string(o.Stderr), w.StderrHas) {
		fault("standard error does not say %q", w.StderrHas)
	}
	if w.StderrHasNot != "" && strings.Contains(string(o.Stderr), w.StderrHasNot) {
		fault("standard error says %q", w.StderrHasNot)
	}
	for _, f := range []struct {
		name      string
		got       int64
		low, high int64
	}{
		{"CPU ns", int64(o.CPU), int64(w.CPU[0]), int64(w.CPU[1])},
		{"wall ns", int64(o.Wall), int64(w.Wall[0]), int64(w.Wall[1])},
		{"memory", o.Memory, w.Memory[0], w.Memory[1]},
		{"processes", o.Processes, w.Processes[0], w.Processes[1]},
	} {
		if f.got != -1 && (f.got < f.low || f.high != 0 && f.got > f.high) {
			fault("%s %d is not within %d and %d", f.name, f.got, f.low, f.high)
		}
	}
	if w.Check != nil {
		if err := w.Check(o); err != nil {
			fault("%v", err)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%s\n%s", strings.Join(faults, "\n"), show(o))
}

// show tells of an outcome in a few lines.
func show(o sandbox.Outcome) string {
	return fmt.Sprintf("verdict %s, limit %q, status %d, signal %d, CPU %s, wall %s, memory %d, processes %d, cut %t %t, message %q\nstdout (%d bytes): %.300q\nstderr (%d bytes): %.300q",
		o.Verdict(), o.Exceeded, o.ExitCode, o.Signal, o.CPU, o.Wall, o.Memory, o.Processes, o.StdoutTruncated, o.StderrTruncated,
		o.Message, len(o.Stdout), o.Stdout, len(o.Stderr), o.Stderr)
}
