package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"optimus/sandbox/wire"
)

// transport is how the host and the agent of one container reach each other.
type transport interface {
	// spec is what the agent is told, and what the container needs for it.
	spec() []oci.SpecOpts
	// io makes the standard streams of the container's first process, the agent.
	io(id string) (cio.IO, error)
	// connect waits for the agent, which is process pid of this machine.
	connect(ctx context.Context, pid uint32) (*wire.Conn, error)
	// done ends what only connect was for.
	done()
}

// transport gives the one that fits the runtime: a socket, which passes descriptors too, where the
// container runs on this machine's kernel, else the agent's standard streams.
func (c *container) transport(ctx context.Context, runtime string) (transport, error) {
	if runtime == defaultRuntime {
		l, err := listen(filepath.Join(c.dir, socketName))
		if err != nil {
			return nil, err
		}
		return &socket{UnixListener: l, c: c}, nil
	}
	s, err := openStdio(ctx, c.dir, c.logFile, c.id)
	if err != nil {
		return nil, err
	}
	c.conn = wire.New(s) // from here on, who fails the container closes it
	return &streams{stdio: s, conn: c.conn}, nil
}

// socket is a unix socket on which the host listens, in a folder that the container sees.
type socket struct {
	*net.UnixListener

	c *container
}

func (s *socket) spec() []oci.SpecOpts {
	return []oci.SpecOpts{
		oci.WithProcessArgs(innerAgent, "agent", innerSocket),
		oci.WithMounts([]specs.Mount{bind(s.c.dir, innerHost, "rw")}),
	}
}

func (s *socket) io(id string) (cio.IO, error) {
	return cio.LogFile(s.c.logFile)(id)
}

func (s *socket) connect(ctx context.Context, pid uint32) (*wire.Conn, error) {
	return accept(ctx, s.UnixListener, pid)
}

func (s *socket) done() { _ = s.Close() }

// streams are the agent's standard input and output.
type streams struct {
	stdio *stdio
	conn  *wire.Conn
}

func (s *streams) spec() []oci.SpecOpts {
	return []oci.SpecOpts{
		oci.WithProcessArgs(innerAgent, "agent", "-"),
		// By it gVisor's shim knows a container that is alone in its sandbox.
		oci.WithAnnotations(map[string]string{"io.kubernetes.cri.container-type": "sandbox"}),
	}
}

func (s *streams) io(string) (cio.IO, error) { return s.stdio, nil }

func (s *streams) connect(context.Context, uint32) (*wire.Conn, error) { return s.conn, nil }

func (s *streams) done() {}

func listen(path string) (*net.UnixListener, error) {
	// bind(2) takes at most 107 bytes.
	if len(path) > 107 {
		return nil, fmt.Errorf("socket path %s is over 107 bytes: choose a data folder with a shorter path", path)
	}
	_ = os.Remove(path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, wrap("listen for the agent", err)
	}
	return l, nil
}

// accept takes exactly one connection, from the container's own first process; the socket is
// closed and unlinked by the caller at once.
func accept(ctx context.Context, l *net.UnixListener, pid uint32) (*wire.Conn, error) {
	deadline, _ := ctx.Deadline()
	if err := l.SetDeadline(deadline); err != nil {
		return nil, wrap("wait for the agent", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	conn, err := l.AcceptUnix()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, wrap("wait for the agent", err)
	}
	peer, err := peerOf(conn)
	if err != nil || int64(peer.Pid) != int64(pid) {
		_ = conn.Close()
		return nil, errors.Join(fmt.Errorf("identify the agent: the peer is not process %d of the container", pid), err)
	}
	return wire.New(conn), nil
}

// maxAgentLog bounds, in bytes, what is kept of an agent's words that come over its standard error.
const maxAgentLog = 64 << 10

// stdio is the agent's connection where the container has a kernel of its own, into which neither a
// socket nor descriptors reach: the standard input and output of the container's first process, as
// named pipes between the runtime's shim and this process. It is a [cio.IO] to containerd, which
// closes it with the task, and an [io.ReadWriteCloser] to the conversation.
type stdio struct {
	*cio.DirectIO

	closing sync.Once
	err     error
}

// openStdio makes the pipes below dir. What comes over standard error goes to logFile.
func openStdio(ctx context.Context, dir, logFile, id string) (*stdio, error) {
	fifos, err := cio.NewFIFOSetInDir(dir, id, false)
	if err != nil {
		return nil, wrap("make the agent's pipes", err)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, errors.Join(wrap("make the agent's log", err), fifos.Close())
	}
	// The pipes outlive ctx: they end with the task.
	direct, err := cio.NewDirectIO(context.WithoutCancel(ctx), fifos)
	if err != nil {
		return nil, errors.Join(wrap("open the agent's pipes", err), log.Close(), fifos.Close())
	}
	go func() {
		defer log.Close()
		_, _ = io.Copy(log, io.LimitReader(direct.Stderr, maxAgentLog))
		_, _ = io.Copy(io.Discard, direct.Stderr) // or the agent would block
	}()
	return &stdio{DirectIO: direct}, nil
}

// Read and Write leave io.EOF bare.
func (s *stdio) Read(p []byte) (int, error)  { return s.Stdout.Read(p) } //nolint:wrapcheck // a plain passage
func (s *stdio) Write(p []byte) (int, error) { return s.Stdin.Write(p) } //nolint:wrapcheck // a plain passage

// Close implements both interfaces; containerd and the conversation each call it.
func (s *stdio) Close() error {
	s.closing.Do(func() { s.err = s.DirectIO.Close() })
	return s.err
}
