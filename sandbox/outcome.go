package sandbox

import "time"

// Limit names the limit that ended a run.
type Limit string

// The limits that can end a run.
const (
	NoLimit     Limit = ""
	CPULimit    Limit = "cpu"
	WallLimit   Limit = "wall"
	MemoryLimit Limit = "memory"
	OutputLimit Limit = "output"
)

// Outcome is what one run of a user's program did: facts, measured apart from container
// start and, for a test, from the compile.
type Outcome struct {
	// Exceeded is the limit that ended the run, if one did.
	Exceeded Limit `json:"exceeded,omitempty"`
	// ExitCode of the main process; meaningless where Signal is not 0.
	ExitCode int `json:"exit_code"`
	// Signal that ended the main process; 0 for none.
	Signal int `json:"signal,omitempty"`
	// CPU is user and system time of all processes of the run, reaped or not.
	CPU time.Duration `json:"cpu_ns"`
	// Wall is real time from execve to the main process's end.
	Wall time.Duration `json:"wall_ns"`
	// Memory is the peak in bytes of what [Limits.Memory] bounds; -1 where the
	// kernel does not tell.
	Memory int64 `json:"memory"`
	// Processes is the peak of processes and threads alive at once; -1 where the
	// kernel does not tell.
	Processes int64 `json:"processes"`
	// Stdout and Stderr hold what was written, up to [Limits.Output].
	Stdout []byte `json:"stdout,omitempty"`
	Stderr []byte `json:"stderr,omitempty"`
	// StdoutTruncated and StderrTruncated tell that more was written than was kept.
	StdoutTruncated bool `json:"stdout_truncated,omitempty"`
	StderrTruncated bool `json:"stderr_truncated,omitempty"`
	// Message says in words what the figures do not, such as why the command could not be started.
	Message string `json:"message,omitempty"`
}

// Verdict is what the outcome alone says of a test: Accepted where the program ended with
// status 0 inside its limits, which a checker may then refuse.
func (o Outcome) Verdict() Verdict {
	switch o.Exceeded {
	case CPULimit, WallLimit:
		return TimeLimitExceeded
	case MemoryLimit:
		return MemoryLimitExceeded
	case OutputLimit:
		return OutputLimitExceeded
	case NoLimit:
	}
	if o.Signal != 0 || o.ExitCode != 0 {
		return RuntimeError
	}
	return Accepted
}

// OK tells whether the program ended with status 0 inside its limits.
func (o Outcome) OK() bool { return o.Verdict() == Accepted }
