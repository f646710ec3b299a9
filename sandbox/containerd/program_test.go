package containerd

import (
	"errors"
	"strings"
	"testing"

	"optimus/sandbox"
)

func compiled() sandbox.Language {
	lang := probe()
	lang.Name, lang.Compile = "compiled", []string{"/hello", "compile"}
	return lang
}

func TestCompiledFilesAreTheSameInEveryRun(t *testing.T) {
	r := newTestRunner(t)
	p := prepare(t, r.Runner, compiled(), "source text\n")
	for range 3 {
		if o := run(t, p, "", "show", "main.out", "main.src"); string(o.Stdout) != "SOURCE TEXT\nsource text\n" {
			t.Errorf("a run sees %q", o.Stdout)
		}
		run(t, p, "", "leave")
	}
}

func TestCompileThatFailsGivesNoProgram(t *testing.T) {
	r := newTestRunner(t)
	src := sandbox.Source{Files: []sandbox.File{{Name: "main.src", Content: []byte("syntax error")}}}
	p, o, err := r.Prepare(t.Context(), compiled(), src, sandbox.Limits{})
	if err != nil || p != nil || o.ExitCode != 1 || string(o.Stderr) != "main.src:1: syntax error\n" {
		t.Errorf("got program %v, outcome %+v, error %v", p, o, err)
	}
}

// TestImageWithoutTheLanguagesCommand: what the image lacks is no program's fault.
func TestImageWithoutTheLanguagesCommand(t *testing.T) {
	r := newTestRunner(t)
	for _, command := range []string{"nowhere", "/nowhere", "/hello/nowhere", "/"} {
		lang := probe()
		lang.Run = []string{command}
		o, err := prepare(t, r.Runner, lang, "").Run(t.Context(), sandbox.Input{}, probeLimits().Resolved())
		want := "language probe: its run command is not in its image " + probeRef
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cannot execute "+command+": ") {
			t.Errorf("run of %s: %v, %+v; want the error %q", command, err, o, want)
		}
		lang = compiled()
		lang.Compile = []string{command}
		src := sandbox.Source{Files: []sandbox.File{{Name: "main.src"}}}
		p, o, err := r.Prepare(t.Context(), lang, src, sandbox.Limits{})
		if err == nil || p != nil || !strings.Contains(err.Error(), "compile command is not in its image") {
			t.Errorf("compile by %s: %v, %+v", command, err, o)
		}
	}
}

// TestProgramThatIsNotThere, since its compile left none, or none that the kernel can execute, is
// the user's affair; so is a command that the user's program looks for itself.
func TestProgramThatIsNotThere(t *testing.T) {
	r := newTestRunner(t)
	for command, code := range map[string]int{"./{main}": 127, "./main": 127, "/work/main": 127, "{main}": 127, "./main.out": 126} {
		lang := compiled()
		lang.Run = []string{command}
		o := run(t, prepare(t, r.Runner, lang, ""), "")
		if o.Verdict() != sandbox.RuntimeError || o.ExitCode != code || !strings.HasPrefix(o.Message, "cannot execute ") {
			t.Errorf("run of %s: %+v, want exit code %d and why", command, o, code)
		}
	}
	if o := run(t, prepare(t, r.Runner, probe(), ""), "", "execute", "nowhere"); o.Verdict() != sandbox.RuntimeError {
		t.Errorf("a program that executes what is not there: %+v", o)
	}
}

func TestMissingImageSaysHowToGetIt(t *testing.T) {
	r := newTestRunner(t)
	lang := probe()
	lang.Image = "optimus.local/absent:test"
	_, _, err := r.Prepare(t.Context(), lang, sandbox.Source{Files: []sandbox.File{{Name: "x"}}}, sandbox.Limits{})
	if !errors.Is(err, sandbox.ErrImageMissing) || !strings.Contains(err.Error(), "optimus admin images build probe") {
		t.Errorf("error %v", err)
	}
}
