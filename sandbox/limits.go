package sandbox

import (
	"cmp"
	"time"
)

// Limits bounds one run. A zero field means "not stated": see [Limits.Or].
type Limits struct {
	// CPU is user and system time summed over all processes and threads of the run.
	CPU time.Duration `json:"cpu_ns,omitempty"`
	// Wall is real time from execve to the main process's end.
	Wall time.Duration `json:"wall_ns,omitempty"`
	// Memory, in bytes: anonymous memory, tmpfs (working folder, /tmp, /dev/shm) and
	// the run's own file cache.
	Memory int64 `json:"memory,omitempty"`
	// Output, in bytes, is how much of standard output and of standard error each is kept; more
	// on standard output ends the run, more on standard error is dropped.
	Output int64 `json:"output,omitempty"`
	// Processes counts processes and threads alive at once.
	Processes int64 `json:"processes,omitempty"`
	// FileSize, in bytes, is RLIMIT_FSIZE: the largest file that may be written.
	FileSize int64 `json:"file_size,omitempty"`
	// OpenFiles is RLIMIT_NOFILE.
	OpenFiles int64 `json:"open_files,omitempty"`
	// Stack, in bytes, is RLIMIT_STACK; not stated, it equals Memory.
	Stack int64 `json:"stack,omitempty"`
	// Disk, in bytes, bounds working folder, /tmp and /dev/shm together; not stated, it equals Memory.
	Disk int64 `json:"disk,omitempty"`
}

// Or fills every field of l that is not stated from d.
func (l Limits) Or(d Limits) Limits {
	l.CPU = cmp.Or(l.CPU, d.CPU)
	l.Wall = cmp.Or(l.Wall, d.Wall)
	l.Memory = cmp.Or(l.Memory, d.Memory)
	l.Output = cmp.Or(l.Output, d.Output)
	l.Processes = cmp.Or(l.Processes, d.Processes)
	l.FileSize = cmp.Or(l.FileSize, d.FileSize)
	l.OpenFiles = cmp.Or(l.OpenFiles, d.OpenFiles)
	l.Stack = cmp.Or(l.Stack, d.Stack)
	l.Disk = cmp.Or(l.Disk, d.Disk)
	return l
}

// Resolved fills Stack and Disk, where not stated, from Memory.
func (l Limits) Resolved() Limits {
	l.Stack = cmp.Or(l.Stack, l.Memory)
	l.Disk = cmp.Or(l.Disk, l.Memory)
	return l
}

// Complete tells whether every limit is stated, as a run needs it.
func (l Limits) Complete() bool {
	return l.CPU > 0 && l.Wall > 0 && l.Memory > 0 && l.Output > 0 && l.Processes > 0 && l.FileSize > 0 &&
		l.OpenFiles > 0 && l.Stack > 0 && l.Disk > 0
}

// Scaled multiplies the times by time and the memory by memory; a factor of 0 is 1.
// Languages with slow or large runtimes ask for it in the catalogue.
func (l Limits) Scaled(time, memory float64) Limits {
	l.CPU = scaled(l.CPU, time)
	l.Wall = scaled(l.Wall, time)
	l.Memory = scaled(l.Memory, memory)
	return l
}

func scaled[T ~int64](v T, factor float64) T {
	if factor == 0 {
		return v
	}
	return T(float64(v) * factor)
}
