package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// programInodes bounds the files of a program, compiled or not.
const programInodes = 16 << 10

// Program is a prepared program: its source, and where it stands prepared now.
type Program struct {
	runner *Runner
	lang   sandbox.Language
	source sandbox.Source
	limits sandbox.Limits // of the compile

	mu     sync.Mutex
	place  *place // the last one, which may be lost
	closed bool
}

// place is a program prepared in a container.
type place struct {
	c    *container
	id   uint32
	free func() // gives the container back
}

var errProgramClosed = errors.New("program is closed")

// Prepare implements [sandbox.Runner].
func (r *Runner) Prepare(ctx context.Context, lang sandbox.Language, src sandbox.Source, l sandbox.Limits) (sandbox.Program, sandbox.Outcome, error) {
	if len(src.Files) == 0 {
		return nil, sandbox.Outcome{}, errors.New("prepare: no source file")
	}
	for _, f := range src.Files {
		if err := sandbox.ValidFileName(f.Name); err != nil {
			return nil, sandbox.Outcome{}, fmt.Errorf("prepare: %w", err)
		}
	}
	p := &Program{runner: r, lang: lang, source: src, limits: l.Or(lang.CompileLimits).Or(lang.Limits).Resolved()}
	at, outcome, err := p.prepare(ctx)
	if errors.Is(err, errLost) {
		at, outcome, err = p.prepare(ctx)
	}
	if err != nil || at == nil {
		return nil, outcome, err
	}
	p.place = at
	return p, outcome, nil
}

// prepare puts the program into a container and compiles it there. Where the compile ends other
// than well there is no place.
func (p *Program) prepare(ctx context.Context) (*place, sandbox.Outcome, error) {
	c, free, err := p.runner.container(ctx, p.lang)
	if err != nil {
		return nil, sandbox.Outcome{}, err
	}
	at := &place{c: c, id: c.nextID.Add(1), free: free}
	outcome, err := p.prepareAt(ctx, at)
	if err != nil || !outcome.OK() {
		at.drop()
		return nil, outcome, err
	}
	return at, outcome, nil
}

func (p *Program) prepareAt(ctx context.Context, at *place) (sandbox.Outcome, error) {
	if len(p.lang.Compile) == 0 {
		return sandbox.Outcome{}, p.put(at, 0, sourceBytes(p.source))
	}
	s, err := p.runner.slotFor(ctx, p.limits)
	if err != nil {
		return sandbox.Outcome{}, err
	}
	if err := p.put(at, s.uid, p.limits.Disk); err != nil {
		p.runner.release(s)
		return sandbox.Outcome{}, err
	}
	idle := make(chan struct{})
	outcome, err := at.c.run(ctx, task{
		slot: s, program: at.id, writable: true, limits: p.limits, ofImage: ofImage(p.lang.Compile),
		argv: p.lang.CompileCommand(p.source, p.limits), env: p.environment(at.c),
	}, func() { p.runner.release(s); close(idle) })
	if err != nil || !outcome.OK() {
		return outcome, commandMissing(err, p.lang, "compile")
	}
	select { // a folder that is still written to cannot be sealed
	case <-idle:
	case <-ctx.Done():
		return outcome, fmt.Errorf("compile: %w", context.Cause(ctx))
	}
	return outcome, at.seal()
}

// sourceBytes is what a folder takes that holds the source and no more: whole pages for each file.
func sourceBytes(src sandbox.Source) int64 {
	page := int64(os.Getpagesize())
	bytes := page
	for _, f := range src.Files {
		bytes += (int64(len(f.Content))/page + 1) * page
	}
	return bytes
}

// put makes the program's folder and sends its files.
func (p *Program) put(at *place, uid int, size int64) error {
	spec := wire.ProgramSpec{UID: uid, Bytes: size, Inodes: programInodes}
	b, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("state program %d: %w", at.id, err)
	}
	if err := at.c.send(wire.Frame{Kind: wire.KindProgram, ID: at.id, Payload: b}); err != nil {
		return err
	}
	for _, f := range p.source.Files {
		name := append([]byte(f.Name), 0)
		if len(f.Content) == 0 {
			if err := at.c.send(wire.Frame{Kind: wire.KindFile, ID: at.id, Payload: name}); err != nil {
				return err
			}
		}
		for piece := range pieces(f.Content) {
			payload := slices.Concat(name, piece)
			if err := at.c.send(wire.Frame{Kind: wire.KindFile, ID: at.id, Payload: payload}); err != nil {
				return err
			}
		}
	}
	return nil
}

