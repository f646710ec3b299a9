package modes

import (
	"context"
	"errors"
	"fmt"
)

// The exit codes of the binary.
const (
	ExitOK        = 0
	ExitFailed    = 1
	ExitUsage     = 2
	ExitVerdict   = 3
	ExitAbandoned = 4
)

// ExitCode gives the exit code that stands for what a command returned.
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &usage):
		return ExitUsage
	case errors.Is(err, errVerdict):
		return ExitVerdict
	default:
		return ExitFailed
	}
}

// errVerdict is wrapped where everything worked and the verdict is not the wanted one.
var errVerdict = errors.New("not the wanted verdict")

// ErrToldToStop is the cause with which a process that got a signal ends its context. It is a
// [context.Canceled].
var ErrToldToStop error = toldToStopError{}

type toldToStopError struct{}

func (toldToStopError) Error() string        { return "told to stop" }
func (toldToStopError) Is(target error) bool { return target == context.Canceled }

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}
