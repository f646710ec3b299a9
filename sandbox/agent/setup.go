package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"optimus/sandbox/wire"
)

// Base is the one mount point of Optimus in a container, a tmpfs. Below it the host mounts the
// agent's binary and the folder of its socket.
const Base = "/.optimus"

// WorkDir is the working folder of a run; the container's spec makes its mount point.
const WorkDir = "/work"

// Paths below Base that the agent makes.
const (
	initPath    = Base + "/init"
	imagePath   = Base + "/image"    // the image, read-only, without what is mounted on it
	devPath     = Base + "/dev"      // the devices of a box
	programsDir = Base + "/programs" // a tmpfs for each program
	scratchPath = Base + "/scratch"  // where each box mounts its own tmpfs
	rootPath    = Base + "/root"     // where each box builds its root
	emptyPath   = Base + "/empty"    // hides a folder
)

// shared is what all boxes of the container have in common, made once.
type shared struct {
	// networks are the slots' empty network namespaces.
	networks []*os.File
	// masks are the paths, most of them below /proc, that are hidden in a box: folders and files.
	maskDirs, maskFiles []string
	// capabilities that the bounding set still holds.
	capabilities []int
	// hard are the hard limits that the agent itself has, by resource, of those that can be set.
	hard map[int]uint64
	// cgroups: the agent makes the runs' cgroups itself.
	cgroups bool
	// seccomp is the filter's program.
	seccomp []byte
}

func setup(hello wire.Hello) (*shared, error) {
	unix.Umask(0)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	for _, dir := range []string{imagePath, devPath, programsDir, scratchPath, rootPath, emptyPath} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make folder: %w", err)
		}
	}
	if err := os.WriteFile(initPath, initBinary, 0o755); err != nil {
		return nil, fmt.Errorf("write init: %w", err)
	}
	// The image's own files, without any mount on top.
	if err := bindReadOnly("/", imagePath); err != nil {
		return nil, err
	}
	if err := bindReadOnly(emptyPath, emptyPath); err != nil {
		return nil, err
	}
	if err := makeDevices(); err != nil {
		return nil, err
	}
	if hello.Cgroups {
		if err := mountCgroups(); err != nil {
			return nil, err
		}
	}
	s := &shared{hard: map[int]uint64{}, seccomp: filterBytes(), cgroups: hello.Cgroups}
	for range hello.Slots {
		ns, err := newNetwork()
		if err != nil {
			return nil, err
		}
		s.networks = append(s.networks, ns)
	}
	s.findMasks()
	// gVisor shows what is mounted there, the agent's file, in the image itself.
	if left, err := os.ReadDir(imagePath + Base); err == nil && len(left) > 0 {
		s.maskDirs = append(s.maskDirs, Base)
	}
	for c := range unix.CAP_LAST_CAP + 1 {
		if r, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err == nil && r == 1 {
			s.capabilities = append(s.capabilities, c)
		}
	}
	for _, resource := range limitedResources() {
		var l unix.Rlimit
		if err := unix.Getrlimit(resource, &l); err != nil {
			return nil, fmt.Errorf("getrlimit %d: %w", resource, err)
		}
		// A kernel that is not the host's may lack a limit: gVisor does, of core dumps and of queues.
		if err := unix.Setrlimit(resource, &l); err == nil {
			s.hard[resource] = l.Max
		} else if !hello.Cgroups {
			return nil, fmt.Errorf("setrlimit %d: %w", resource, err)
		}
	}
	return s, nil
}

// bindReadOnly shows source at target, and whoever binds target onwards inherits its flags.
func bindReadOnly(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", source, err)
	}
	const flags = unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
	if err := unix.Mount("", target, "", flags, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", target, err)
	}
	return nil
}

// makeDevices makes the /dev of every box: a read-only tmpfs with the harmless devices.
func makeDevices() error {
	if err := unix.Mount("tmpfs", devPath, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,size=64k"); err != nil {
		return fmt.Errorf("mount devices: %w", err)
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		if err := makeDevice(filepath.Join(devPath, name), name, minor); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(devPath, name)); err != nil {
			return fmt.Errorf("make device: %w", err)
		}
	}
	if err := os.Mkdir(filepath.Join(devPath, "shm"), 0o755); err != nil {
		return fmt.Errorf("make /dev/shm: %w", err)
	}
	const flags = unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NOEXEC
	if err := unix.Mount("", devPath, "", flags|unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("make devices read-only: %w", err)
	}
	return nil
}

// makeDevice makes a memory device (major 1), or, in a user namespace, which may not, binds the
// container's own.
func makeDevice(path, name string, minor uint32) error {
	err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor)))
	if err == nil {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make device %s: %w", name, err)
	}
	_ = f.Close()
	if err := unix.Mount("/dev/"+name, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind device %s: %w", name, err)
	}
	return nil
}

// newNetwork makes a network namespace with nothing in it but a loopback that is down. The thread
// that unshares is not used for anything else: its goroutine ends locked to it, so it ends too.
func newNetwork() (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- result{err: fmt.Errorf("make a network namespace: %w", err)}
			return
		}
		f, err := os.Open(fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()))
		if err != nil {
			err = fmt.Errorf("open network namespace: %w", err)
		}
		made <- result{f, err}
	}()
	r := <-made
	return r.f, r.err
}

// findMasks lists what a container runtime hides of a container's /proc (runc's masked paths), as
// far as it is there: a box mounts a new one. What only root may read needs no mask, and what only
// root may write needs not be read-only: a box's user never is.
func (s *shared) findMasks() {
	for _, name := range []string{
		"acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list", "timer_stats",
	} {
		const othersRead = 0o004
		switch i, err := os.Stat("/proc/" + name); {
		case err != nil || i.Mode().Perm()&othersRead == 0:
		case i.IsDir():
			s.maskDirs = append(s.maskDirs, "/proc/"+name)
		default:
			s.maskFiles = append(s.maskFiles, "/proc/"+name)
		}
	}
}
