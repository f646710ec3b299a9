package agent

import (
	"fmt"
	"math"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// Descriptors of init, in the order of its files.
const (
	fdReport  = 3
	fdPlan    = 4
	fdNetwork = 5
	fdCgroup  = 6 // and following
)

// boxHostname is what a program sees as its machine's name.
const boxHostname = "box"

// scratchInodes bounds the files of working folder, /tmp and /dev/shm together.
const scratchInodes = 16 << 10

// box states a run as a plan: what init makes around the child, and what the child gives up
// before it becomes the user's program.
func (s *shared) box(spec wire.RunSpec, p *program, cgroups int) *plan {
	pl := newPlan()
	pl.do(unix.SYS_SETNS, fdNetwork, unix.CLONE_NEWNET)
	pl.do(unix.SYS_SETHOSTNAME, pl.str(boxHostname), uint64(len(boxHostname)))
	s.mounts(pl, spec, p)
	pl.child()
	s.join(pl, spec, cgroups)
	s.confine(pl, spec)
	s.become(pl, spec)
	return pl
}

// mounts builds the root: the image, one fresh tmpfs behind all that may be written, the
// program's files, devices, and a /proc of the box's own.
func (s *shared) mounts(pl *plan, spec wire.RunSpec, p *program) {
	const plain = unix.MS_NOSUID | unix.MS_NODEV
	mount := func(source, target, fstype string, flags uint64, data string) {
		var d uint64
		if data != "" {
			d = pl.str(data)
		}
		pl.do(unix.SYS_MOUNT, pl.str(source), pl.str(target), pl.str(fstype), flags, d)
	}
	bind := func(source, target string) { mount(source, target, "", unix.MS_BIND, "") }
	mkdir := func(name string, mode uint64) { pl.do(unix.SYS_MKDIRAT, at(unix.AT_FDCWD), pl.str(name), mode) }

	mount("tmpfs", scratchPath, "tmpfs", plain,
		fmt.Sprintf("mode=0711,size=%d,nr_inodes=%d", spec.Limits.Disk, scratchInodes))
	mkdir(scratchPath+"/tmp", 0o1777)
	mkdir(scratchPath+"/shm", 0o1777)

	bind(imagePath, rootPath)
	bind(scratchPath+"/tmp", rootPath+"/tmp")
	mount(devPath, rootPath+"/dev", "", unix.MS_BIND|unix.MS_REC, "")
	bind(scratchPath+"/shm", rootPath+"/dev/shm")
	if spec.Writable {
		bind(p.dir, rootPath+WorkDir)
	} else {
		// An overlay: the run sees the program's files in its working folder and may put others
		// in their place, and no other run sees that.
		mkdir(scratchPath+"/upper", 0o755)
		mkdir(scratchPath+"/work", 0o755)
		pl.do(unix.SYS_FCHOWNAT, at(unix.AT_FDCWD), pl.str(scratchPath+"/upper"), uint64(spec.UID), uint64(spec.UID), 0)
		lower := p.dir
		if !s.cgroups { // gVisor takes no relative path
			// Seen from the program's folder: a box's mountinfo shows the options as they are stated,
			// and how many programs there were is nobody's business.
			pl.do(unix.SYS_CHDIR, pl.str(p.dir))
			lower = "."
		}
		mount("overlay", rootPath+WorkDir, "overlay", plain,
			"lowerdir="+lower+",upperdir="+scratchPath+"/upper,workdir="+scratchPath+"/work")
	}
	mount("proc", rootPath+"/proc", "proc", plain|unix.MS_NOEXEC, "hidepid=2")
	for _, d := range s.maskDirs {
		bind(emptyPath, rootPath+d)
	}
	for _, f := range s.maskFiles {
		bind(devPath+"/null", rootPath+f)
	}
	// pivot_root(2), "pivot_root(".", ".")": the old root comes to lie over the new one and is detached.
	pl.do(unix.SYS_CHDIR, pl.str(rootPath))
	pl.do(unix.SYS_PIVOT_ROOT, pl.str("."), pl.str("."))
	pl.do(unix.SYS_UMOUNT2, pl.str("."), unix.MNT_DETACH)
}

// join puts the child into the run's cgroups and hides the tree above them.
func (s *shared) join(pl *plan, spec wire.RunSpec, cgroups int) {
	if spec.CgroupV2 && cgroups > 0 {
		pl.cgroup = fdCgroup
	} else {
		zero := pl.str("0")
		for i := range cgroups {
			pl.do(unix.SYS_WRITE, uint64(fdCgroup+i), zero, 1)
		}
	}
	pl.do(unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
}

// confine gives the child its session, limits and identity, and takes all privilege from it.
func (s *shared) confine(pl *plan, spec wire.RunSpec) {
	uid := uint64(spec.UID)
	pl.do(unix.SYS_SETSID)
	pl.do(unix.SYS_UMASK, 0o022)
	pl.do(unix.SYS_CHDIR, pl.str(WorkDir))
	for resource, value := range rlimits(spec.Limits) {
		hard, ok := s.hard[resource]
		if !ok {
			continue
		}
		value = min(value, hard)
		pl.do(unix.SYS_PRLIMIT64, 0, uint64(resource), pl.words(value, value), 0)
	}
	for _, c := range s.capabilities {
		pl.do(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uint64(c))
	}
	pl.do(unix.SYS_SETGROUPS, 0, 0)
	pl.do(unix.SYS_SETRESGID, uid, uid, uid)
	pl.do(unix.SYS_SETRESUID, uid, uid, uid)
	const capabilityVersion3 = 0x20080522 // linux/capability.h
	pl.do(unix.SYS_CAPSET, pl.words(capabilityVersion3), pl.words(0, 0, 0))
	pl.do(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	pl.do(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	// All but 0-2 close at execve; the report's end must live until then.
	pl.do(unix.SYS_CLOSE_RANGE, fdReport, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}

// become installs the filter, notes the time and executes the command, found in PATH as a shell
// would find it.
func (s *shared) become(pl *plan, spec wire.RunSpec) {
	code := s.seccomp
	pl.do(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0,
		pl.words(uint64(len(code)/8), pl.bytes(code)))
	pl.mark(opClock)
	argv, env := pl.strs(spec.Argv), pl.strs(spec.Env)
	for _, file := range candidates(spec.Argv[0], spec.Env) {
		pl.try(unix.SYS_EXECVE, pl.str(file), argv, env)
	}
	pl.mark(opFail)
}

// candidates are the files that a command may name, in order.
func candidates(command string, env []string) []string {
	if strings.Contains(command, "/") {
		return []string{command}
	}
	search := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	var files []string
	for dir := range strings.SplitSeq(search, ":") {
		if path.IsAbs(dir) {
			files = append(files, path.Join(dir, command))
		}
	}
	// A compiled program's bare name is a file of the working folder.
	return append(files, WorkDir+"/"+command)
}

// limitedResources are the resources that rlimits states.
func limitedResources() []int {
	return []int{
		unix.RLIMIT_CPU, unix.RLIMIT_FSIZE, unix.RLIMIT_NOFILE, unix.RLIMIT_STACK, unix.RLIMIT_CORE,
		unix.RLIMIT_MSGQUEUE, unix.RLIMIT_MEMLOCK,
	}
}

// rlimits are a second line behind cgroups and the host's clock, and the only line for files,
// stack and cores.
func rlimits(l sandbox.Limits) map[int]uint64 {
	return map[int]uint64{
		// Per process, in whole seconds: only for a run that the host no longer watches. Twice the
		// limit, since the kernel counts it by ticks, which on a busy machine are a fifth too many.
		unix.RLIMIT_CPU:    uint64(2*l.CPU/time.Second) + 2,
		unix.RLIMIT_FSIZE:  uint64(l.FileSize),
		unix.RLIMIT_NOFILE: uint64(l.OpenFiles),
		unix.RLIMIT_STACK:  uint64(l.Stack),
		// No dump, neither to a file, for which this is too small, nor to the host's own handler
		// of crashes (core(5), "|..."), which 0 would not keep away. The filter lets none change it.
		unix.RLIMIT_CORE:     1,
		unix.RLIMIT_MSGQUEUE: 819200, // Linux's default
		unix.RLIMIT_MEMLOCK:  8 << 20,
	}
}

func at(fd int) uint64 { return uint64(int64(fd)) }

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
