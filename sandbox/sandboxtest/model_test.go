package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"optimus/sandbox"
	"optimus/sandbox/judge"
)

// model is a Runner that answers each case as a right one would, and acts out the programs of the
// faults; spoil, where set, then makes its outcomes wrong.
type model struct {
	cases []Case
	spoil func(c Case, run int, o *sandbox.Outcome)
}

// fixed is a Runner whose compile and runs all have these outcomes.
type fixed struct{ compile, run sandbox.Outcome }

func (f fixed) Prepare(context.Context, sandbox.Language, sandbox.Source, sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	if !f.compile.OK() {
		return nil, f.compile, nil
	}
	return f, f.compile, nil
}

func (f fixed) Run(context.Context, sandbox.Input, sandbox.Limits) (sandbox.Outcome, error) {
	return f.run, nil
}

func (fixed) Close() error { return nil }

func (m model) Prepare(ctx context.Context, lang sandbox.Language, src sandbox.Source, _ sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	if strings.HasSuffix(lang.Image, ":none") {
		return nil, sandbox.Outcome{}, fmt.Errorf("model: %w", sandbox.ErrImageMissing)
	}
	if strings.Contains(strings.Join(lang.Compile, " "), "sleep") {
		<-ctx.Done()
		return nil, sandbox.Outcome{}, ctx.Err()
	}
	p := &modelProgram{model: m, ctx: ctx, lang: lang, source: string(src.Files[0].Content), killed: make(chan struct{})}
	i := slices.IndexFunc(m.cases, func(c Case) bool {
		return string(c.Submission.Source.Files[0].Content) == p.source && c.Language == lang.Name
	})
	if i >= 0 {
		p.act = &m.cases[i]
		if p.act.Want.Verdict == sandbox.CompileError {
			return nil, p.ideal(*p.act, p.act.Want.Compile, nil), nil
		}
	}
	return p, sandbox.Outcome{}, nil
}

type modelProgram struct {
	model
	ctx    context.Context //nolint:containedctx // of Prepare, for the judge alone
	lang   sandbox.Language
	source string
	act    *Case // the case with this source; nil for a fault's program

	mu     sync.Mutex
	runs   int
	closed bool
	killed chan struct{} // closed and made anew by each kill
}

func (p *modelProgram) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *modelProgram) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.killed)
	p.killed = make(chan struct{})
}

func (p *modelProgram) Run(ctx context.Context, in sandbox.Input, _ sandbox.Limits) (sandbox.Outcome, error) {
	p.mu.Lock()
	closed := p.closed
	p.runs++
	p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return sandbox.Outcome{}, ctx.Err()
	case closed:
		return sandbox.Outcome{}, errors.New("model: program is closed")
	case strings.HasPrefix(p.source, "import time\nprint('started'"):
		return p.sleep(ctx, in)
	case strings.Contains(p.source, "listdir('.').count"):
		return sandbox.Outcome{Stdout: fmt.Appendf(nil, "%s 1\n", in.Stdin)}, nil
	case p.source == looksForTheOther:
		in.Output(sandbox.Stdout, []byte("started\n"))
		time.Sleep(100 * time.Millisecond)
		return sandbox.Outcome{Stdout: []byte("started\ndone\n")}, nil
	case p.act == nil:
		return sandbox.Outcome{Stdout: []byte("done\n")}, nil
	}
	i := slices.IndexFunc(p.act.Submission.Tests, func(t sandbox.TestCase) bool { return bytes.Equal(t.Input, in.Stdin) })
	return p.ideal(*p.act, p.act.Want.Run, &i), nil
}

// sleep acts out startsAndSleeps and what a Runner does when its container is lost.
func (p *modelProgram) sleep(ctx context.Context, in sandbox.Input) (sandbox.Outcome, error) {
	var seconds float64
	if _, err := fmt.Sscanf(p.source[strings.Index(p.source, "sleep("):], "sleep(%g)", &seconds); err != nil {
		return sandbox.Outcome{}, fmt.Errorf("model: %w", err)
	}
	tell := func(text string) {
		if in.Output != nil {
			in.Output(sandbox.Stdout, []byte(text))
		}
	}
	for again := range 2 {
		p.mu.Lock()
		killed := p.killed
		p.mu.Unlock()
		if again > 0 && in.Restarted != nil {
			in.Restarted()
		}
		tell("started\n")
		select {
		case <-time.After(time.Duration(seconds * float64(time.Second))):
			tell("ended\n")
			return sandbox.Outcome{Stdout: []byte("started\nended\n")}, nil
		case <-ctx.Done():
			return sandbox.Outcome{}, ctx.Err()
		case <-killed:
		}
	}
	return sandbox.Outcome{}, errors.New("model: container was lost twice")
}

// ideal finds an outcome with which the judge says of the compile, or of a test, what the case
// wants, by trying.
func (p *modelProgram) ideal(c Case, d Deed, test *int) sandbox.Outcome {
	middle := func(bounds [2]int64) int64 { return (bounds[0] + max(bounds[0], bounds[1])) / 2 }
	base := sandbox.Outcome{
		ExitCode: d.Exit, Signal: d.Signal, Stderr: []byte(d.Stderr), Message: d.Message,
		CPU: time.Duration(middle([2]int64{int64(d.CPU[0]), int64(d.CPU[1])})), Wall: time.Duration(middle([2]int64{int64(d.Wall[0]), int64(d.Wall[1])})),
		Memory: middle(d.Memory), Processes: middle(d.Processes), StderrTruncated: d.StderrCut,
	}
	if d.StderrBytes > 0 {
		base.Stderr = append(base.Stderr, strings.Repeat("x", d.StderrBytes-len(base.Stderr))...)
	}
	s, want := c.Submission, c.Want
	s.Language, want.Tests = p.lang, nil
	outputs := []string{"", strings.Repeat("x", d.StdoutBytes)}
	if test != nil {
		t := s.Tests[*test]
		s.Tests = []sandbox.TestCase{t}
		if len(c.Want.Tests) > 0 {
			want.Verdict = c.Want.Tests[*test]
		}
		if t.Expected != nil {
			right := string(*t.Expected)
			outputs = append(outputs, right, right+" ", strings.ReplaceAll(right, " ", "  "))
		}
	}
	for _, limit := range []sandbox.Limit{d.Exceeded, sandbox.MemoryLimit, sandbox.NoLimit} {
		for _, status := range []int{d.Exit, 1} {
			for _, stdout := range outputs {
				o := base
				o.Exceeded, o.ExitCode, o.Stdout, o.StdoutTruncated = limit, status, []byte(stdout), d.StdoutCut
				f := fixed{run: o}
				if test == nil {
					f = fixed{compile: o}
				}
				report, err := judge.Judge(p.ctx, f, s, judge.Options{})
				if err != nil || want.compare(report) != nil {
					continue
				}
				if p.spoil != nil {
					p.spoil(c, p.runs, &o)
				}
				return o
			}
		}
	}
	return sandbox.Outcome{Message: "model: no outcome is as the case wants it"}
}
