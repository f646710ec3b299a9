package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"optimus/sandbox"
)

// Fake is a [sandbox.Runner] that runs nothing: the main file is a script of one command a line,
// carried out by each Run, or by Prepare where it is said.
//
//	print TEXT          write TEXT and a line feed to standard output
//	complain TEXT       the same to standard error
//	cat                 copy standard input to standard output
//	exit N              end with status N
//	signal N            end by signal N
//	exceed LIMIT        end by a limit: cpu, wall, memory, output
//	memory N            the peak is N bytes
//	truncate            standard output counts as cut
//	wait NAME           wait until the gate of that name is opened, or ctx ends
//	linger NAME         the same whatever becomes of ctx: a Runner that is slow to stop
//	error TEXT          the Runner fails
//	panic TEXT          the Runner panics
//	lose                the container is lost, once: the run begins anew
//	no-image            the Runner fails with ErrImageMissing
//	unavailable         the Runner fails with ErrUnavailable
//	prepare COMMAND     Prepare carries it out instead: exit and exceed fail the compile
//	case WORD COMMAND   it is carried out only where standard input is WORD
//
// Empty lines, and lines that start with #, do nothing. An unknown command is the Runner's error.
type Fake struct {
	mu    sync.Mutex
	gates map[string]*Gate
	stats Stats
}

// Stats count what a [Fake] was asked to do.
type Stats struct {
	Prepared int // calls of Prepare
	Runs     int // calls of Run
	Active   int // runs that have not returned
	MostRuns int // the most runs at once
	Open     int // programs that were not closed
}

// NewFake makes a Fake without opened gates.
func NewFake() *Fake { return &Fake{gates: make(map[string]*Gate)} }

// Gate is a point at which scripts wait.
type Gate struct {
	reached chan struct{}
	open    chan struct{}
	once    sync.Once
}

// Reached gets a value for each arrival at the gate, up to 1000 that nobody took.
func (g *Gate) Reached() <-chan struct{} { return g.reached }

// Open lets everyone through, now and later.
func (g *Gate) Open() { g.once.Do(func() { close(g.open) }) }

// Gate gives the gate of a name; it is made by the first call, closed.
func (f *Fake) Gate(name string) *Gate {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.gates[name]
	if g == nil {
		g = &Gate{reached: make(chan struct{}, 1000), open: make(chan struct{})}
		f.gates[name] = g
	}
	return g
}

