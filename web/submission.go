package web

import (
	"cmp"
	"encoding/base64"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// DefaultQueue is the queue of a language that names none.
const DefaultQueue = "default"

// reservedLabel is the prefix of labels that Optimus sets itself.
const reservedLabel = "optimus."

const maxLabelValue = 256

// builder turns a checked request into what a store takes, collecting what a schema cannot say.
type builder struct {
	limits Limits
	queues func() []string
	label  *regexp.Regexp
	*faults
}

// job builds the job of a request in a language, which is the zero one where it was not found:
// then the faults beside that one are still found.
func (b *builder) job(r *JobRequest, lang sandbox.Language) store.NewJob {
	sub := sandbox.Submission{
		Language:      lang,
		Source:        b.source(r, lang),
		Args:          b.args(r.Args),
		Limits:        b.runLimits("/limits", r.Limits),
		Checker:       b.checker("/checker", r.Checker),
		Tests:         b.tests(r),
		StopOnFailure: r.StopOnFailure,
	}
	return store.NewJob{
		Queue:      b.queue(r.Queue, lang),
		Priority:   b.priority(r.Priority),
		Labels:     b.labels(r.Labels),
		Submission: sub,
	}
}

func (b *builder) source(r *JobRequest, lang sandbox.Language) sandbox.Source {
	var src sandbox.Source
	at := "/source_code"
	switch {
	case r.Files != nil:
		if r.SourceCode != nil {
			b.add(at, "give either source_code or files, not both")
		}
		at = "/files"
		src.Files = b.files(r.Files, lang)
	case r.SourceCode != nil:
		src.Files = []sandbox.File{{Name: lang.SourceFile, Content: []byte(*r.SourceCode)}}
	default:
		b.add(at, "is required, unless files is given")
	}
	if n := src.Size(); n > b.limits.Source {
		b.add(at, "holds %d bytes of source; allowed are at most %d", n, b.limits.Source)
	}
	return src
}

func (b *builder) files(in []FileRequest, lang sandbox.Language) []sandbox.File {
	files := make([]sandbox.File, 0, len(in))
	seen := make(map[string]bool, len(in))
	for i, f := range in {
		at := "/files/" + strconv.Itoa(i)
		name := f.Name
		if name == "" && i == 0 {
			name = lang.SourceFile
		} else if err := sandbox.ValidFileName(name); err != nil {
			b.add(at+"/name", "%v", err)
		}
		if seen[name] {
			b.add(at+"/name", "%q is the name of an earlier file; names must be unique", name)
		}
		seen[name] = true
		files = append(files, sandbox.File{Name: name, Content: b.decode(at+"/content", f.Content, f.Encoding)})
	}
	for i, f := range files {
		for dir := path.Dir(f.Name); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if seen[dir] {
				b.add("/files/"+strconv.Itoa(i)+"/name", "%q lies in %q, which is a file of this submission", f.Name, dir)
			}
		}
	}
	return files
}

func (b *builder) decode(pointer, text, encoding string) []byte {
	if encoding != "base64" {
		return []byte(text)
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		b.add(pointer, "is not base64 (RFC 4648, section 4, with padding)")
	}
	return data
}

func (b *builder) args(args []string) []string {
	size := 0
	for i, a := range args {
		size += len(a)
		if strings.ContainsRune(a, 0) {
			b.add("/args/"+strconv.Itoa(i), "must not hold a NUL")
		}
	}
	if size > b.limits.ArgBytes {
		b.add("/args", "hold %d bytes; allowed are at most %d", size, b.limits.ArgBytes)
	}
	return args
}

func (b *builder) tests(r *JobRequest) []sandbox.TestCase {
	var input []byte
	if r.Stdin != nil {
		input = b.sized("/stdin", b.decode("/stdin", *r.Stdin, r.StdinEncoding), b.limits.Input)
		if r.Tests != nil {
			b.add("/stdin", "give either stdin or tests, not both")
		}
	}
	if len(r.Tests) == 0 {
		return []sandbox.TestCase{{ID: "1", Input: input, Weight: 1}}
	}
	tests := make([]sandbox.TestCase, 0, len(r.Tests))
	seen := make(map[string]bool, len(r.Tests))
	for i := range r.Tests {
		t := b.test(&r.Tests[i], i)
		if seen[t.ID] {
			b.add("/tests/"+strconv.Itoa(i)+"/id", "%q is the id of an earlier test; ids must be unique", t.ID)
		}
		seen[t.ID] = true
		tests = append(tests, t)
	}
	return tests
}

