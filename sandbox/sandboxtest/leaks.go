package sandboxtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// shimSockets is where containerd's shims listen, whichever containerd started them.
	shimSockets = "/run/containerd/s"
	// settle is how long what is ending may take to be gone.
	settle = 15 * time.Second
)

// Main runs the tests of a package that starts real containers, and gives the exit code. It fails
// where the tests have left anything on this machine: processes, and with them namespaces, mounts,
// cgroups, files, shims' sockets.
//
// All that such tests make lies below one temporary folder, by whose name it is known, whatever
// other packages do at the same time: the folder is what [testing.T.TempDir] gives from. Cgroups
// are known by their names: see [Cgroup]. tidy, where given, removes what all the tests have shared.
func Main(m *testing.M, tidy ...func() error) int {
	h, err := newHost()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	for _, f := range tidy {
		if err := f(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	left := h.settled()
	for _, what := range left {
		fmt.Fprintln(os.Stderr, "the tests have left:", what)
	}
	if err := os.RemoveAll(h.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if len(left) > 0 {
		code = max(code, 1)
	}
	return code
}

// Cgroup gives the path of a cgroup that no other test process uses, for containers to lie below.
func Cgroup(name string) string { return "/" + cgroupPrefix() + name }

func cgroupPrefix() string { return "optimus-test-" + strconv.Itoa(os.Getpid()) + "-" }

// host is this machine, as it was before the tests.
type host struct {
	// dir is where all files of the tests are.
	dir string
	// sockets are the shims' that were there before.
	sockets map[string]bool
}

func newHost() (*host, error) {
	dir, err := os.MkdirTemp("", "optimus-")
	if err != nil {
		return nil, fmt.Errorf("make the tests' folder: %w", err)
	}
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return nil, fmt.Errorf("name the tests' folder: %w", err)
	}
	h := &host{dir: dir, sockets: map[string]bool{}}
	for _, socket := range deafSockets() {
		h.sockets[socket] = true
	}
	return h, nil
}

// settled gives what stays left, once nothing changes any more.
func (h *host) settled() []string {
	const pace = 100 * time.Millisecond
	left := h.left()
	for waited := time.Duration(0); len(left) > 0 && waited < settle; waited += pace {
		time.Sleep(pace)
		left = h.left()
	}
	return left
}

// left lists what is of the tests.
func (h *host) left() []string {
	left := slices.Concat(h.processes(), h.mounts(), h.files(), cgroups())
	for _, socket := range deafSockets() {
		if !h.sockets[socket] {
			left = append(left, "socket "+socket+" of a shim that is gone")
		}
	}
	return left
}

// processes lists those that name the folder: in their arguments, their environment, their working
// folder or, in a mount namespace of their own, in a mount.
func (h *host) processes() (left []string) {
	own, _ := os.Readlink("/proc/self/ns/mnt")
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if filepath.Base(dir) == strconv.Itoa(os.Getpid()) {
			continue
		}
		// What cannot be read has ended meanwhile.
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(dir, "environ"))
		folder, _ := os.Readlink(filepath.Join(dir, "cwd"))
		about := string(command) + "\x00" + string(environment) + "\x00" + folder + "/"
		if space, err := os.Readlink(filepath.Join(dir, "ns/mnt")); err == nil && space != own {
			mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
			about += string(mounts)
		}
		if h.names(about) {
			left = append(left, fmt.Sprintf("process %s: %s", filepath.Base(dir), strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	return left
}

// names tells whether a text names the folder or what is in it.
func (h *host) names(text string) bool {
	return strings.Contains(text, h.dir+"/") || strings.Contains(text, h.dir+"\x00")
}

func (h *host) mounts() (left []string) {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if h.names(line) {
			left = append(left, "mount "+strings.TrimSpace(line))
		}
	}
	return left
}

func (h *host) files() (left []string) {
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		left = append(left, "file "+filepath.Join(h.dir, e.Name()))
	}
	return left
}

// cgroups lists this process's, in whichever hierarchy.
func cgroups() (left []string) {
	_ = filepath.WalkDir(cgroupRoot, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
		case err != nil:
			left = append(left, err.Error())
		case e.IsDir() && strings.HasPrefix(e.Name(), cgroupPrefix()):
			left = append(left, "cgroup "+path)
			return fs.SkipDir
		}
		return nil
	})
	return left
}

// deafSockets lists the sockets of shims on which nobody listens.
func deafSockets() (deaf []string) {
	sockets, _ := filepath.Glob(filepath.Join(shimSockets, "*"))
	heard, _ := os.ReadFile("/proc/net/unix")
	for _, socket := range sockets {
		if !strings.Contains(string(heard), socket) {
			deaf = append(deaf, socket)
		}
	}
	return deaf
}
