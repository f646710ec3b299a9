package modes

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"optimus/sandbox"
	"optimus/web"
)

// printJob prints a job with its tests, or the job as the API shows it.
func printJob(w io.Writer, j *web.Job, asJSON bool) error {
	if asJSON {
		return writeJSON(w, j)
	}
	var b strings.Builder
	if j.ID != "" {
		fmt.Fprintf(&b, "job       %s\n", j.ID)
		fmt.Fprintf(&b, "state     %s\n", j.State)
	}
	fmt.Fprintf(&b, "language  %s\n", strings.TrimSpace(j.Language+" "+j.LanguageVersion))
	if j.Verdict != "" {
		fmt.Fprintf(&b, "verdict   %s\n", j.Verdict)
	}
	if j.Score != nil && j.MaxScore != nil {
		fmt.Fprintf(&b, "score     %g of %g\n", *j.Score, *j.MaxScore)
	}
	if j.Error != "" {
		fmt.Fprintf(&b, "error     %s\n", oneLine(j.Error, 500))
	}
	for i, a := range j.History {
		fmt.Fprintf(&b, "attempt   %d by %s at %s: %s\n", i+1, a.Worker, a.StartedAt.Format(time.RFC3339), oneLine(a.Reason, 500))
	}
	if c := j.Compile; c != nil {
		fmt.Fprintf(&b, "compile   %s CPU, %s\n", milliseconds(duration(c.CPU)), memoryOf(c))
		if said := outputOf(c.Stdout, c.StdoutEncoding) + outputOf(c.Stderr, c.StderrEncoding); j.Verdict == string(sandbox.CompileError) {
			fmt.Fprintf(&b, "%s\n", indent(said))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the job: %w", err)
	}
	if len(j.Tests) == 0 {
		return nil
	}
	return printTests(w, j.Tests)
}

func printTests(w io.Writer, tests []web.Test) error {
	t := newTable("TEST", "VERDICT", "SCORE", "CPU", "WALL", "MEMORY", "NOTE").alignRight("SCORE", "CPU", "WALL", "MEMORY")
	for _, test := range tests {
		cpu, wall, memory := figures(test.Run)
		t.add(test.ID, test.Verdict, fmt.Sprintf("%g/%g", test.Score, test.Weight), cpu, wall, memory, oneLine(note(test), 60))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return fmt.Errorf("write the tests: %w", err)
	}
	return t.writeTo(w)
}

// printOutput prints all that a run wrote.
func printOutput(w io.Writer, r *web.Run) error {
	for _, stream := range []struct {
		name, text string
		cut        bool
	}{
		{"standard output", outputOf(r.Stdout, r.StdoutEncoding), r.StdoutTruncated},
		{"standard error", outputOf(r.Stderr, r.StderrEncoding), r.StderrTruncated},
	} {
		if stream.text == "" {
			continue
		}
		if stream.cut {
			stream.name += " (cut)"
		}
		if _, err := fmt.Fprintf(w, "\n%s\n%s\n", stream.name, indent(stream.text)); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
	}
	return nil
}

// figures shows what was measured of a run; "-" where there was none.
func figures(r *web.Run) (cpu, wall, memory string) {
	if r == nil {
		return "-", "-", "-"
	}
	return milliseconds(duration(r.CPU)), milliseconds(duration(r.Wall)), memoryOf(r)
}

func memoryOf(r *web.Run) string {
	if r.Memory == nil {
		return "-"
	}
	return megabytes(*r.Memory)
}

// note says why a test's verdict is what it is, or else what the program printed.
func note(t web.Test) string {
	switch {
	case t.Reason != "":
		return t.Reason
	case t.Run == nil:
		return ""
	case t.Run.Message != "":
		return t.Run.Message
	case t.Run.SignalName != "":
		return "ended by " + t.Run.SignalName
	case t.Run.ExitCode != nil && *t.Run.ExitCode != 0:
		return fmt.Sprintf("ended with status %d", *t.Run.ExitCode)
	}
	return outputOf(t.Run.Stdout, t.Run.StdoutEncoding)
}

// outputOf gives a run's output as text; base64, which stands for what is no text, decoded.
func outputOf(text, encoding string) string {
	if encoding == "" {
		return text
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
		return strings.ToValidUTF8(string(raw), "?")
	}
	return text
}

func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// indent sets a program's text apart, without what would steer the terminal.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		b.WriteString("  " + strings.TrimRight(strings.Map(printable, line), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
