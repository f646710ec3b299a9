package sandboxtest

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"optimus/sandbox"
)

//go:embed catalogue
var catalogue embed.FS

const caseSuffix = ".txtar"

// Cases gives the programs of the catalogue, one for each language of each file, by name. Its error
// lists every fault.
func Cases() ([]Case, error) { return readCases(catalogue, "catalogue") }

func readCases(files fs.FS, dir string) ([]Case, error) {
	var cases []Case
	var errs []error
	err := fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name) == "README.md" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		short, ok := strings.CutSuffix(strings.TrimPrefix(name, dir+"/"), caseSuffix)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: want the ending %s", name, caseSuffix))
			return nil
		}
		of, err := parseCase(short, text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		cases = append(cases, of...)
		return nil
	})
	return cases, errors.Join(append(errs, err)...)
}

// header is what stands above a program: see catalogue/README.md.
type header struct {
	Why           string              `toml:"why"`
	Aim           Aim                 `toml:"aim"`
	Layers        []Layer             `toml:"layers"`
	Args          []string            `toml:"args"`
	Checker       sandbox.CheckerKind `toml:"checker"`
	StopOnFailure bool                `toml:"stop_on_failure"`
	Runs          int                 `toml:"runs"`
	Jobs          int                 `toml:"jobs"`
	Marked        bool                `toml:"marked"`
	Exclusive     bool                `toml:"exclusive"`
	Loaded        bool                `toml:"loaded"`
	Limits        limitsHeader        `toml:"limits"`
	CompileLimits limitsHeader        `toml:"compile_limits"`
	Language      Change              `toml:"language"`
	Files         map[string]any      `toml:"files"`
	Tests         []testHeader        `toml:"tests"`
	Want          wantHeader          `toml:"want"`
	Compile       deedHeader          `toml:"compile"`
	OwnKernel     *differenceHeader   `toml:"own_kernel"`
}

type testHeader struct {
	Input    any          `toml:"input"`
	Expected any          `toml:"expected"`
	Limits   limitsHeader `toml:"limits"`
}

type limitsHeader struct {
	CPUMS       int64 `toml:"cpu_ms"`
	WallMS      int64 `toml:"wall_ms"`
	MemoryMiB   int64 `toml:"memory_mib"`
	DiskMiB     int64 `toml:"disk_mib"`
	StackMiB    int64 `toml:"stack_mib"`
	FileSizeMiB int64 `toml:"file_size_mib"`
	OutputBytes int64 `toml:"output_bytes"`
	Processes   int64 `toml:"processes"`
	OpenFiles   int64 `toml:"open_files"`
}

const mib = 1 << 20

