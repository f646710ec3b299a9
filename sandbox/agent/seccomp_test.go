package agent

import (
	"testing"

	"golang.org/x/sys/unix"
)

// call evaluates the filter as the kernel does (Documentation/networking/filter.rst), and counts steps.
func call(t *testing.T, arch, nr uint32, args ...uint32) (action uint32, steps int) {
	t.Helper()
	program := filter()
	data := map[uint32]uint32{offNr: nr, offArch: arch}
	for i, a := range args {
		data[offArg0+8*uint32(i)] = a
	}
	var acc uint32
	for pc := 0; ; steps++ {
		if pc >= len(program) {
			t.Fatalf("call %d runs off the filter's end", nr)
		}
		in := program[pc]
		pc++
		taken := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = data[in.K]
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K, steps
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			taken = acc == in.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			taken = acc >= in.K
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			taken = acc&in.K != 0
		default:
			t.Fatalf("instruction %#x", in.Code)
		}
		if taken {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
}

func TestFilterDecides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		nr   uint32
		args []uint32
		want uint32
	}{
		{"read", unix.SYS_READ, nil, retAllow},
		{"execve", unix.SYS_EXECVE, nil, retAllow},
		{"mount", unix.SYS_MOUNT, nil, retEPERM},
		{"ptrace", unix.SYS_PTRACE, nil, retEPERM},
		{"bpf", unix.SYS_BPF, nil, retEPERM},
		{"io_setup", unix.SYS_IO_SETUP, nil, retEPERM},
		{"a core-scheduling cookie", unix.SYS_PRCTL, []uint32{unix.PR_SCHED_CORE, unix.PR_SCHED_CORE_CREATE}, retEPERM},
		{"naming a thread", unix.SYS_PRCTL, []uint32{unix.PR_SET_NAME}, retAllow},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, nil, retEPERM},
		{"keyctl", unix.SYS_KEYCTL, nil, retEPERM},
		{"userfaultfd", unix.SYS_USERFAULTFD, nil, retEPERM},
		{"clone3", unix.SYS_CLONE3, nil, retNoSys},
		{"a call of a later kernel", 480, nil, retNoSys},
		{"an x32 call", 0x40000000, nil, retNoSys},
		{"the largest number", 0xffffffff, nil, retNoSys},
		{"clone of a process", unix.SYS_CLONE, []uint32{17}, retAllow},
		{"clone of a thread", unix.SYS_CLONE, []uint32{0x3d0f00}, retAllow},
		{"clone with a user namespace", unix.SYS_CLONE, []uint32{unix.CLONE_NEWUSER | 17}, retEPERM},
		{"clone with a network namespace", unix.SYS_CLONE, []uint32{unix.CLONE_NEWNET}, retEPERM},
		{"unix socket", unix.SYS_SOCKET, []uint32{unix.AF_UNIX}, retAllow},
		{"internet socket", unix.SYS_SOCKET, []uint32{unix.AF_INET}, retAF},
		{"internet socket of version 6", unix.SYS_SOCKET, []uint32{unix.AF_INET6}, retAF},
		{"watching files", unix.SYS_INOTIFY_INIT1, nil, retEPERM},
		{"watching a folder, the old way", unix.SYS_FCNTL, []uint32{3, unix.F_NOTIFY}, retEPERM},
		{"duplicating a descriptor", unix.SYS_FCNTL, []uint32{3, unix.F_DUPFD}, retAllow},
		{"netlink socket", unix.SYS_SOCKET, []uint32{unix.AF_NETLINK}, retAF},
		{"packet socket", unix.SYS_SOCKET, []uint32{unix.AF_PACKET}, retAF},
		{"vsock", unix.SYS_SOCKET, []uint32{unix.AF_VSOCK}, retAF},
		{"typing into a terminal", unix.SYS_IOCTL, []uint32{0, unix.TIOCSTI}, retEPERM},
		{"the console's selection", unix.SYS_IOCTL, []uint32{0, unix.TIOCLINUX}, retEPERM},
		{"size of a terminal", unix.SYS_IOCTL, []uint32{0, unix.TIOCGWINSZ}, retAllow},
		{"setting the core limit", unix.SYS_PRLIMIT64, []uint32{0, unix.RLIMIT_CORE, 1, 0}, retIgnore},
		{"asking the core limit", unix.SYS_PRLIMIT64, []uint32{0, unix.RLIMIT_CORE, 0, 1}, retAllow},
		{"setting the stack limit", unix.SYS_PRLIMIT64, []uint32{0, unix.RLIMIT_STACK, 1, 0}, retAllow},
		{"setting the core limit, the old way", unix.SYS_SETRLIMIT, []uint32{unix.RLIMIT_CORE, 1}, retIgnore},
		{"setting the stack limit, the old way", unix.SYS_SETRLIMIT, []uint32{unix.RLIMIT_STACK, 1}, retAllow},
		{"asking the personality", unix.SYS_PERSONALITY, []uint32{0xffffffff}, retAllow},
		{"another personality", unix.SYS_PERSONALITY, []uint32{8}, retEPERM},
	} {
		if got, _ := call(t, auditArch, c.nr, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	if got, _ := call(t, unix.AUDIT_ARCH_I386, unix.SYS_READ); got != retKill {
		t.Errorf("a call of another architecture: %#x, want the process killed", got)
	}
}

// The kernel runs the filter for every number when it is installed, once a run.
func TestFilterIsShallow(t *testing.T) {
	t.Parallel()
	for nr := range uint32(500) {
		if _, steps := call(t, auditArch, nr); steps > 20 {
			t.Errorf("call %d takes %d steps", nr, steps)
		}
	}
	if n := len(filter()); n > 400 {
		t.Errorf("the filter has %d instructions", n)
	}
}

func TestEveryRefusedCallIsRefused(t *testing.T) {
	t.Parallel()
	for _, nr := range refused() {
		if got, _ := call(t, auditArch, nr); got != retEPERM {
			t.Errorf("call %d: %#x", nr, got)
		}
	}
}
