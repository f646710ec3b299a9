package sandbox

import (
	"context"
	"errors"
)

// Runner prepares programs of a language and runs them in isolation. An [Outcome] speaks of
// the user's program; an error is Optimus's own failure: retried, never billed to the program.
//
// A Runner and its Programs may be used by many goroutines at once.
type Runner interface {
	// Prepare compiles src once, bounded by l (zero fields are taken from
	// lang.CompileLimits). Where the compile ends other than well the Program is nil and the
	// Outcome says why. For a language that is not compiled the Outcome is zero.
	Prepare(ctx context.Context, lang Language, src Source, l Limits) (Program, Outcome, error)
}

// Program is a prepared program. It keeps its source: if its container or agent is lost it
// prepares itself anew once within the same Run, unseen but for [Input.Restarted]; a second loss
// is an error.
type Program interface {
	// Run runs the program once in a fresh box; any number may run at the same time.
	// l must be resolved ([Language.TestLimits]).
	Run(ctx context.Context, in Input, l Limits) (Outcome, error)
	// Close frees what the program holds; later calls do nothing.
	Close() error
}

// Input is what one run is given.
type Input struct {
	Stdin []byte
	Args  []string
	// Output, where not nil, is called with each piece of output as it arrives, from one
	// goroutine at a time; it must not keep p. What is over the output limit is not shown.
	Output func(s Stream, p []byte)
	// Restarted, where not nil, is called when the run begins anew since its container was lost:
	// what Output was given until then is void. It is not called at the same time as Output.
	Restarted func()
}

// Stream names an output stream.
type Stream string

// The output streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// ErrImageMissing is wrapped by a Runner's error where the language's image is not on this
// machine: no retry here mends it.
var ErrImageMissing = errors.New("image is not present")

// ErrUnavailable is wrapped by a Runner's error where this machine can start nothing for now,
// whatever the program: its container daemon does not answer, or a disk is full. It says nothing of
// the job, which waits until the machine is well, or for another machine.
var ErrUnavailable = errors.New("this machine can run nothing for now")