func (b *builder) test(r *TestRequest, i int) sandbox.TestCase {
	at := "/tests/" + strconv.Itoa(i)
	t := sandbox.TestCase{
		ID:      r.ID,
		Weight:  1,
		Input:   b.sized(at+"/input", b.decode(at+"/input", r.Input, r.Encoding), b.limits.Input),
		Limits:  b.runLimits(at+"/limits", r.Limits),
		Checker: b.checker(at+"/checker", r.Checker),
	}
	if t.ID == "" {
		t.ID = strconv.Itoa(i + 1)
	}
	if strings.ContainsFunc(t.ID, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		b.add(at+"/id", "must not hold control characters")
	}
	if r.Weight != nil {
		t.Weight = *r.Weight
	}
	if r.ExpectedOutput != nil {
		pointer := at + "/expected_output"
		data := b.sized(pointer, b.decode(pointer, *r.ExpectedOutput, r.Encoding), b.limits.Expected)
		expected := sandbox.Text(data)
		t.Expected = &expected
	}
	return t
}

func (b *builder) sized(pointer string, data []byte, most int64) []byte {
	if int64(len(data)) > most {
		b.add(pointer, "holds %d bytes; allowed are at most %d", len(data), most)
	}
	return data
}

func (b *builder) runLimits(at string, r *LimitsRequest) sandbox.Limits {
	if r == nil {
		return sandbox.Limits{}
	}
	most := b.limits.Run
	return sandbox.Limits{
		CPU:       b.milliseconds(at+"/cpu_ms", r.CPU, most.CPU),
		Wall:      b.milliseconds(at+"/wall_ms", r.Wall, most.Wall),
		Memory:    b.atMost(at+"/memory_bytes", r.Memory, most.Memory),
		Output:    b.atMost(at+"/output_bytes", r.Output, most.Output),
		Processes: b.atMost(at+"/processes", r.Processes, most.Processes),
		FileSize:  b.atMost(at+"/file_size_bytes", r.FileSize, most.FileSize),
		OpenFiles: b.atMost(at+"/open_files", r.OpenFiles, most.OpenFiles),
		Stack:     b.atMost(at+"/stack_bytes", r.Stack, most.Stack),
		Disk:      b.atMost(at+"/disk_bytes", r.Disk, most.Disk),
	}
}

func (b *builder) milliseconds(pointer string, v *int64, most time.Duration) time.Duration {
	return time.Duration(b.atMost(pointer, v, most.Milliseconds())) * time.Millisecond
}

// atMost repeats the schema's maximum, so that no number slips through where a schema was changed.
func (b *builder) atMost(pointer string, v *int64, most int64) int64 {
	if v == nil {
		return 0
	}
	if *v > most {
		b.add(pointer, "%d is out of range; allowed are at most %d", *v, most)
		return 0
	}
	return *v
}

func (b *builder) checker(at string, r *CheckerRequest) sandbox.Checker {
	if r == nil {
		return sandbox.Checker{}
	}
	c := sandbox.Checker{Kind: sandbox.CheckerKind(r.Kind)}
	if r.Absolute != nil {
		c.Absolute = *r.Absolute
	}
	if r.Relative != nil {
		c.Relative = *r.Relative
	}
	if c.Kind != sandbox.CheckFloat && (r.Absolute != nil || r.Relative != nil) {
		b.add(at+"/kind", "must be float where absolute or relative is given")
	}
	return c
}

func (b *builder) priority(p int) int {
	if p < b.limits.MinPriority || p > b.limits.MaxPriority {
		b.add("/priority", "%d is out of range; allowed are %d to %d", p, b.limits.MinPriority, b.limits.MaxPriority)
	}
	return p
}

func (b *builder) queue(name string, lang sandbox.Language) string {
	if name == "" {
		return cmp.Or(lang.Queue, DefaultQueue)
	}
	if known := b.queues(); !slices.Contains(known, name) {
		b.add("/queue", "there is no queue %q; allowed are: %s", name, strings.Join(known, ", "))
	}
	return name
}

func (b *builder) labels(labels map[string]string) map[string]string {
	for name, value := range labels {
		at := "/labels/" + pointerEscape(name)
		switch {
		case strings.HasPrefix(name, reservedLabel):
			b.add(at, "names that start with %q are reserved", reservedLabel)
		case !b.label.MatchString(name):
			b.add(at, "a name must start with a letter or digit and hold up to 64 letters, digits and ._-/")
		case len(value) > maxLabelValue:
			b.add(at, "holds %d bytes; allowed are at most %d", len(value), maxLabelValue)
		}
	}
	return labels
}

func labelPattern() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$`) }
