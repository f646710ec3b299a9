package agent

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"optimus/sandbox"
	"optimus/sandbox/wire"
)

// The embedded binaries must be of the source beside them: generate.sh notes its sum.
func TestInitIsOfItsSource(t *testing.T) {
	t.Parallel()
	noted, err := os.ReadFile("init/init.sum")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, name := range []string{"init/init.c", "init/generate.sh"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(b)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != strings.TrimSpace(string(noted)) {
		t.Error("init.c or generate.sh has changed since the binaries were made: run `make generate`")
	}
}

// Go's and C's idea of a plan are written down twice; here they are compared.
func TestPlanLayoutIsThatOfInit(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("init/init.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`#define PLAN_ADDR 0x300000UL`, `#define PLAN_MAX 0x100000UL`, `#define REPORT_FD 3`, `#define PLAN_FD 4`, `#define MAGIC 0x31584f424d49504fUL`,
		`OP_CLOCK = -1, OP_FAIL = -2`, `REPORT_FAILED = 1, REPORT_ENDED = 2, REPORT_NOT_EXECUTED = 3`,
	} {
		if !strings.Contains(string(source), want) {
			t.Errorf("init.c has no %q", want)
		}
	}
	if fdReport != 3 || fdPlan != 4 || planAddr != 0x300000 || planMax != 0x100000 || opClock != -1 || opFail != -2 {
		t.Error("the constants in Go differ")
	}
	// A struct's size in C: its words of eight bytes.
	words := func(name string) int {
		body := regexp.MustCompile(`(?s)struct ` + name + ` \{(.*?)\n\};`).FindStringSubmatch(string(source))[1]
		body = regexp.MustCompile(`//[^\n]*`).ReplaceAllString(body, "")
		n := 0
		for decl := range strings.SplitSeq(body, ";") {
			for field := range strings.SplitSeq(decl, ",") {
				switch field = strings.TrimSpace(field); {
				case field == "" || strings.HasSuffix(field, "[]"):
				case strings.Contains(field, "[6]"):
					n += 6
				case strings.Contains(field, "[18]"):
					n += 18
				default:
					n++
				}
			}
		}
		return n
	}
	if got := words("op") * 8; got != opBytes {
		t.Errorf("an op is %d bytes in C and %d in Go", got, opBytes)
	}
	if got := words("plan") * 8; got != headerBytes {
		t.Errorf("the header is %d bytes in C and %d in Go", got, headerBytes)
	}
	if got := words("report") * 8; got != reportBytes {
		t.Errorf("a report is %d bytes in C and %d in Go", got, reportBytes)
	}
}

func TestPlanHoldsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	p := newPlan()
	p.do(unix.SYS_CHDIR, p.str("/a"))
	p.child()
	p.try(unix.SYS_EXECVE, p.str("/bin/x"), p.strs([]string{"x", "y"}), 0)
	f, err := p.file()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	text := func(at uint64) string { s, _, _ := strings.Cut(string(b[at-planAddr:]), "\x00"); return s }
	if word(0) != planMagic || word(8) != 2 || word(16) != 1 {
		t.Errorf("header: %x, %d ops, split at %d", word(0), word(8), word(16))
	}
	ops := word(40) - planAddr
	if got := text(word(ops + 8)); got != "/a" {
		t.Errorf("first argument is %q", got)
	}
	exec := ops + opBytes
	argv := word(exec+16) - planAddr
	if text(word(argv)) != "x" || text(word(argv+8)) != "y" || word(argv+16) != 0 {
		t.Error("the argument vector is not x, y, NULL")
	}
	if word(exec+56) != 1 || word(ops+56) != 0 {
		t.Error("which ops may fail was not kept")
	}
}

func TestPlanThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlan()
	p.str(strings.Repeat("x", planMax))
	if _, err := p.file(); err == nil {
		t.Error("a plan over its maximum was made")
	}
}

// Whatever else a box's plan holds, these must be in it, in this order: a privilege given up too
// early or too late is a hole.
func TestBoxGivesUpPrivilegeInOrder(t *testing.T) {
	t.Parallel()
	s := &shared{capabilities: []int{unix.CAP_SYS_ADMIN}, seccomp: filterBytes(), hard: map[int]uint64{}}
	pl := s.box(wire.RunSpec{UID: 700000, Argv: []string{"prog"}, Limits: limits()}, &program{dir: "/p"}, 1)
	var calls []int64
	for i := range pl.count {
		calls = append(calls, int64(binary.LittleEndian.Uint64(pl.ops[i*opBytes:])))
	}
	order := []int64{
		unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_PIVOT_ROOT, unix.SYS_UMOUNT2, unix.SYS_WRITE, unix.SYS_UNSHARE,
		unix.SYS_SETSID, unix.SYS_SETGROUPS, unix.SYS_SETRESGID, unix.SYS_SETRESUID, unix.SYS_CAPSET,
		unix.SYS_CLOSE_RANGE, unix.SYS_SECCOMP, opClock, unix.SYS_EXECVE, opFail,
	}
	at := -1
	for _, want := range order {
		i := slices.Index(calls[at+1:], want)
		if i < 0 {
			t.Fatalf("%d does not come after the step before it", want)
		}
		at += 1 + i
	}
	if split := slices.Index(calls, int64(unix.SYS_WRITE)); pl.split > split || pl.split < slices.Index(calls, int64(unix.SYS_UMOUNT2)) {
		t.Errorf("the child's part starts at %d: it must hold the joining of the cgroup at %d and no mount", pl.split, split)
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command string
		want    []string
	}{
		{"/bin/x", []string{"/bin/x"}},
		{"./main", []string{"./main"}},
		{"main", []string{"/a/main", "/b/main", "/work/main"}},
	} {
		if got := candidates(c.command, []string{"PATH=/a:.:/b"}); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.command, got, c.want)
		}
	}
}

func limits() sandbox.Limits {
	return sandbox.Limits{
		CPU: time.Second, Wall: time.Second, Memory: 64 << 20, Output: 1 << 16, Processes: 4, FileSize: 1 << 20, OpenFiles: 16,
	}.Resolved()
}