// Stats gives the counts so far.
func (f *Fake) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *Fake) count(change func(*Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// Prepare carries out the script's prepare lines.
func (f *Fake) Prepare(ctx context.Context, _ sandbox.Language, src sandbox.Source, l sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	f.count(func(s *Stats) { s.Prepared++ })
	if len(src.Files) == 0 {
		return nil, sandbox.Outcome{}, errors.New("fake: a source without files")
	}
	var run []string
	e := execution{fake: f, limits: l}
	for line := range strings.Lines(string(src.Files[0].Content)) {
		line = strings.TrimSpace(line)
		if command, ok := strings.CutPrefix(line, "prepare "); ok {
			if err := e.do(ctx, command); err != nil {
				return nil, sandbox.Outcome{}, err
			}
			continue
		}
		run = append(run, line)
	}
	if !e.outcome.OK() {
		return nil, e.outcome, nil
	}
	f.count(func(s *Stats) { s.Open++ })
	return &fakeProgram{fake: f, script: run}, e.outcome, nil
}

type fakeProgram struct {
	fake   *Fake
	script []string
	closed sync.Once
}

func (p *fakeProgram) Close() error {
	p.closed.Do(func() { p.fake.count(func(s *Stats) { s.Open-- }) })
	return nil
}

func (p *fakeProgram) Run(ctx context.Context, in sandbox.Input, l sandbox.Limits) (sandbox.Outcome, error) {
	p.fake.count(func(s *Stats) {
		s.Runs++
		s.Active++
		s.MostRuns = max(s.MostRuns, s.Active)
	})
	defer p.fake.count(func(s *Stats) { s.Active-- })
	e := execution{fake: p.fake, limits: l, in: in}
	e.outcome.CPU, e.outcome.Wall, e.outcome.Processes = time.Millisecond, 2*time.Millisecond, 1
	e.outcome.Memory = 1 << 20
	first := e
	err := e.run(ctx, p.script)
	if errors.Is(err, errLost) {
		if in.Restarted != nil {
			in.Restarted()
		}
		e, e.again = first, true
		err = e.run(ctx, p.script)
	}
	if err != nil {
		return sandbox.Outcome{}, err
	}
	return e.outcome, nil
}

// execution is a script on its way.
type execution struct {
	fake    *Fake
	limits  sandbox.Limits
	in      sandbox.Input
	outcome sandbox.Outcome
	ended   bool
	again   bool // the container was lost before
}

var errLost = errors.New("fake: container is lost")

func (e *execution) run(ctx context.Context, script []string) error {
	for _, line := range script {
		if e.ended {
			break
		}
		if err := e.do(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func (e *execution) do(ctx context.Context, line string) error {
	command, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch command {
	case "", "#":
	case "print":
		e.write(sandbox.Stdout, rest+"\n")
	case "complain":
		e.write(sandbox.Stderr, rest+"\n")
	case "cat":
		e.write(sandbox.Stdout, string(e.in.Stdin))
	case "exceed":
		e.outcome.Exceeded, e.ended = sandbox.Limit(rest), true
	case "truncate":
		e.outcome.StdoutTruncated = true
	case "wait", "linger":
		return e.wait(ctx, rest, command == "linger")
	case "error":
		return fmt.Errorf("fake: %s", rest)
	case "panic":
		panic(rest)
	case "lose":
		if !e.again {
			return errLost
		}
	case "no-image":
		return fmt.Errorf("fake: %w", sandbox.ErrImageMissing)
	case "unavailable":
		return fmt.Errorf("fake: %w", sandbox.ErrUnavailable)
	case "case":
		word, command, _ := strings.Cut(rest, " ")
		if strings.TrimSpace(string(e.in.Stdin)) == word {
			return e.do(ctx, command)
		}
	default:
		return e.number(command, rest)
	}
	return nil
}

func (e *execution) number(command, rest string) error {
	n, err := strconv.Atoi(rest)
	if err != nil {
		return fmt.Errorf("fake: command %q of %q: %w", command, rest, err)
	}
	switch command {
	case "exit":
		e.outcome.ExitCode, e.ended = n, true
	case "signal":
		e.outcome.Signal, e.ended = n, true
	case "memory":
		e.outcome.Memory = int64(n)
	default:
		return fmt.Errorf("fake: unknown command %q", command)
	}
	return nil
}

func (e *execution) write(s sandbox.Stream, text string) {
	if e.in.Output != nil {
		e.in.Output(s, []byte(text))
	}
	kept, truncated := &e.outcome.Stdout, &e.outcome.StdoutTruncated
	if s == sandbox.Stderr {
		kept, truncated = &e.outcome.Stderr, &e.outcome.StderrTruncated
	}
	*kept = append(*kept, text...)
	if limit := e.limits.Output; limit > 0 && int64(len(*kept)) > limit {
		*kept, *truncated = (*kept)[:limit], true
		e.outcome.Exceeded, e.ended = sandbox.OutputLimit, true
	}
}

func (e *execution) wait(ctx context.Context, name string, linger bool) error {
	g := e.fake.Gate(name)
	select {
	case g.reached <- struct{}{}:
	default:
	}
	if linger {
		<-g.open
		return ctx.Err()
	}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Script is a source for a [Fake] with these lines.
func Script(lines ...string) sandbox.Source {
	return sandbox.Source{Files: []sandbox.File{{Name: "main.fake", Content: []byte(strings.Join(lines, "\n"))}}}
}
