package wire

import "optimus/sandbox"

// Kind is the kind of a frame.
type Kind byte

// The kinds that a host sends.
const (
	KindHello Kind = iota + 1
	KindProgram
	KindFile
	KindSeal
	KindDrop
	KindStdin
	KindStart
	KindKill
	KindSpent
)

// The kinds that an agent sends.
const (
	KindReady Kind = iota + 65
	KindSealed
	KindOutput
	KindExit
	KindIdle
)

// Hello opens the conversation.
type Hello struct {
	// Slots is how many runs may be in the container at once; their numbers are 0 to Slots-1.
	Slots int `json:"slots"`
	// Cgroups has the agent make the runs' cgroups itself, in its own kernel's hierarchy (v2), and
	// account for them in Exit: the host has none to pass.
	Cgroups bool `json:"cgroups,omitempty"`
}

// Ready answers Hello: the container can take runs.
type Ready struct {
	// Error says why it cannot.
	Error string `json:"error,omitempty"`
}

// ProgramSpec makes the folder of a program, a tmpfs of its own.
type ProgramSpec struct {
	// UID owns folder and files, so that its compile may write there.
	UID int `json:"uid"`
	// Bytes and Inodes bound it.
	Bytes  int64 `json:"bytes"`
	Inodes int64 `json:"inodes"`
}

// Answer says whether something worked.
type Answer struct {
	Error string `json:"error,omitempty"`
}

// RunSpec is one run.
type RunSpec struct {
	// Slot is the slot that the run occupies.
	Slot int `json:"slot"`
	// Program is the id of the program whose files it sees.
	Program uint32 `json:"program"`
	// Writable gives the run the program's folder itself as its working folder: a compile.
	Writable bool `json:"writable,omitempty"`
	// UID is both user and group of the run.
	UID int `json:"uid"`
	// Argv is the command; its first word is looked up in the PATH of Env.
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	// Limits must be resolved.
	Limits sandbox.Limits `json:"limits"`
	// CgroupV2 tells that the one descriptor is a cgroup folder for CLONE_INTO_CGROUP;
	// otherwise each is a tasks file to which the child writes itself.
	CgroupV2 bool `json:"cgroup_v2,omitempty"`
}

// Exit is what a run did, as far as the container can tell.
type Exit struct {
	// Error is the agent's own failure; the rest then means nothing.
	Error string `json:"error,omitempty"`
	// Status is the raw wait status of the main process (wait(2)); meaningless where Killed.
	Status uint32 `json:"status"`
	// StartError is the errno with which execve failed; 0 where it worked.
	StartError int `json:"start_error,omitempty"`
	// Killed is the limit for which the agent killed the run, or KilledByHost.
	Killed string `json:"killed,omitempty"`
	// WallNS is nanoseconds from execve to the main process's end.
	WallNS int64 `json:"wall_ns"`
	// Usage is there where the agent has made the run's cgroup.
	Usage *Usage `json:"usage,omitempty"`
	// StdoutTruncated and StderrTruncated tell that more was written than was sent.
	StdoutTruncated bool `json:"stdout_truncated,omitempty"`
	StderrTruncated bool `json:"stderr_truncated,omitempty"`
}

// Usage is what a run used, as the kernel of its container accounts it; -1 where it does not tell.
type Usage struct {
	CPUNS int64 `json:"cpu_ns"`
	// Memory is the peak in bytes, and Processes the peak of processes and threads.
	Memory    int64 `json:"memory"`
	Processes int64 `json:"processes"`
	// OOMKilled: that kernel itself ended the run at its memory limit.
	OOMKilled bool `json:"oom_killed,omitempty"`
}

// KilledByHost is Exit.Killed after a kill frame.
const KilledByHost = "host"
