package agent

import (
	"cmp"
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// The filter of a box's system calls. What an honest program calls is allowed; what administers
// the machine, looks into other processes, makes namespaces or opens much of the kernel for
// little use is refused with EPERM; what this list does not know (a newer kernel's) does not
// exist (ENOSYS), and neither does clone3, so that the C library falls back to clone, whose flags
// a filter can see.
//
// The rules become a binary search over ranges of equal action: the kernel runs the filter for
// every system call number when it is installed (to build its bitmap of always-allowed calls),
// so a linear list would cost each run a tenth of a millisecond.

// Return values of a filter (linux/seccomp.h).
const (
	retAllow = unix.SECCOMP_RET_ALLOW
	retKill  = unix.SECCOMP_RET_KILL_PROCESS
	retEPERM = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retNoSys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	// retIgnore answers success and does nothing.
	retIgnore = unix.SECCOMP_RET_ERRNO
	retAF     = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
)

// Offsets in struct seccomp_data (linux/seccomp.h), little endian.
const (
	offNr   = 0
	offArch = 4
	offArg0 = 16
	offArg1 = 24
	offArg2 = 32
)

// refused lists the system calls of both architectures that answer EPERM; archRefused those of one.
// (io_setup takes from a pool of the whole machine, fs.aio-max-nr, which one program can empty.)
func refused() []uint32 {
	return append([]uint32{
		unix.SYS_ACCT, unix.SYS_ADD_KEY, unix.SYS_ADJTIMEX, unix.SYS_BPF, unix.SYS_CHROOT, unix.SYS_CLOCK_ADJTIME,
		unix.SYS_CLOCK_SETTIME, unix.SYS_DELETE_MODULE, unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK,
		unix.SYS_FINIT_MODULE, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSOPEN, unix.SYS_FSPICK,
		unix.SYS_INIT_MODULE, unix.SYS_INOTIFY_ADD_WATCH, unix.SYS_INOTIFY_INIT1,
		unix.SYS_IO_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_IO_URING_SETUP,
		unix.SYS_KCMP, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_KEXEC_LOAD, unix.SYS_KEYCTL, unix.SYS_LOOKUP_DCOOKIE,
		unix.SYS_MEMFD_SECRET, unix.SYS_MIGRATE_PAGES, unix.SYS_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT,
		unix.SYS_MOVE_PAGES, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_NFSSERVCTL, unix.SYS_OPEN_BY_HANDLE_AT,
		unix.SYS_OPEN_TREE, unix.SYS_PERF_EVENT_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIVOT_ROOT,
		unix.SYS_PROCESS_MADVISE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PTRACE,
		unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_REBOOT, unix.SYS_REQUEST_KEY, unix.SYS_SETDOMAINNAME,
		unix.SYS_SETHOSTNAME, unix.SYS_SETNS, unix.SYS_SETTIMEOFDAY, unix.SYS_SWAPOFF, unix.SYS_SWAPON,
		unix.SYS_SYSLOG, unix.SYS_UMOUNT2, unix.SYS_UNSHARE, unix.SYS_USERFAULTFD, unix.SYS_VHANGUP,
	}, archRefused()...)
}

// Flags of clone that make namespaces (linux/sched.h).
const cloneNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME

// inspected gives, for the calls whose arguments decide, the instructions that end in a return.
// CLONE_NEWTIME overlaps clone's exit signal, where it never stands for a signal that exists.
func inspected() map[uint32][]unix.SockFilter {
	ret := func(v uint32) unix.SockFilter { return stmt(unix.BPF_RET|unix.BPF_K, v) }
	load := func(off uint32) unix.SockFilter { return stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, off) }
	oneOf := func(off, otherwise uint32, values ...uint32) []unix.SockFilter {
		code := []unix.SockFilter{load(off)}
		for i, v := range values {
			code = append(code, jump(unix.BPF_JEQ, v, uint8(len(values)-i), 0))
		}
		return append(code, ret(otherwise), ret(retAllow))
	}
	return map[uint32][]unix.SockFilter{
		unix.SYS_CLONE3: {ret(retNoSys)},
		unix.SYS_CLONE: {
			load(offArg0), jump(unix.BPF_JSET, cloneNamespaces, 0, 1), ret(retEPERM), ret(retAllow),
		},
		// None of the internet's: they lead nowhere, yet what is tried is counted in the slot's network
		// namespace, where its next run could read it.
		unix.SYS_SOCKET:     oneOf(offArg0, retAF, unix.AF_UNIX),
		unix.SYS_SOCKETPAIR: oneOf(offArg0, retAF, unix.AF_UNIX),
		// Watches, as inotify's, tell of what other runs do with the image's files.
		unix.SYS_FCNTL: {
			load(offArg1), jump(unix.BPF_JEQ, unix.F_NOTIFY, 0, 1), ret(retEPERM), ret(retAllow),
		},
		// 0: Linux; 0x40000: without address randomisation, which some runtimes ask for; all ones: only asks.
		unix.SYS_PERSONALITY: oneOf(offArg0, retEPERM, 0, 0x40000, 0xffffffff),
		// A core-scheduling cookie keeps every other program off the processor's other threads.
		unix.SYS_PRCTL: {
			load(offArg0), jump(unix.BPF_JEQ, unix.PR_SCHED_CORE, 0, 1), ret(retEPERM), ret(retAllow),
		},
		// The limit of core dumps stays (see rlimits); many a program lowers it, and may believe so.
		unix.SYS_SETRLIMIT: {
			load(offArg0), jump(unix.BPF_JEQ, unix.RLIMIT_CORE, 0, 1), ret(retIgnore), ret(retAllow),
		},
		unix.SYS_PRLIMIT64: {
			load(offArg1), jump(unix.BPF_JEQ, unix.RLIMIT_CORE, 0, 5),
			load(offArg2), jump(unix.BPF_JEQ, 0, 0, 2), load(offArg2 + 4), jump(unix.BPF_JEQ, 0, 1, 0),
			ret(retIgnore), ret(retAllow),
		},
		// TIOCSTI and TIOCLINUX type into a terminal that is not theirs.
		unix.SYS_IOCTL: {
			load(offArg1), jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, unix.TIOCLINUX, 0, 1),
			ret(retEPERM), ret(retAllow),
		},
	}
}

