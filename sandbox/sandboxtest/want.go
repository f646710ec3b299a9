package sandboxtest

import (
	"fmt"
	"strings"
	"time"

	"optimus/sandbox"
)

// Want is what the report must say.
type Want struct {
	// Verdict is the job's, and each test's where Tests does not say otherwise.
	Verdict sandbox.Verdict
	Tests   []sandbox.Verdict
	// Run is what the run of every test with the job's verdict must have done, Compile the compile.
	Run, Compile Deed
}

// Deed is what a run must have done. Zero fields demand nothing.
type Deed struct {
	// Exceeded is the limit that ended it.
	Exceeded sandbox.Limit
	// Exit is the status of a run that ended by itself, Signal what ended it.
	Exit, Signal int
	// Stderr is a part of standard error, Without no part of anything that it printed, Message a
	// part of the test's or the run's message.
	Stderr, Without, Message string
	// StdoutBytes and StderrBytes are how much is kept of each; with it StdoutCut and StderrCut
	// say whether there was more.
	StdoutBytes, StderrBytes int
	StdoutCut, StderrCut     bool
	// CPU, Wall, Memory and Processes bound the figures, both ends included; a high bound of 0 is
	// none. A figure that the kernel does not tell (-1) passes.
	CPU, Wall         [2]time.Duration
	Memory, Processes [2]int64
}

// shortfalls gathers what is wrong.
type shortfalls []string

func (f *shortfalls) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (w Want) compare(r sandbox.Report) error {
	var f shortfalls
	if r.Verdict != w.Verdict {
		f.add("the job's verdict is %s, want %s", r.Verdict, w.Verdict)
	}
	for i, t := range r.Tests {
		want := w.Verdict
		if len(w.Tests) > 0 {
			want = w.Tests[min(i, len(w.Tests)-1)]
		}
		if t.Verdict != want {
			f.add("test %s: verdict %s, want %s (%s)", t.ID, t.Verdict, want, t.Message)
		}
		if want == w.Verdict && want != sandbox.CompileError {
			w.Run.compare(&f, "test "+t.ID, t.Outcome, t.Message)
		}
	}
	if r.Compile != nil {
		w.Compile.compare(&f, "the compile", *r.Compile, "")
	}
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%s\n%s", strings.Join(f, "\n"), showReport(r))
}

func (d Deed) compare(f *shortfalls, what string, o sandbox.Outcome, message string) {
	if d.Exceeded != o.Exceeded && d.Exceeded != "" {
		f.add("%s: ended by the limit %q, want %q", what, o.Exceeded, d.Exceeded)
	}
	if d.Exit != 0 && o.ExitCode != d.Exit || d.Signal != 0 && o.Signal != d.Signal || d.Exit != 0 && o.Signal != 0 {
		f.add("%s: status %d and signal %d, want %d and %d", what, o.ExitCode, o.Signal, d.Exit, d.Signal)
	}
	if !strings.Contains(string(o.Stderr), d.Stderr) {
		f.add("%s: standard error does not say %q", what, d.Stderr)
	}
	if d.Without != "" && strings.Contains(string(o.Stderr)+string(o.Stdout), d.Without) {
		f.add("%s: it says %q", what, d.Without)
	}
	if !strings.Contains(message+o.Message, d.Message) {
		f.add("%s: the message is %q, want %q in it", what, message+o.Message, d.Message)
	}
	if d.StdoutBytes != 0 && len(o.Stdout) != d.StdoutBytes || d.StderrBytes != 0 && len(o.Stderr) != d.StderrBytes {
		f.add("%s: %d and %d bytes of output are kept, want %d and %d", what, len(o.Stdout), len(o.Stderr), d.StdoutBytes, d.StderrBytes)
	}
	if d.StdoutBytes != 0 && d.StdoutCut != o.StdoutTruncated || d.StderrBytes != 0 && d.StderrCut != o.StderrTruncated {
		f.add("%s: output cut %t, standard error cut %t", what, o.StdoutTruncated, o.StderrTruncated)
	}
	for _, figure := range []struct {
		name      string
		got       int64
		low, high int64
	}{
		{"CPU ns", int64(o.CPU), int64(d.CPU[0]), int64(d.CPU[1])},
		{"wall ns", int64(o.Wall), int64(d.Wall[0]), int64(d.Wall[1])},
		{"memory", o.Memory, d.Memory[0], d.Memory[1]},
		{"processes", o.Processes, d.Processes[0], d.Processes[1]},
	} {
		if figure.got != -1 && (figure.got < figure.low || figure.high != 0 && figure.got > figure.high) {
			f.add("%s: %s %d is not within %d and %d", what, figure.name, figure.got, figure.low, figure.high)
		}
	}
}

// showReport tells of a report in some lines.
func showReport(r sandbox.Report) string {
	var b strings.Builder
	if r.Compile != nil {
		fmt.Fprintf(&b, "compile: %s\n", show(*r.Compile))
	}
	for _, t := range r.Tests[:min(len(r.Tests), 5)] {
		fmt.Fprintf(&b, "test %s: %s: %s\n%s\n", t.ID, t.Verdict, t.Message, show(t.Outcome))
	}
	return b.String()
}

func show(o sandbox.Outcome) string {
	return fmt.Sprintf("verdict %s, limit %q, status %d, signal %d, CPU %s, wall %s, memory %d, processes %d, cut %t %t, message %q\nstdout (%d bytes): %.300q\nstderr (%d bytes): %.300q",
		o.Verdict(), o.Exceeded, o.ExitCode, o.Signal, o.CPU, o.Wall, o.Memory, o.Processes, o.StdoutTruncated, o.StderrTruncated,
		o.Message, len(o.Stdout), o.Stdout, len(o.Stderr), o.Stderr)
}
