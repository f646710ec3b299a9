// Optimus runs untrusted programs in any language and judges them against test cases.
//
// This file decides what the process is, what signals mean to it, and its exit code:
//
//	0  done; a server that was told to stop has stopped in order
//	1  failed; the message says what to do
//	2  the command line is wrong
//	3  a program was judged, and its verdict is not the wanted one
//	4  told to stop for the third time: left without tidying up
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"optimus/modes"
	"optimus/sandbox/agent"
)

// version is stamped by the Makefile.
var version = "dev"

func main() {
	os.Exit(run())
}

func run() int {
	// Inside a container this file is the agent, and must reach nothing else of itself.
	if len(os.Args) > 1 && os.Args[1] == agent.Command {
		return agent.Main(os.Args[2:])
	}
	ctx, hurry, release := listen(context.Background())
	defer release()
	err := modes.Run(ctx, modes.Process{
		Version: version,
		Hurry:   hurry.Done(),
		Reload:  reloads,
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	}, os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "optimus:", err)
	}
	return modes.ExitCode(err)
}

// reloads gives a channel that gets a value for SIGHUP, which from then on does not end the process, until
// ctx ends.
func reloads(ctx context.Context) <-chan os.Signal {
	asked := make(chan os.Signal, 1) // one that waits stands for all
	signal.Notify(asked, syscall.SIGHUP)
	context.AfterFunc(ctx, func() { signal.Stop(asked) })
	return asked
}

// listen gives a context that ends with the first SIGINT or SIGTERM (finish what runs, then stop)
// and one that ends with the second (stop now). A third ends the process where it stands.
func listen(parent context.Context) (ctx, hurry context.Context, release func()) {
	ctx, stop := context.WithCancelCause(parent)
	drain := func() { stop(modes.ErrToldToStop) }
	hurry, now := context.WithCancel(parent)
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for _, react := range []func(){drain, now, func() { os.Exit(modes.ExitAbandoned) }} {
			select {
			case <-signals:
				react()
			case <-parent.Done():
				return
			}
		}
	}()
	return ctx, hurry, func() { signal.Stop(signals); drain(); now() }
}
