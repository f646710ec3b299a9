package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"optimus/sandbox"
)

// model is a Runner that answers each case as a right one would, and acts out the programs of the
// faults; spoil, where set, then makes its outcomes wrong.
type model struct {
	cases []Case
	spoil func(c Case, run int, o *sandbox.Outcome)
}

func (m model) Prepare(ctx context.Context, lang sandbox.Language, src sandbox.Source, _ sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	if strings.HasSuffix(lang.Image, ":none") {
		return nil, sandbox.Outcome{}, fmt.Errorf("model: %w", sandbox.ErrImageMissing)
	}
	if strings.Contains(strings.Join(lang.Compile, " "), "sleep") {
		<-ctx.Done()
		return nil, sandbox.Outcome{}, ctx.Err()
	}
	p := &modelProgram{model: m, source: string(src.Files[0].Content), killed: make(chan struct{})}
	i := slices.IndexFunc(m.cases, func(c Case) bool { return c.Source == p.source && c.Language == lang.Name })
	if i >= 0 {
		p.act = &m.cases[i]
		if p.act.Want.NotCompiled {
			return nil, p.ideal(*p.act), nil
		}
	}
	return p, sandbox.Outcome{}, nil
}

type modelProgram struct {
	model
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
	case p.act == nil:
		return sandbox.Outcome{Stdout: []byte("done\n")}, nil
	}
	return p.ideal(*p.act), nil
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

// ideal finds an outcome that is as the case wants it, by trying.
func (p *modelProgram) ideal(c Case) sandbox.Outcome {
	w := c.Want
	middle := func(bounds [2]int64) int64 { return (bounds[0] + max(bounds[0], bounds[1])) / 2 }
	base := sandbox.Outcome{
		ExitCode: w.ExitCode, Signal: w.Signal, Stderr: []byte(w.StderrHas), Message: "model",
		CPU: time.Duration(middle([2]int64{int64(w.CPU[0]), int64(w.CPU[1])})), Wall: time.Duration(middle([2]int64{int64(w.Wall[0]), int64(w.Wall[1])})),
		Memory: middle(w.Memory), Processes: middle(w.Processes),
	}
	if w.Stdout != nil {
		base.Stdout = []byte(*w.Stdout)
	}
	full := []byte(strings.Repeat("x", 64<<10))
	for _, limit := range []sandbox.Limit{sandbox.NoLimit, sandbox.CPULimit, sandbox.WallLimit, sandbox.MemoryLimit, sandbox.OutputLimit} {
		for _, status := range []int{w.ExitCode, 1} {
			for _, shape := range []func(*sandbox.Outcome){
				func(*sandbox.Outcome) {},
				func(o *sandbox.Outcome) { o.Stdout = full },
				func(o *sandbox.Outcome) { o.Stdout, o.StdoutTruncated = full, true },
				func(o *sandbox.Outcome) { o.Stderr, o.StderrTruncated = full, true },
			} {
				o := base
				o.Exceeded, o.ExitCode = limit, status
				shape(&o)
				if w.compare(o) != nil {
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
