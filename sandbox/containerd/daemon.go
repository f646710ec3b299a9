package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// Namespace is the containerd namespace of every object of Optimus, unless another is configured.
const Namespace = "optimus"

// The modes of [DaemonOptions] beside a socket's path.
const (
	// ModeAuto takes a running system containerd, else a private one.
	ModeAuto = "auto"
	// ModePrivate starts a private containerd whatever else runs.
	ModePrivate = "private"
)

const (
	// maxSocketPath is what fits into a unix socket's address, less the final NUL.
	maxSocketPath = 107
	// answerTimeout bounds one question to a daemon that is up.
	answerTimeout = 2 * time.Second
)

// DaemonOptions says which containerd to use.
type DaemonOptions struct {
	// Mode is [ModeAuto] (also when empty), [ModePrivate] or the absolute path of a socket.
	Mode string
	// Dir is the private daemon's own folder, made where it is missing; the daemon is
	// known by it. Unused where another containerd is taken.
	Dir string
	// SystemSockets are where ModeAuto looks for a running containerd, in this order; nil
	// stands for [SystemSockets].
	SystemSockets []string
	// Namespace is the containerd namespace; empty stands for the constant of that name.
	Namespace string
	// Snapshotter to use; empty stands for overlayfs where it works, else native.
	Snapshotter string
	Log         zerolog.Logger
}

// SystemSockets lists where distributions of containerd and Kubernetes listen.
func SystemSockets() []string {
	return []string{
		"/run/containerd/containerd.sock",
		"/run/k3s/containerd/containerd.sock",
		"/run/k0s/containerd.sock",
		"/var/snap/microk8s/common/run/containerd.sock",
	}
}

// Daemon is a containerd that answers. Its methods may be called by many goroutines at once.
type Daemon struct {
	client      *client.Client
	address     string
	version     string
	snapshotter string
	private     *privateDaemon // nil for a system daemon
	folders     []string       // where it says that it writes

	closing  sync.Once
	closeErr error
}

// Connect gives a containerd that answers, starting a private one where o asks for it.
// Errors name what to do.
func Connect(ctx context.Context, o DaemonOptions) (*Daemon, error) {
	routeClientLog(o.Log)
	switch {
	case o.Mode == "" || o.Mode == ModeAuto:
		return connectAuto(ctx, o)
	case o.Mode == ModePrivate:
		return connectPrivate(ctx, o)
	case filepath.IsAbs(o.Mode):
		return dialDaemon(ctx, o.Mode, o)
	default:
		return nil, fmt.Errorf("containerd %q: want %q, %q or the absolute path of its socket", o.Mode, ModeAuto, ModePrivate)
	}
}

func connectAuto(ctx context.Context, o DaemonOptions) (*Daemon, error) {
	sockets := o.SystemSockets
	if sockets == nil {
		sockets = SystemSockets()
	}
	for _, socket := range sockets {
		if _, err := os.Stat(socket); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		d, err := dialDaemon(ctx, socket, o)
		if err == nil {
			o.Log.Debug().Str("socket", socket).Str("version", d.version).Msg("using the system's containerd")
			return d, nil
		}
		o.Log.Warn().Err(err).Str("socket", socket).Msg("the system's containerd can't be used; trying the next")
	}
	return connectPrivate(ctx, o)
}

// dialDaemon connects to a daemon that is up already.
func dialDaemon(ctx context.Context, socket string, o DaemonOptions) (*Daemon, error) {
	if err := checkSocket(socket); err != nil {
		return nil, err
	}
	c, err := client.New(socket, client.WithDefaultNamespace(cmp.Or(o.Namespace, Namespace)), client.WithTimeout(answerTimeout))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd at %s: %w", socket, err)
	}
	d := &Daemon{client: c, address: socket}
	if err := d.ask(ctx, o.Snapshotter); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return d, nil
}

