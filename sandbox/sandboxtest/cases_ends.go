package sandboxtest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"optimus/sandbox"
)

// endCases: how a program ends is reported as it was.
func endCases() []Case {
	cases := []Case{
		{Name: "hello/python", Language: python, Source: `print("hello")`, Want: says("hello\n"), Why: "nothing works without it"},
		{Name: "hello/cpp", Language: cpp, Source: helloCPP, Want: says("hello\n"), Why: "nothing works without it"},
		{Name: "hello/java", Language: java, Source: helloJava, Want: says("hello\n"), Why: "nothing works without it"},
		{Name: "hello/rust", Language: rust, Source: helloRust, Want: says("hello\n"), Why: "nothing works without it"},
		{
			Name: "ends/empty source", Language: python, Want: says(""),
			Why: "an empty file is a valid Python program",
		},
		{
			Name: "ends/itself by SIGKILL", Language: python, Source: "import os\nos.kill(os.getpid(), 9)", Want: Want{Signal: 9},
			Why: "a bare SIGKILL is not the memory limit's, and a program that is PID 1 could not do it",
		},
		{
			Name: "ends/by SIGTERM", Language: python, Source: "import os\nos.kill(os.getpid(), 15)", Want: Want{Signal: 15},
			Why: "PID 1 would ignore it",
		},
		{Name: "ends/SIGSEGV", Language: cpp, Source: "int main() { int *volatile p = nullptr; return *p; }", Want: Want{Signal: 11}, Why: "the most common crash"},
		{Name: "ends/SIGFPE", Language: cpp, Source: "int main(int argc, char **) { volatile int zero = argc - argc; return (argc + 41) / zero; }", Want: Want{Signal: 8}, Why: "division by zero"},
		{Name: "ends/SIGABRT", Language: cpp, Source: "#include <cstdlib>\nint main() { std::abort(); }", Want: Want{Signal: 6}, Why: "as PID 1 it would show as SIGSEGV"},
		{Name: "ends/uncaught exception", Language: cpp, Source: "int main() { throw 1; }", Want: Want{Signal: 6}, Why: "ends in abort()"},
		{
			Name: "ends/status beside output", Language: python, Source: "print('partial')\nraise SystemExit(7)",
			Want: Want{ExitCode: 7, Stdout: new("partial\n")}, Why: "what was printed before a failure is kept",
		},
		{
			Name: "ends/command is missing", Language: python, Source: "print(1)",
			Change: func(l *sandbox.Language) { l.Run = []string{"/no/such/interpreter", "{source}"} },
			Want: Want{Verdict: sandbox.RuntimeError, Check: func(o sandbox.Outcome) error {
				if o.Message == "" {
					return errors.New("no message says why the command could not be started")
				}
				return nil
			}},
			Why: "a broken catalogue entry must be plain from the report",
		},
	}
	for _, status := range []int{1, 2, 42, 126, 127, 128, 137, 139, 255} {
		cases = append(cases, Case{
			Name: fmt.Sprintf("ends/status %d", status), Language: python,
			Source: fmt.Sprintf("import os\nos._exit(%d)", status), Want: Want{ExitCode: status},
			Why: "a status is no signal and no limit, whatever shells make of it",
		})
	}
	return cases
}

const (
	helloCPP  = "#include <iostream>\nint main() { std::cout << \"hello\" << std::endl; }"
	helloJava = "public class Main {\n  public static void main(String[] args) { System.out.println(\"hello\"); }\n}"
	helloRust = "fn main() { println!(\"hello\"); }"
)

