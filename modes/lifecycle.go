package modes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// lifecycle is a stack of named stops. What a process acquires it registers with onStop at once;
// stop undoes everything, last acquired first, so that a half-finished start is undone the same way
// as a whole one. The zero value with a logger is ready, and can be started again after a stop.
type lifecycle struct {
	log zerolog.Logger

	turn sync.Mutex // held by a whole start or stop, so that the two never overlap
	up   bool       // guarded by turn

	mu    sync.Mutex // guards steps, which a start appends to from any goroutine
	steps []stopStep
}

// stopStep is one thing to undo, and how long it may take.
type stopStep struct {
	name  string
	limit time.Duration
	undo  func(context.Context) error
}

// onStop registers undo, to be called by stop with a context that ends after limit.
func (l *lifecycle) onStop(name string, limit time.Duration, undo func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, stopStep{name: name, limit: limit, undo: undo})
}

// start calls begin, which registers what it acquires. Where begin fails, that is undone before
// start returns. Already started, it does nothing.
func (l *lifecycle) start(ctx context.Context, begin func(context.Context) error) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.up {
		return nil
	}
	if err := begin(ctx); err != nil {
		return errors.Join(err, l.unwind(context.WithoutCancel(ctx)))
	}
	l.up = true
	return nil
}

// stop undoes everything and joins the errors. It takes no longer than the steps' limits together:
// a step that does not end in time is left behind and named. It may be called before start, more
// than once and at the same time: a later call waits for the earlier one and finds nothing to do.
// The end of ctx cuts the limits short.
func (l *lifecycle) stop(ctx context.Context) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.up = false
	return l.unwind(ctx)
}

func (l *lifecycle) unwind(ctx context.Context) error {
	var errs []error
	for {
		step, ok := l.pop()
		if !ok {
			return errors.Join(errs...)
		}
		started := time.Now()
		err := step.run(ctx)
		level := zerolog.DebugLevel
		if err != nil {
			errs = append(errs, err)
			level = zerolog.WarnLevel
		}
		l.log.WithLevel(level).Err(err).Str("step", step.name).Dur("took", time.Since(started)).Msg("stopped")
	}
}

func (l *lifecycle) pop() (stopStep, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.steps) - 1
	if last < 0 {
		return stopStep{}, false
	}
	step := l.steps[last]
	l.steps = l.steps[:last]
	return step, true
}

// grace is how long a step whose time is up may still take to notice it.
const grace = 250 * time.Millisecond

// run calls undo; a panic is an error like any other, so that the steps below are reached.
func (s stopStep) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		done <- s.undo(ctx)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			err = fmt.Errorf("still busy after %s: %w", s.limit, ctx.Err())
		}
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}
