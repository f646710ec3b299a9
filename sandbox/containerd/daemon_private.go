package containerd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const (
	// startTimeout is how long a fresh daemon may take until it answers; usually 0.1 s.
	startTimeout = 15 * time.Second
	// stopTimeout is how long it has to end by itself after SIGTERM.
	stopTimeout = 5 * time.Second
	// maxLogSize is what the daemon's log may hold when it is started; more is dropped then.
	maxLogSize = 8 << 20
)

// privateDaemon is one process's share in the daemon of a folder: see the package's doc.
type privateDaemon struct {
	dir    string
	socket string
	binary string
	path   string // PATH for the daemon, which finds shim and runc by it
	log    zerolog.Logger
	dial   DaemonOptions

	users   *os.File       // holds the shared lock of a user
	proc    *daemonProcess // the daemon; owned by the supervisor once it runs
	cancel  context.CancelFunc
	watched chan struct{} // closed when the supervisor has ended
}

func connectPrivate(ctx context.Context, o DaemonOptions) (*Daemon, error) {
	p, err := newPrivateDaemon(o)
	if err != nil {
		return nil, err
	}
	if err := p.join(ctx); err != nil {
		return nil, err
	}
	d, err := dialDaemon(ctx, p.socket, p.dial)
	if err != nil {
		return nil, errors.Join(err, p.leave(context.WithoutCancel(ctx), nil, ""))
	}
	d.private = p
	supervision, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel, p.watched = cancel, make(chan struct{})
	go p.supervise(supervision)
	return d, nil
}

// newPrivateDaemon checks what can be checked before anything is started.
func newPrivateDaemon(o DaemonOptions) (*privateDaemon, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("no containerd is running, and starting a private one needs root: " +
			"run as root, or set [sandbox] containerd to the socket of one that you may use")
	}
	if o.Dir == "" {
		return nil, errors.New("private containerd: no folder is given for it")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("private containerd: %w", err)
	}
	p := &privateDaemon{dir: dir, path: searchPath(os.Getenv("PATH")), log: o.Log, dial: o}
	for _, name := range []string{"runc", "containerd-shim-runc-v2", "containerd"} {
		if p.binary, err = lookUp(p.path, name); err != nil {
			return nil, fmt.Errorf("private containerd: %w: apt-get install containerd runc", err)
		}
	}
	if err := makeFolder(dir); err != nil {
		return nil, err
	}
	// One name for one folder: the daemon is known by it.
	if p.dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("private containerd: %w", err)
	}
	p.socket = socketPath(p.dir)
	return p, makeFolder(filepath.Dir(p.socket))
}

// makeFolder makes one that is not 0700: a container in a user namespace must be able to walk through.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("private containerd: %w: is the data folder on a disk that can be written to?", err)
	}
	return nil
}

// socketPath is below dir, or below /run where dir's path is too long for a socket.
func socketPath(dir string) string {
	socket := filepath.Join(dir, "containerd.sock")
	if len(socket)+len(".ttrpc") <= maxSocketPath {
		return socket
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join("/run/optimus", hex.EncodeToString(sum[:6]), "containerd.sock")
}

// searchPath adds where Debian keeps system commands, which a user's PATH often lacks.
func searchPath(path string) string {
	parts := filepath.SplitList(path)
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		if !slices.Contains(parts, dir) {
			parts = append(parts, dir)
		}
	}
	return strings.Join(parts, string(filepath.ListSeparator))
}

