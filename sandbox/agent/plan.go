package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// The layout of a plan, which init.c maps at planAddr: a header, the strings and structures that
// ops point to, and the ops.
const (
	planAddr    = 0x300000
	planMax     = 1 << 20
	planMagic   = 0x31584f424d49504f
	headerBytes = 48
	clockOffset = 32 // in the header: where opClock notes the time
	opBytes     = 64
)

// The ops that are no system calls.
const (
	opClock = -1 // notes the time
	opFail  = -2 // ends the plan with the error of the op before it
)

var errPlanTooLarge = errors.New("command line and environment are too large")

// plan is a list of system calls for init and then for its child, in init.c's format.
type plan struct {
	ops    []byte
	count  int
	split  int
	data   []byte
	cgroup int
}

func newPlan() *plan {
	return &plan{ops: make([]byte, 0, 6<<10), data: make([]byte, 0, 8<<10), cgroup: -1}
}

// do adds a system call whose failure ends the plan.
func (p *plan) do(nr uintptr, args ...uint64) { p.add(int64(nr), false, args) }

// try adds a system call that may fail.
func (p *plan) try(nr uintptr, args ...uint64) { p.add(int64(nr), true, args) }

// mark adds an op that is no system call.
func (p *plan) mark(nr int64) { p.add(nr, false, nil) }

// child starts the part that the child carries out.
func (p *plan) child() { p.split = p.count }

func (p *plan) add(nr int64, goOn bool, args []uint64) {
	p.count++
	p.ops = binary.LittleEndian.AppendUint64(p.ops, uint64(nr))
	for i := range 6 {
		var v uint64
		if i < len(args) {
			v = args[i]
		}
		p.ops = binary.LittleEndian.AppendUint64(p.ops, v)
	}
	var flag uint64
	if goOn {
		flag = 1
	}
	p.ops = binary.LittleEndian.AppendUint64(p.ops, flag)
}

// describe names a step for an error's text.
func (p *plan) describe(step int64) string {
	if step < 0 || step >= int64(p.count) {
		return "init itself"
	}
	op := p.ops[step*opBytes:]
	return fmt.Sprintf("step %d (system call %d, first argument %d)", step,
		int64(binary.LittleEndian.Uint64(op)), int64(binary.LittleEndian.Uint64(op[8:])))
}

// bytes puts b into the data and gives its address for init.
func (p *plan) bytes(b []byte) uint64 {
	at := p.align()
	p.data = append(p.data, b...)
	return at
}

// align gives the address of what comes next.
func (p *plan) align() uint64 {
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	return uint64(planAddr + headerBytes + len(p.data))
}

// str puts a string, ended by NUL.
func (p *plan) str(s string) uint64 { return p.bytes(append([]byte(s), 0)) }

// words puts an array of 64-bit words.
func (p *plan) words(w ...uint64) uint64 {
	b := make([]byte, 0, 8*len(w))
	for _, v := range w {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return p.bytes(b)
}

// strs puts an array of strings as execve wants it.
func (p *plan) strs(list []string) uint64 {
	pointers := make([]uint64, 0, len(list)+1)
	for _, s := range list {
		pointers = append(pointers, p.str(s))
	}
	return p.words(append(pointers, 0)...)
}

// file writes the plan to a memfd. The caller closes it.
func (p *plan) file() (*os.File, error) {
	opsAt := p.align()
	if opsAt-planAddr+uint64(len(p.ops)) > planMax {
		return nil, errPlanTooLarge
	}
	b := make([]byte, 0, int(opsAt-planAddr)+len(p.ops))
	for _, word := range []uint64{planMagic, uint64(p.count), uint64(p.split), uint64(p.cgroup), 0, opsAt} {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return memfd("plan", slices.Concat(b, p.data, p.ops))
}

// memfd makes an anonymous file with the content b, read from its start.
func memfd(name string, b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(b, 0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("write memfd of %d bytes: %w", len(b), err)
	}
	return f, nil
}
