package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"optimus/sandbox"
)

// fileTooLarge is SIGXFSZ: the program wrote a file over [sandbox.Limits.FileSize].
const fileTooLarge = 25

func judgeTest(s sandbox.Submission, t sandbox.TestCase, l sandbox.Limits, o sandbox.Outcome) sandbox.TestReport {
	switch {
	case OutOfMemory(s.Language, l, o):
		o.Exceeded = sandbox.MemoryLimit
	case o.Exceeded == sandbox.NoLimit && o.Signal == fileTooLarge:
		o.Exceeded = sandbox.OutputLimit
	}
	r := sandbox.TestReport{ID: t.ID, Weight: t.Weight, Outcome: o, Verdict: o.Verdict()}
	switch {
	case r.Verdict != sandbox.Accepted:
		r.Message = endMessage(l, o)
	case o.StdoutTruncated:
		r.Verdict = sandbox.OutputLimitExceeded
		r.Message = "standard output was cut: " + outputMessage(l)
	case t.Expected != nil:
		checker := t.Checker
		if checker.Kind == "" {
			checker = s.Checker
		}
		r.Verdict, r.Message = Check(checker, string(*t.Expected), o.Stdout)
	}
	if r.Verdict == sandbox.Accepted {
		r.Score = t.Weight
	}
	return r
}

// nearLimit is the share of the memory left to the runtime from which a peak counts as near it.
const nearLimit = 0.9

// OutOfMemory tells whether the language's runtime ended itself since its heap was spent: no
// limit ended the run, its status is listed in OutOfMemoryExit, and its peak reached 90 % of the
// memory limit less the language's MemoryOverhead, which is what the runtime's heap was given.
// Where the peak is not known (-1) it is false.
func OutOfMemory(lang sandbox.Language, l sandbox.Limits, o sandbox.Outcome) bool {
	if o.Exceeded != sandbox.NoLimit || o.Signal != 0 || !slices.Contains(lang.OutOfMemoryExit, o.ExitCode) {
		return false
	}
	heap := max(l.Memory-lang.MemoryOverhead, 1)
	return l.Memory > 0 && float64(o.Memory) >= nearLimit*float64(heap)
}

// endMessage says for a person how a run ended that did not end well.
func endMessage(l sandbox.Limits, o sandbox.Outcome) string {
	switch o.Exceeded {
	case sandbox.CPULimit:
		return fmt.Sprintf("used %s of CPU time; the limit is %s", rounded(o.CPU), l.CPU)
	case sandbox.WallLimit:
		return fmt.Sprintf("ran for %s; the limit is %s", rounded(o.Wall), l.Wall)
	case sandbox.MemoryLimit:
		return fmt.Sprintf("used up the memory limit of %s", bytesText(l.Memory))
	case sandbox.OutputLimit:
		if o.Signal == fileTooLarge {
			return fmt.Sprintf("wrote a file over the limit of %s", bytesText(l.FileSize))
		}
		return outputMessage(l)
	case sandbox.NoLimit:
	}
	message := fmt.Sprintf("ended with status %d", o.ExitCode)
	if o.Signal != 0 {
		message = "ended by " + signalText(o.Signal)
	}
	if o.Message != "" {
		message += ": " + o.Message
	}
	return message
}

func outputMessage(l sandbox.Limits) string {
	return fmt.Sprintf("wrote more than the limit of %s", bytesText(l.Output))
}

func rounded(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func bytesText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	i, v := 0, float64(n)
	for v >= 1024 && i < len(units)-1 {
		i, v = i+1, v/1024
	}
	number := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
	return number + " " + units[i]
}

// signalText names the signals that end programs, by their numbers on Linux.
func signalText(n int) string {
	names := map[int]string{
		1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL (illegal instruction)", 5: "SIGTRAP",
		6: "SIGABRT (abort)", 7: "SIGBUS (bad memory access)", 8: "SIGFPE (arithmetic error)",
		9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV (invalid memory access)", 12: "SIGUSR2",
		13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ (file too large)",
		31: "SIGSYS (forbidden system call)",
	}
	if name, ok := names[n]; ok {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}