func (l limitsHeader) limits() sandbox.Limits {
	return sandbox.Limits{
		CPU: ms(l.CPUMS), Wall: ms(l.WallMS), Memory: l.MemoryMiB * mib, Disk: l.DiskMiB * mib, Stack: l.StackMiB * mib,
		FileSize: l.FileSizeMiB * mib, Output: l.OutputBytes, Processes: l.Processes, OpenFiles: l.OpenFiles,
	}
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

type wantHeader struct {
	deedHeader
	Verdict sandbox.Verdict   `toml:"verdict"`
	Tests   []sandbox.Verdict `toml:"tests"`
}

func (w wantHeader) check() error {
	for _, v := range append([]sandbox.Verdict{w.Verdict}, w.Tests...) {
		if !v.Valid() {
			return fmt.Errorf("verdict, tests: %q is no verdict", v)
		}
	}
	switch {
	case w.Verdict == sandbox.RuntimeError && w.Exit == 0 && w.Signal == "":
		return errors.New("a runtime_error needs exit or signal")
	case w.Verdict == sandbox.TimeLimitExceeded && w.Exceeded == "":
		return errors.New(`a time_limit_exceeded needs exceeded = "cpu" or "wall"`)
	}
	return nil
}

// want is the header's, with what the compile must have done.
func (w wantHeader) want(compile deedHeader) (Want, error) {
	run, err := w.deed()
	ofCompile, err2 := compile.deed()
	return Want{Verdict: w.Verdict, Tests: w.Tests, Run: run, Compile: ofCompile}, errors.Join(w.check(), err, err2)
}

// differenceHeader is what stands in own_kernel: a want of its own, and why.
type differenceHeader struct {
	wantHeader
	Why      string        `toml:"why"`
	Expected *sandbox.Text `toml:"expected"`
}

type deedHeader struct {
	Exceeded    sandbox.Limit `toml:"exceeded"`
	Exit        int           `toml:"exit"`
	Signal      string        `toml:"signal"`
	Stderr      string        `toml:"stderr"`
	Without     string        `toml:"without"`
	Message     string        `toml:"message"`
	StdoutBytes int           `toml:"stdout_bytes"`
	StderrBytes int           `toml:"stderr_bytes"`
	StdoutCut   bool          `toml:"stdout_cut"`
	StderrCut   bool          `toml:"stderr_cut"`
	CPUMS       [2]int64      `toml:"cpu_ms"`
	WallMS      [2]int64      `toml:"wall_ms"`
	MemoryMiB   [2]int64      `toml:"memory_mib"`
	Processes   [2]int64      `toml:"processes"`
}

func (d deedHeader) deed() (Deed, error) {
	deed := Deed{
		Exceeded: d.Exceeded, Exit: d.Exit, Stderr: d.Stderr, Without: d.Without, Message: d.Message,
		StdoutBytes: d.StdoutBytes, StderrBytes: d.StderrBytes, StdoutCut: d.StdoutCut, StderrCut: d.StderrCut,
		CPU: [2]time.Duration{ms(d.CPUMS[0]), ms(d.CPUMS[1])}, Wall: [2]time.Duration{ms(d.WallMS[0]), ms(d.WallMS[1])},
		Memory: [2]int64{d.MemoryMiB[0] * mib, d.MemoryMiB[1] * mib}, Processes: d.Processes,
	}
	if d.Signal != "" {
		if deed.Signal = int(unix.SignalNum(d.Signal)); deed.Signal == 0 {
			return deed, fmt.Errorf("signal %q: want a name such as SIGSEGV", d.Signal)
		}
	}
	if !slices.Contains([]sandbox.Limit{"", sandbox.CPULimit, sandbox.WallLimit, sandbox.MemoryLimit, sandbox.OutputLimit}, d.Exceeded) {
		return deed, fmt.Errorf("exceeded %q: want cpu, wall, memory or output", d.Exceeded)
	}
	return deed, nil
}

// mainFiles are the names by which a file's programs are told apart, and their languages.
func mainFiles() map[string]string {
	return map[string]string{"main.py": python, "main.cpp": "cpp", "Main.java": "java", "main.rs": "rust"}
}

func parseCase(name string, text []byte) ([]Case, error) {
	archive := txtar.Parse(text)
	var h header
	d := toml.NewDecoder(bytes.NewReader(archive.Comment))
	if err := d.DisallowUnknownFields().Decode(&h); err != nil {
		if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return nil, errors.New(strict.String())
		}
		return nil, err
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	base, err := h.base()
	if err != nil {
		return nil, err
	}
	files, err := h.files(archive)
	if err != nil {
		return nil, err
	}
	if base.Submission.Tests, err = h.tests(); err != nil {
		return nil, err
	}
	return split(name, base, files)
}

// split makes a case of each main file; the others belong to all.
func split(name string, base Case, files []sandbox.File) ([]Case, error) {
	mains := mainFiles()
	var shared []sandbox.File
	for _, f := range files {
		if mains[f.Name] == "" {
			shared = append(shared, f)
		}
	}
	if len(shared) == len(files) {
		return nil, errors.New("it holds no main.py, main.cpp, Main.java or main.rs")
	}
	var cases []Case
	for _, f := range files {
		c := base
		if c.Language = mains[f.Name]; c.Language == "" {
			continue
		}
		c.File, c.Name = name, name
		if len(files)-len(shared) > 1 {
			c.Name = name + "/" + c.Language
		}
		c.Submission.Source.Files = append([]sandbox.File{f}, shared...)
		cases = append(cases, c)
	}
	return cases, nil
}

// check refuses a header that says too little.
func (h *header) check() error {
	var errs []error
	if strings.TrimSpace(h.Why) == "" {
		errs = append(errs, errors.New("why: say what would be wrong with another verdict"))
	}
	if _, ok := aims()[h.Aim]; !ok {
		errs = append(errs, fmt.Errorf("aim %q is none of those that README.md lists", h.Aim))
	}
	if len(h.Layers) == 0 {
		errs = append(errs, errors.New("layers: name what decides"))
	}
	for _, l := range h.Layers {
		if _, ok := layers()[l]; !ok {
			errs = append(errs, fmt.Errorf("layer %q is none of those that README.md lists", l))
		}
	}
	if h.Checker != "" && !slices.Contains(sandbox.CheckerKinds(), h.Checker) {
		errs = append(errs, fmt.Errorf("checker %q: want one of %v", h.Checker, sandbox.CheckerKinds()))
	}
	if h.OwnKernel != nil && strings.TrimSpace(h.OwnKernel.Why) == "" {
		errs = append(errs, errors.New("own_kernel.why: say what that kernel does, and why it does no harm"))
	}
	return errors.Join(errs...)
}

// base is the case without its files.
func (h *header) base() (Case, error) {
	c := Case{
		Why: h.Why, Aim: h.Aim, Layers: h.Layers, CompileLimits: h.CompileLimits.limits(), Change: h.Language, Jobs: h.Jobs,
		Marked: h.Marked, Exclusive: h.Exclusive || h.Loaded, Loaded: h.Loaded,
		Submission: sandbox.Submission{
			Args: h.Args, Limits: h.Limits.limits(), Checker: sandbox.Checker{Kind: h.Checker}, StopOnFailure: h.StopOnFailure,
		},
	}
	var err error
	if c.Want, err = h.Want.want(h.Compile); err != nil {
		return c, fmt.Errorf("want: %w", err)
	}
	if d := h.OwnKernel; d != nil {
		c.OwnKernel = &Difference{Expected: d.Expected, Why: d.Why}
		if c.OwnKernel.Want, err = d.want(h.Compile); err != nil {
			return c, fmt.Errorf("own_kernel: %w", err)
		}
	}
	return c, nil
}

// files gives the source files; the parts of a test become the header's.
func (h *header) files(archive *txtar.Archive) ([]sandbox.File, error) {
	if len(h.Tests) == 0 {
		h.Tests = make([]testHeader, 1)
	}
	var files []sandbox.File
	for _, f := range archive.Files {
		part := &h.Tests[0].Input
		switch f.Name {
		case "expected":
			part = &h.Tests[0].Expected
			fallthrough
		case "input":
			if len(h.Tests) > 1 || *part != nil {
				return nil, fmt.Errorf("part %s: the tests are stated above", f.Name)
			}
			*part = string(f.Data)
		default:
			files = append(files, sandbox.File{Name: f.Name, Content: f.Data})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Files)) {
		text, err := content(h.Files[name])
		if err != nil {
			return nil, fmt.Errorf("files.%s: %w", name, err)
		}
		files = append(files, sandbox.File{Name: name, Content: []byte(text)})
	}
	return files, nil
}

func (h *header) tests() ([]sandbox.TestCase, error) {
	var tests []sandbox.TestCase
	for range cmp.Or(h.Runs, 1) {
		for _, t := range h.Tests {
			test := sandbox.TestCase{ID: strconv.Itoa(len(tests) + 1), Weight: 1, Limits: t.Limits.limits()}
			input, err := content(t.Input)
			if err != nil {
				return nil, fmt.Errorf("tests.input: %w", err)
			}
			test.Input = []byte(input)
			if t.Expected != nil {
				text, err := content(t.Expected)
				if err != nil {
					return nil, fmt.Errorf("tests.expected: %w", err)
				}
				test.Expected = (*sandbox.Text)(&text)
			}
			tests = append(tests, test)
		}
	}
	return tests, nil
}

// content reads a text, or a table of text or hex, and times.
func content(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case map[string]any:
		text, times := "", int64(1)
		for key, value := range v {
			s, isText := value.(string)
			n, isNumber := value.(int64)
			switch {
			case key == "text" && isText:
				text = s
			case key == "hex" && isText:
				b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
				if err != nil {
					return "", fmt.Errorf("hex: %w", err)
				}
				text = string(b)
			case key == "times" && isNumber && n > 0:
				times = n
			default:
				return "", fmt.Errorf("%s = %v: want text, hex or times", key, value)
			}
		}
		return strings.Repeat(text, int(times)), nil
	}
	return "", fmt.Errorf("%v: want a text, or a table of text or hex, and times", v)
}
