package agent

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// known are the ranges of numbers that this list was made for (Linux 6.18). The x32 numbers,
// from 0x40000000, are outside.
func known() [][2]uint32 { return [][2]uint32{{0, 334}, {424, 456}, {462, 462}} }

func archRefused() []uint32 {
	return []uint32{
		unix.SYS_AFS_SYSCALL, unix.SYS_CREATE_MODULE, unix.SYS_GETPMSG, unix.SYS_GET_KERNEL_SYMS, unix.SYS_INOTIFY_INIT,
		unix.SYS_IOPERM,
		unix.SYS_IOPL, unix.SYS_MODIFY_LDT, unix.SYS_PUTPMSG, unix.SYS_QUERY_MODULE, unix.SYS_SECURITY, unix.SYS_SYSFS,
		unix.SYS_TUXCALL, unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS_VSERVER, unix.SYS__SYSCTL,
	}
}
