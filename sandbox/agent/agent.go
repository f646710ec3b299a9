package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"

	"golang.org/x/sys/unix"

	"optimus/sandbox/wire"
)

// Command is the first argument with which the binary becomes the agent.
const Command = "agent"

// Exit codes of the agent.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

// maxStdin bounds the standard input of a run, in bytes.
const maxStdin = 1 << 30

// Main is the agent: it speaks with the host over the unix socket that args name, or, with "-",
// over its own standard input and output. It returns the process's exit code when the host
// hangs up.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: "+Command+" SOCKET|- (internal: started by the host inside a container)")
		return exitUsage
	}
	// The agent is small and lives long: memory matters more to it than time.
	debug.SetGCPercent(50)
	rwc, err := dial(args[0])
	if err == nil {
		err = serve(wire.NewAgent(rwc))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		return exitFault
	}
	return exitOK
}

func dial(address string) (io.ReadWriteCloser, error) {
	if address == "-" {
		return stdio{}, nil
	}
	c, err := net.Dial("unix", address) //nolint:noctx // PID 1 of a container has nothing else to do
	if err != nil {
		return nil, fmt.Errorf("reach the host: %w", err)
	}
	return c, nil
}

type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }   //nolint:wrapcheck // io.EOF must stay bare
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) } //nolint:wrapcheck // a plain passage
func (stdio) Close() error                { return os.Stdin.Close() }   //nolint:wrapcheck // a plain passage

// agent is the state of one conversation.
type agent struct {
	conn     *wire.Conn
	shared   *shared
	programs *programs

	mu    sync.Mutex
	runs  map[uint32]*run
	stdin map[uint32][]byte // of runs that are not started yet
}

// serve answers the host until it hangs up, which is no error.
func serve(conn *wire.Conn) error {
	a := &agent{conn: conn, programs: newPrograms(), runs: map[uint32]*run{}, stdin: map[uint32][]byte{}}
	if err := a.greet(); err != nil {
		return err
	}
	for {
		f, err := conn.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hear the host: %w", err)
		}
		if err := a.handle(f); err != nil {
			return err
		}
	}
}

// greet makes what boxes share and tells the host whether that worked.
func (a *agent) greet() error {
	f, err := a.conn.Read()
	if err != nil {
		return fmt.Errorf("hear the host: %w", err)
	}
	var hello wire.Hello
	if f.Kind != wire.KindHello {
		return fmt.Errorf("%w: kind %d before hello", wire.ErrProtocol, f.Kind)
	}
	if err := f.JSON(&hello); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	var ready wire.Ready
	var fault error
	if a.shared, fault = setup(hello); fault != nil {
		ready.Error = fault.Error()
	}
	forgetStart()
	if err := a.conn.SendJSON(wire.KindReady, 0, ready); err != nil {
		return fmt.Errorf("answer the host: %w", err)
	}
	return fault
}

// handle does what a frame asks. It never sends nor waits itself: the host may be waiting until
// this end has read on, and every run's kill comes this way.
func (a *agent) handle(f wire.Frame) error {
	switch f.Kind {
	case wire.KindProgram:
		var spec wire.ProgramSpec
		if err := f.JSON(&spec); err != nil {
			return fmt.Errorf("program: %w", err)
		}
		a.programs.add(f.ID, spec)
	case wire.KindFile:
		a.programs.write(f.ID, f.Payload)
	case wire.KindSeal:
		go a.seal(f.ID)
	case wire.KindDrop:
		a.programs.drop(f.ID)
	case wire.KindStdin:
		if len(a.stdin[f.ID])+len(f.Payload) > maxStdin {
			return fmt.Errorf("%w: standard input of over %d bytes", wire.ErrProtocol, maxStdin)
		}
		a.stdin[f.ID] = append(a.stdin[f.ID], f.Payload...)
	case wire.KindStart:
		return a.start(f)
	case wire.KindKill, wire.KindSpent:
		a.mu.Lock()
		r := a.runs[f.ID]
		a.mu.Unlock()
		switch {
		case r == nil:
		case f.Kind == wire.KindSpent:
			r.spent.Store(true)
		default:
			r.kill(wire.KilledByHost)
		}
	case wire.KindHello, wire.KindReady, wire.KindSealed, wire.KindOutput, wire.KindExit, wire.KindIdle:
		return fmt.Errorf("%w: kind %d in the wrong place", wire.ErrProtocol, f.Kind)
	default:
		return fmt.Errorf("%w: kind %d", wire.ErrProtocol, f.Kind)
	}
	return nil
}

func (a *agent) seal(id uint32) {
	var answer wire.Answer
	if err := a.programs.seal(id); err != nil {
		answer.Error = err.Error()
	}
	_ = a.conn.SendJSON(wire.KindSealed, id, answer)
}

// refuse answers for a run that cannot be started.
func (a *agent) refuse(id uint32, fault error) {
	_ = a.conn.SendJSON(wire.KindExit, id, wire.Exit{Error: fault.Error()})
	_ = a.conn.Send(wire.Frame{Kind: wire.KindIdle, ID: id})
}

func (a *agent) start(f wire.Frame) error {
	r := &run{id: f.ID, conn: a.conn, stdin: a.stdin[f.ID]}
	delete(a.stdin, f.ID)
	if err := f.JSON(&r.spec); err != nil {
		f.CloseFiles()
		return fmt.Errorf("start: %w", err)
	}
	p, fault := a.programs.get(r.spec.Program)
	if r.spec.Slot < 0 || r.spec.Slot >= len(a.shared.networks) || len(r.spec.Argv) == 0 {
		fault = fmt.Errorf("slot %d of %d, or no command: %w", r.spec.Slot, len(a.shared.networks), unix.EINVAL)
	}
	if fault != nil {
		f.CloseFiles()
		go a.refuse(f.ID, fault)
		return nil //nolint:nilerr // the run's fault, not the conversation's
	}
	a.mu.Lock()
	a.runs[f.ID] = r
	a.mu.Unlock()
	go func() {
		r.carryOut(a.shared, p, f.Files)
		a.mu.Lock()
		delete(a.runs, f.ID)
		a.mu.Unlock()
	}()
	return nil
}