// allBytes is every byte, NUL, line feeds and what is no UTF-8 included, many times over.
func allBytes() string {
	b := make([]byte, 64<<10)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

const copyInput = `
import sys
sys.stdout.buffer.write(sys.stdin.buffer.read())
`

func inputOutputCases() []Case {
	return []Case{
		{Name: "io/echo", Language: python, Source: "print(input()[::-1])", Stdin: "olleh\n", Want: says("hello\n"), Why: "standard input arrives"},
		{Name: "io/binary", Language: python, Source: copyInput, Stdin: allBytes(), Want: says(allBytes()), Why: "input and output are bytes, not text"},
		{Name: "io/no input", Language: python, Source: copyInput + "# of nothing", Want: says(""), Why: "without input the program reads its end at once"},
		{
			Name: "io/10 MB read", Language: python, Source: "import sys\nprint(len(sys.stdin.buffer.read()))",
			Stdin: strings.Repeat("x", 10<<20), Want: says("10485760\n"), Why: "input larger than a pipe's buffer",
		},
		{
			Name: "io/10 MB not read", Language: python, Source: "print('done')", Stdin: strings.Repeat("x", 10<<20),
			Want: Want{Stdout: new("done\n"), Wall: [2]time.Duration{0, 5 * time.Second}},
			Why:  "who waits until all input is taken hangs",
		},
		{
			Name: "io/arguments", Language: python, Source: "import sys\nprint(sys.argv[1:])", Args: []string{"a b", "", "-x", "ä", "$HOME"},
			Want: says("['a b', '', '-x', 'ä', '$HOME']\n"), Why: "arguments pass through no shell",
		},
		{
			Name: "io/streams apart", Language: python, Source: "import sys\nprint('out')\nprint('err', file=sys.stderr)",
			Want: Want{Stdout: new("out\n"), StderrHas: "err\n"}, Why: "standard error must not fail a test",
		},
		{Name: "io/closed streams", Language: python, Source: "import os\nfor fd in 0, 1, 2: os.close(fd)\nos._exit(0)", Stdin: "x", Want: says(""), Why: "a program may close all three"},
		{
			Name: "io/several files", Language: python, Source: "from lib.util import f\nprint(f(open('data.txt').read()))",
			Files: []sandbox.File{{Name: "lib/util.py", Content: []byte("def f(x): return x * 2")}, {Name: "data.txt", Content: []byte("ab")}},
			Want:  says("abab\n"), Why: "every file of the source lies where its name says",
		},
		{Name: "io/unicode source", Language: python, Source: "größe = 'ñ→😀'\nprint(ascii(größe))", Want: says("'\\xf1\\u2192\\U0001f600'\n"), Why: "source is bytes, not ASCII"},
		{
			Name: "io/output at its limit", Language: python, Source: "import os\nfor fd in 1, 2:\n  n = 65536\n  while n: n -= os.write(fd, b'x' * n)",
			Limits: sandbox.Limits{Output: 64 << 10},
			Want:   Want{Check: func(o sandbox.Outcome) error { return kept(o.Stdout, o.StdoutTruncated, 64<<10, false) }},
			Why:    "the limit itself is allowed",
		},
		{
			Name: "io/endless output", Language: python, Source: "import os\nwhile True: os.write(1, b'x' * 65536)",
			Limits: sandbox.Limits{Output: 64 << 10},
			Want: Want{Verdict: sandbox.OutputLimitExceeded, Check: func(o sandbox.Outcome) error {
				return kept(o.Stdout, o.StdoutTruncated, 64<<10, true)
			}},
			Why: "output is cut while it streams, and the program is ended",
		},
		{
			Name: "io/much standard error", Language: python, Source: "import os\nos.write(1, b'ok')\nfor i in range(320): os.write(2, b'x' * 65536)",
			Limits: sandbox.Limits{Output: 64 << 10},
			Want: Want{Verdict: sandbox.Accepted, Stdout: new("ok"), Check: func(o sandbox.Outcome) error {
				return kept(o.Stderr, o.StderrTruncated, 64<<10, true)
			}},
			Why: "standard error never fails a test: what is over the limit is dropped",
		},
	}
}

func kept(p []byte, truncated bool, size int, cut bool) error {
	if len(p) != size || truncated != cut {
		return fmt.Errorf("kept %d bytes, truncated %t; want %d and %t", len(p), truncated, size, cut)
	}
	return nil
}

func compileCases() []Case {
	return []Case{
		{
			Name: "compile/error in cpp", Language: cpp, Source: "int main() { return missing; }",
			Want: Want{NotCompiled: true, StderrHas: "missing"}, Why: "the compiler's message is the user's only clue",
		},
		{Name: "compile/error in java", Language: java, Source: "public class Main { int x = missing; }", Want: Want{NotCompiled: true, StderrHas: "missing"}, Why: "as above"},
		{Name: "compile/error in rust", Language: rust, Source: "fn main() { missing(); }", Want: Want{NotCompiled: true, StderrHas: "missing"}, Why: "as above"},
		{
			Name: "compile/never ends", Language: cpp,
			Source:        "template <int N> struct T { typedef typename T<N + 1>::type a; typedef typename T<N + 2>::type type; };\nT<0>::type x;\nint main() {}",
			CompileLimits: sandbox.Limits{CPU: time.Second, Wall: 5 * time.Second},
			Change:        func(l *sandbox.Language) { l.Compile = append(l.Compile, "-ftemplate-depth=900000") },
			Want:          Want{NotCompiled: true, Bad: true},
			Why:           "the compiler runs untrusted input and is bounded like a test",
		},
		{
			Name: "compile/reads a device without end", Language: cpp, Source: "#include \"/dev/zero\"\nint main() {}",
			CompileLimits: sandbox.Limits{CPU: 2 * time.Second, Wall: 6 * time.Second, Memory: 256 << 20},
			Want:          Want{NotCompiled: true, Bad: true},
			Why:           "as above",
		},
		{
			Name: "compile/includes a secret", Language: cpp, Source: "#include \"/etc/shadow\"\nint main() {}",
			Want: Want{NotCompiled: true, StderrHasNot: "root:"},
			Why:  "a compiler's message shows what it reads",
		},
		{
			Name: "compile/same file in every run", Language: cpp, Times: 3, Source: spoilsItselfCPP, Want: says("done\n"),
			Why: "a run that alters the compiled program would decide the next test",
		},
		{
			Name: "compile/same source in every run", Language: python, Times: 3, Source: spoilsItselfPython, Want: says("done\n"),
			Why: "as above, for what is interpreted",
		},
	}
}

const spoilsItselfCPP = `
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
#include <sys/stat.h>
int main() {
  char self[4096] = {0};
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) puts("its own file cannot be found");
  if (FILE *mark = fopen("mark", "r")) { puts("the last run's file is there"); fclose(mark); }
  if (FILE *mark = fopen("mark", "w")) fclose(mark);
  chmod(self, 0777);
  truncate(self, 10);
  unlink(self);
  puts("done");
}`

const spoilsItselfPython = `
import os
me = os.path.abspath(__file__)
if 'its mark' in open(me).read().split('#')[-1]: print('the last run altered the source')
if os.path.exists('__pycache__/x') or os.path.exists('mark'): print("the last run's file is there")
for spoil in (
    lambda: open('mark', 'w').close(),
    lambda: os.makedirs('__pycache__') or open('__pycache__/x', 'w').close(),
    lambda: os.chmod(me, 0o777),
    lambda: open(me, 'a').write('#its mark'),
    lambda: os.rename(me, me + '.old'),
    lambda: os.symlink('/etc/passwd', me),
):
    try: spoil()
    except OSError: pass
print('done')
# end
`
