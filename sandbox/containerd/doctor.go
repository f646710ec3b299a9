package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// Status is the result of a [Check].
type Status string

// The results of a check.
const (
	StatusOK Status = "ok"
	// StatusWarn: Optimus works, with something less or slower.
	StatusWarn Status = "warn"
	// StatusFail: Optimus does not work until it is mended.
	StatusFail Status = "fail"
)

// Check is what was found out about one thing that Optimus needs.
type Check struct {
	// Name of what was looked at, such as "cgroups".
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Detail is what was found.
	Detail string `json:"detail"`
	// Fix is the command or step that mends it; empty where nothing is to be mended.
	Fix string `json:"fix,omitempty"`
}

func passed(name, detail string) Check      { return Check{Name: name, Status: StatusOK, Detail: detail} }
func warned(name, detail, fix string) Check { return Check{name, StatusWarn, detail, fix} }
func failed(name, detail, fix string) Check { return Check{name, StatusFail, detail, fix} }

// Failed tells whether any of the checks is a StatusFail.
func Failed(checks []Check) bool {
	for _, c := range checks {
		if c.Status == StatusFail {
			return true
		}
	}
	return false
}

// LanguageImage is the image that a language needs, and the command that gets it.
type LanguageImage struct {
	Language, Ref, HowToGet string
}

// LanguageRuntime is the containerd runtime that a language states.
type LanguageRuntime struct {
	Language, Runtime string
}

// DoctorOptions says what to look at.
type DoctorOptions struct {
	// DataDir is the data folder; it need not exist yet.
	DataDir string
	// Daemon is the containerd to connect to. A private one is started for the time of the
	// examination, unless it runs already.
	Daemon DaemonOptions
	// Images are those that the catalogue wants.
	Images []LanguageImage
	// Slots is how many runs there may be at once, and LargestRun the most memory that one of them
	// may be given, in bytes; CgroupParent and PodUID are as in [RunnerOptions].
	Slots        int
	LargestRun   int64
	CgroupParent string
	PodUID       string
	// Runtimes are those that the catalogue states.
	Runtimes []LanguageRuntime
}

// Doctor examines this machine and gives every check, in a fixed order. It changes nothing
// that lasts, but for what a private containerd makes in its own folder. In a pod it leaves out the tools,
// which are the node's.
func Doctor(ctx context.Context, o DoctorOptions) []Check {
	root := os.DirFS("/")
	checks := []Check{checkUser(os.Geteuid()), checkArch(runtime.GOARCH)}
	checks = append(checks, checkKernel(root)...)
	services, socket := checkContainerd(ctx, o)
	if o.PodUID == "" {
		checks = append(checks, checkTools(ctx, root, searchPath(os.Getenv("PATH")), socket)...)
	}
	checks = append(checks, CheckDataDir(o.DataDir)...)
	return append(checks, services...)
}

// Unsupported says, as Doctor does, what this machine's kernel lacks for boxes to be made at all; nil where it
// lacks nothing.
func Unsupported() error { return unsupported(os.DirFS("/")) }

func unsupported(root fs.FS) error {
	var errs []error
	for _, c := range []Check{checkRelease(root), checkNamespaces(root), checkSeccomp(root)} {
		if c.Status == StatusFail {
			errs = append(errs, fmt.Errorf("%s: %s: %s", c.Name, c.Detail, c.Fix))
		}
	}
	return errors.Join(errs...)
}

// checkKernel looks at what the kernel offers this process.
func checkKernel(root fs.FS) []Check {
	return []Check{
		checkRelease(root),
		checkNamespaces(root),
		checkUserNamespaces(root),
		checkCgroups(root),
		checkSwap(root),
		checkSeccomp(root),
		checkOverlay(root),
		checkCapabilities(root),
		checkResourceCapability(root),
	}
}
