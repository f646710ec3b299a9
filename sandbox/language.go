package sandbox

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// Tier is how much is shared between the runs of different jobs.
type Tier string

// The isolation tiers.
const (
	// Shared: one warm container for each image, a fresh box for each run.
	Shared Tier = "shared"
	// Dedicated: a container for each job from a pre-started pool, destroyed after it.
	Dedicated Tier = "dedicated"
)

// Language is a language as resolved from the catalogue when a job was submitted,
// so that a job means the same to every worker, whatever catalogue that has.
//
// Compile and Run are argument lists in which these placeholders stand for values:
// {source} the main file's name, {sources} (alone in its argument) the name of every file with the
// main file's extension (headers and data are no sources), {main} the main file's name without its
// extension, {args} (alone) the submission's arguments, {memory_mb} the memory limit less
// MemoryOverhead, {stack_mb} the stack limit.
type Language struct {
	// Name is the canonical name, such as "python".
	Name string `json:"name"`
	// Version of the toolchain, such as "3.13.5".
	Version string `json:"version"`
	// Image is the OCI reference, such as "optimus.local/python:trixie".
	Image string `json:"image"`
	// Digest pins Image where the image was present at submission; empty otherwise.
	Digest string `json:"digest,omitempty"`
	// Tier is the isolation tier; empty means Shared.
	Tier Tier `json:"tier,omitempty"`
	// Runtime is the containerd runtime, such as "io.containerd.runsc.v1"; empty means runc.
	Runtime string `json:"runtime,omitempty"`
	// SourceFile is the name given to a main file that has none, such as "main.py".
	SourceFile string `json:"source_file"`
	// Compile is the compile command; empty for an interpreted language.
	Compile []string `json:"compile,omitempty"`
	// Run is the command of a test.
	Run []string `json:"run"`
	// Env holds KEY=VALUE pairs added to the image's own environment.
	Env []string `json:"env,omitempty"`
	// Limits of a test where the submission states none.
	Limits Limits `json:"limits"`
	// CompileLimits bound the compile.
	CompileLimits Limits `json:"compile_limits"`
	// TimeFactor and MemoryFactor scale the limits that a submission states; 0 is 1.
	TimeFactor   float64 `json:"time_factor,omitempty"`
	MemoryFactor float64 `json:"memory_factor,omitempty"`
	// MemoryOverhead, in bytes, is what {memory_mb} leaves to the runtime beside its heap.
	MemoryOverhead int64 `json:"memory_overhead,omitempty"`
	// OutOfMemoryExit lists exit statuses with which the runtime ends itself when its heap
	// is spent; they count only with a peak near the limit.
	OutOfMemoryExit []int `json:"out_of_memory_exit,omitempty"`
	// ParallelTests bounds how many tests of one job run at once; 0 is no bound.
	ParallelTests int `json:"parallel_tests,omitempty"`
	// Queue is the queue that its jobs go to.
	Queue string `json:"queue,omitempty"`
	// WarmUp is a program that is compiled and run once before a container counts as warm;
	// empty for none.
	WarmUp string `json:"warm_up,omitempty"`
}

// TestLimits gives the limits of a test: what the test states, else what the submission
// states, both scaled by the language's factors, else the language's own.
func (l Language) TestLimits(submission, test Limits) Limits {
	return test.Or(submission).Scaled(l.TimeFactor, l.MemoryFactor).Or(l.Limits).Resolved()
}

// CompileCommand is the argument list of the compile of src under lim.
func (l Language) CompileCommand(src Source, lim Limits) []string {
	return l.expand(l.Compile, src, nil, lim)
}

// RunCommand is the argument list of a test of src under lim with the user's args; where
// the command has no {args}, they follow it.
func (l Language) RunCommand(src Source, args []string, lim Limits) []string {
	argv := l.expand(l.Run, src, args, lim)
	if !slices.Contains(l.Run, "{args}") {
		argv = append(argv, args...)
	}
	return argv
}

const mib = 1 << 20

func (l Language) expand(command []string, src Source, args []string, lim Limits) []string {
	main := src.Main()
	memory := max((lim.Memory-l.MemoryOverhead)/mib, 8)
	one := strings.NewReplacer(
		"{source}", main,
		"{main}", strings.TrimSuffix(main, path.Ext(main)),
		"{memory_mb}", strconv.FormatInt(memory, 10),
		"{stack_mb}", strconv.FormatInt(max(lim.Resolved().Stack/mib, 1), 10),
	)
	var argv []string
	for _, word := range command {
		switch word {
		case "{sources}":
			for _, f := range src.Files {
				if path.Ext(f.Name) == path.Ext(main) {
					argv = append(argv, f.Name)
				}
			}
		case "{args}":
			argv = append(argv, args...)
		default:
			argv = append(argv, one.Replace(word))
		}
	}
	return argv
}