// checkSocket tells beforehand what gRPC would only say as "connection refused".
func checkSocket(socket string) error {
	if len(socket) > maxSocketPath {
		return fmt.Errorf("containerd socket %s: its path is %d bytes long, a socket's may be %d: choose a shorter one",
			socket, len(socket), maxSocketPath)
	}
	info, err := os.Stat(socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("containerd socket: %w: start that containerd, or set [sandbox] containerd = %q", err, ModeAuto)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("containerd socket: %w: run as root", err)
	case err != nil:
		return fmt.Errorf("containerd socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("containerd socket %s: is not a socket: name that of a containerd, or set [sandbox] containerd = %q", socket, ModeAuto)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, socket, unix.W_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("containerd socket %s: %w: run as root", socket, err)
	}
	return nil
}

// ask learns what the rest of the package needs to know of the daemon.
func (d *Daemon) ask(ctx context.Context, snapshotter string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	v, err := d.client.Version(ctx)
	if err != nil {
		return fmt.Errorf("containerd at %s does not answer: %w: is it running, and are you root?", d.address, err)
	}
	d.version = v.Version
	if d.folders, err = writtenFolders(ctx, d.client); err != nil {
		return fmt.Errorf("containerd at %s: %w", d.address, err)
	}
	d.snapshotter, err = chooseSnapshotter(ctx, d.client, snapshotter)
	if err != nil {
		return fmt.Errorf("containerd at %s: %w", d.address, err)
	}
	return nil
}

// Client is the daemon's client, its default namespace being the configured one. It reconnects by
// itself after a restart of the daemon. Close closes it.
func (d *Daemon) Client() *client.Client { return d.client }

// Address is the path of the daemon's socket.
func (d *Daemon) Address() string { return d.address }

// Version is the daemon's own version, such as "1.6.20" or "v2.1.0".
func (d *Daemon) Version() string { return d.version }

// Private tells whether the daemon is Optimus's own.
func (d *Daemon) Private() bool { return d.private != nil }

// Snapshotter is the snapshotter that images are unpacked for and containers are made with.
func (d *Daemon) Snapshotter() string { return d.snapshotter }

// RuncRoot is the Root of runc's options for every container of this daemon; empty for the
// runtime's default. Two daemons that shared one would see each other's containers.
func (d *Daemon) RuncRoot() string {
	if d.private == nil {
		return ""
	}
	return d.private.runcRoot()
}

// Images gives the daemon's images.
func (d *Daemon) Images() *Images { return NewImages(d.client, d.snapshotter) }

// Close closes the client. A private daemon whose last user this was is stopped, and what
// still runs in it ended first. Later calls return what the first did.
func (d *Daemon) Close(ctx context.Context) error {
	d.closing.Do(func() {
		if d.private != nil {
			d.closeErr = d.private.leave(ctx, d.client, d.snapshotter)
		}
		d.closeErr = errors.Join(d.closeErr, d.client.Close())
	})
	return d.closeErr
}

// chooseSnapshotter gives the wanted one if it works. Where none is wanted it prefers
// overlayfs and falls back on native, which copies, where the file system below can't carry
// an overlay.
func chooseSnapshotter(ctx context.Context, c *client.Client, wanted string) (string, error) {
	candidates := []string{"overlayfs", "native"}
	if wanted != "" {
		candidates = []string{wanted}
	}
	resp, err := c.IntrospectionService().Plugins(ctx, "type==io.containerd.snapshotter.v1")
	if err != nil {
		return "", fmt.Errorf("list snapshotters: %w", err)
	}
	var reasons []error
	for _, name := range candidates {
		for _, p := range resp.Plugins {
			switch {
			case p.ID != name:
			case p.InitErr == nil:
				return name, nil
			default:
				reasons = append(reasons, fmt.Errorf("%s: %s", name, p.InitErr.Message))
			}
		}
	}
	return "", fmt.Errorf("no snapshotter works of %s: %w", strings.Join(candidates, ", "), errors.Join(reasons...))
}