// seal makes the program's folder read-only. It takes no context: it is over in a moment, and to
// leave before the answer would cost the container, which others use.
func (at *place) seal() error {
	answers := at.c.expect(at.id)
	defer at.c.forget(at.id)
	if err := at.c.send(wire.Frame{Kind: wire.KindSeal, ID: at.id}); err != nil {
		return err
	}
	timeout := time.NewTimer(agentTimeout)
	defer timeout.Stop()
	select {
	case f := <-answers:
		var answer wire.Answer
		if err := f.JSON(&answer); err != nil {
			at.c.fail(err)
			return at.c.lostError()
		}
		if answer.Error != "" {
			return fmt.Errorf("container %s: %s", at.c.id, answer.Error)
		}
		return nil
	case <-at.c.lost:
		return at.c.lostError()
	case <-timeout.C:
		at.c.fail(errors.New("no answer to seal"))
		return at.c.lostError()
	}
}

// drop gives up the place.
func (at *place) drop() {
	if !at.c.isLost() {
		_ = at.c.send(wire.Frame{Kind: wire.KindDrop, ID: at.id})
	}
	at.free()
}

// Run implements [sandbox.Program].
func (p *Program) Run(ctx context.Context, in sandbox.Input, l sandbox.Limits) (sandbox.Outcome, error) {
	at, err := p.current(ctx, nil)
	if err != nil {
		return sandbox.Outcome{}, err
	}
	outcome, err := p.runAt(ctx, at, in, l)
	if !errors.Is(err, errLost) {
		return outcome, err
	}
	p.runner.log.Warn().Err(err).Msg("a run's container was lost; the program is prepared anew")
	if at, err = p.current(ctx, at); err != nil {
		return sandbox.Outcome{}, err
	}
	if in.Restarted != nil {
		in.Restarted()
	}
	return p.runAt(ctx, at, in, l)
}

func (p *Program) runAt(ctx context.Context, at *place, in sandbox.Input, l sandbox.Limits) (sandbox.Outcome, error) {
	s, err := p.runner.slotFor(ctx, l)
	if err != nil {
		return sandbox.Outcome{}, err
	}
	outcome, err := at.c.run(ctx, task{
		slot: s, program: at.id, limits: l, stdin: in.Stdin, output: in.Output, ofImage: ofImage(p.lang.Run),
		argv: p.lang.RunCommand(p.source, in.Args, l), env: p.environment(at.c),
	}, func() { p.runner.release(s) })
	return outcome, commandMissing(err, p.lang, "run")
}

// current gives the program's place, preparing it anew where that was in a lost container.
// Of many runs that lost the same place, the first prepares and the others wait for it.
func (p *Program) current(ctx context.Context, lost *place) (*place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, errProgramClosed
	case p.place != lost && !p.place.c.isLost():
		return p.place, nil
	}
	p.place.drop()
	at, outcome, err := p.prepare(ctx)
	if err == nil && at == nil {
		err = fmt.Errorf("prepare anew: the compile ended with %s where it had ended well before", outcome.Verdict())
	}
	if err != nil {
		p.place.free = func() {}
		return nil, err
	}
	p.place = at
	return at, nil
}

// Close implements [sandbox.Program].
func (p *Program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.place.drop()
	}
	return nil
}

// AgentPID is the host's number of the agent's process, the first one of the container in which the
// program stands: for looking at it, and for tests that kill it. 0 where there is none.
func (p *Program) AgentPID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.place.c.task == nil {
		return 0
	}
	return int(p.place.c.task.Pid())
}

// environment is the image's, the language's, and what every program may count on.
func (p *Program) environment(c *container) []string {
	return slices.Concat(c.env, []string{"HOME=" + WorkDir, "LANG=C.UTF-8"}, p.lang.Env)
}