// lookUp finds a command in path rather than in this process's own PATH.
func lookUp(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, name); filepath.IsAbs(file) {
			if found, err := exec.LookPath(file); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

func (p *privateDaemon) runcRoot() string   { return filepath.Join(p.dir, "runc") }
func (p *privateDaemon) runscRoot() string  { return filepath.Join(p.dir, "runsc") }
func (p *privateDaemon) configFile() string { return filepath.Join(p.dir, "config.toml") }
func (p *privateDaemon) logFile() string    { return filepath.Join(p.dir, "containerd.log") }

// join makes this process a user of the daemon and has it running.
func (p *privateDaemon) join(ctx context.Context) (err error) {
	start, err := p.lockStart(ctx)
	if err != nil {
		return err
	}
	defer start.Close()
	p.users, err = lockFile(ctx, filepath.Join(p.dir, "users.lock"), unix.LOCK_SH)
	if err != nil {
		return fmt.Errorf("private containerd: %w", err)
	}
	if err = p.ensure(ctx); err != nil {
		return errors.Join(err, p.users.Close())
	}
	return nil
}

func (p *privateDaemon) lockStart(ctx context.Context) (*os.File, error) {
	f, err := lockFile(ctx, filepath.Join(p.dir, "start.lock"), unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("private containerd: another process holds its lock for too long: %w", err)
	}
	return f, nil
}

// ensure leaves a daemon running that answers, and p.proc set to it: one that is there
// already, or a new one. The start lock must be held.
func (p *privateDaemon) ensure(ctx context.Context) error {
	changed, err := p.writeConfig()
	if err != nil {
		return err
	}
	old, err := p.find()
	if err != nil {
		return err
	}
	if old != nil {
		if !changed && p.answers(ctx) {
			p.log.Debug().Int("pid", old.pid).Msg("private containerd is running already")
			p.proc = old
			return nil
		}
		p.log.Info().Int("pid", old.pid).Msg("replacing a private containerd that is out of date or does not answer")
		if err := old.stop(ctx); err != nil {
			return fmt.Errorf("private containerd: %w", err)
		}
	}
	return p.start(ctx)
}

// find gives the daemon of this folder, whoever started it; nil where none runs.
func (p *privateDaemon) find() (*daemonProcess, error) {
	pids, err := findProcesses(p.dir, func(args []string) bool {
		return filepath.Base(args[0]) == "containerd" && slices.Contains(args, p.configFile())
	})
	if err != nil || len(pids) == 0 {
		return nil, err
	}
	proc, err := openProcess(pids[0])
	if errors.Is(err, unix.ESRCH) {
		return nil, nil //nolint:nilnil // it ended meanwhile
	}
	return proc, err
}

func (p *privateDaemon) answers(ctx context.Context) bool {
	d, err := dialDaemon(ctx, p.socket, p.dial)
	if err != nil {
		return false
	}
	return d.client.Close() == nil
}

// start runs the daemon and waits until it answers.
func (p *privateDaemon) start(ctx context.Context) error {
	logs, err := p.openLog()
	if err != nil {
		return err
	}
	defer logs.Close()
	offset, err := logs.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("private containerd: %w", err)
	}
	// The daemon outlives ctx: it is stopped by leave.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.binary, "--config", p.configFile()) //nolint:gosec // the path of the installed containerd
	cmd.Dir, cmd.Env = p.dir, p.environment(os.Environ())
	cmd.Stdout, cmd.Stderr = logs, logs
	// A session of its own, so that a Ctrl-C meant for us does not reach it before its containers are ended.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start private containerd: %w", err)
	}
	proc, err := openProcess(cmd.Process.Pid)
	if err != nil {
		return errors.Join(fmt.Errorf("private containerd: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	go cmd.Wait() //nolint:errcheck // only reaps: proc tells the end
	if err := p.awaitAnswer(ctx, proc); err != nil {
		err = fmt.Errorf("private containerd: %w: its log, %s, ends: %s", err, p.logFile(), p.logEnd(offset))
		return errors.Join(err, proc.stop(context.WithoutCancel(ctx)))
	}
	p.log.Debug().Int("pid", proc.pid).Str("socket", p.socket).Msg("private containerd is up")
	p.proc = proc
	return nil
}

// environment is what the daemon gets: not what systemd means for us alone.
func (p *privateDaemon) environment(env []string) []string {
	env = slices.DeleteFunc(env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == "PATH" || name == "NOTIFY_SOCKET" || name == "WATCHDOG_PID" || name == "WATCHDOG_USEC" ||
			strings.HasPrefix(name, "LISTEN_")
	})
	return append(env, "PATH="+p.path, "CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=true")
}

// awaitAnswer waits until the socket takes connections: containerd listens once all is loaded.
func (p *privateDaemon) awaitAnswer(ctx context.Context, proc *daemonProcess) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", p.socket); err == nil {
			return conn.Close() //nolint:wrapcheck // a unix socket's close says enough
		}
		select {
		case <-proc.exited:
			return errors.New("it ended while it started")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func (p *privateDaemon) openLog() (*os.File, error) {
	if info, err := os.Stat(p.logFile()); err == nil && info.Size() > maxLogSize {
		if err := os.Truncate(p.logFile(), 0); err != nil {
			return nil, fmt.Errorf("private containerd: %w", err)
		}
	}
	f, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("private containerd: %w", err)
	}
	return f, nil
}

// logEnd gives the last lines that the daemon has logged since offset, on one line.
func (p *privateDaemon) logEnd(offset int64) string {
	const lines = 3
	text, err := os.ReadFile(p.logFile())
	if err != nil || int64(len(text)) <= offset {
		return "(nothing)"
	}
	all := strings.Split(string(bytes.TrimSpace(text[offset:])), "\n")
	return strings.Join(all[max(0, len(all)-lines):], " | ")
}

// leave gives up this process's share. The last user ends what still runs in the daemon,
// stops it and undoes its mounts; images stay. c may be nil: then nothing was made with snapshotter.
func (p *privateDaemon) leave(ctx context.Context, c *client.Client, snapshotter string) error {
	if p.cancel != nil {
		p.cancel()
		<-p.watched
	}
	start, err := p.lockStart(ctx)
	if err != nil {
		return errors.Join(err, p.users.Close())
	}
	defer start.Close()
	defer p.users.Close()
	p.proc.release()
	if err := unix.Flock(int(p.users.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		p.log.Debug().Msg("private containerd has other users: it stays")
		return nil
	}
	if c != nil {
		if err := p.endContainers(ctx, c, snapshotter); err != nil {
			p.log.Warn().Err(err).Msg("containers could not be ended through containerd; ending their processes")
		}
	}
	// Found anew: the one that was watched may have died since.
	proc, err := p.find()
	if err == nil && proc != nil {
		err = proc.stop(ctx)
	}
	if err != nil {
		return fmt.Errorf("private containerd: %w", err)
	}
	return p.cleanUp(ctx)
}