// span is a range of system call numbers, from first to the next span's first, with one action.
type span struct {
	first uint32
	code  []unix.SockFilter
}

// filter makes the program.
func filter() []unix.SockFilter {
	code := []unix.SockFilter{
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0),
		stmt(unix.BPF_RET|unix.BPF_K, retKill),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offNr),
	}
	return append(code, search(spans())...)
}

func spans() []span {
	one := func(v uint32) []unix.SockFilter { return []unix.SockFilter{stmt(unix.BPF_RET|unix.BPF_K, v)} }
	special := inspected()
	denied := refused()
	slices.Sort(denied)
	action := func(nr uint32) []unix.SockFilter {
		if code, ok := special[nr]; ok {
			return code
		}
		if _, ok := slices.BinarySearch(denied, nr); ok {
			return one(retEPERM)
		}
		for _, r := range known() {
			if nr >= r[0] && nr <= r[1] {
				return one(retAllow)
			}
		}
		return one(retNoSys)
	}
	var list []span
	last := slices.MaxFunc(known(), func(a, b [2]uint32) int { return cmp.Compare(a[1], b[1]) })[1]
	for nr := range last + 2 {
		code := action(nr)
		if n := len(list); n == 0 || !slices.Equal(list[n-1].code, code) {
			list = append(list, span{nr, code})
		}
	}
	return list
}

// search gives the code that finds the span of the number in the accumulator.
func search(list []span) []unix.SockFilter {
	if len(list) == 1 {
		return list[0].code
	}
	half := len(list) / 2
	left, right := search(list[:half]), search(list[half:])
	if len(left) <= 255 {
		return slices.Concat([]unix.SockFilter{jump(unix.BPF_JGE, list[half].first, uint8(len(left)), 0)}, left, right)
	}
	return slices.Concat([]unix.SockFilter{
		jump(unix.BPF_JGE, list[half].first, 0, 1),
		stmt(unix.BPF_JMP|unix.BPF_JA, uint32(len(left))),
	}, left, right)
}

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func jump(op uint16, k uint32, jt, jf uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: jt, Jf: jf, K: k}
}

// filterBytes is the filter as struct sock_filter[] (linux/filter.h).
func filterBytes() []byte {
	var b []byte
	for _, i := range filter() {
		b = binary.LittleEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.LittleEndian.AppendUint32(b, i.K)
	}
	return b
}
