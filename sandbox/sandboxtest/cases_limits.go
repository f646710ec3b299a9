package sandboxtest

import (
	"errors"
	"time"

	"optimus/sandbox"
)

const (
	ms  = time.Millisecond
	mib = 1 << 20
)

func limitCases() []Case {
	cpu := Want{Verdict: sandbox.TimeLimitExceeded, CPU: [2]time.Duration{300 * ms, 900 * ms}, Check: exceeded(sandbox.CPULimit)}
	late := cpu
	late.CPU[1] = 3 * time.Second
	own := &Difference{Want: late, Why: "the agent that ends the run there waits its turn beside it"}
	short := sandbox.Limits{CPU: 300 * ms, Wall: 10 * time.Second}
	return []Case{
		{Name: "time/busy loop", Language: python, Source: "while True: pass", Limits: short, Want: cpu, OwnKernel: own, Why: "CPU time ends a busy loop"},
		{
			Name: "time/busy children", Language: python, Source: "import os\nfor _ in range(2):\n  if not os.fork():\n    while True: pass\nos.wait()",
			Limits: short, Want: cpu, OwnKernel: own, Marked: true, Why: "CPU time is the sum over all processes",
		},
		{
			Name: "time/busy threads", Language: python, Source: "import threading\ndef f():\n  while True: pass\nfor _ in range(3): threading.Thread(target=f).start()",
			Limits: short, Want: cpu, OwnKernel: own, Marked: true, Why: "CPU time is the sum over all threads",
		},
		{
			Name: "time/busy daemon", Language: python, Source: "import os, time\nif not os.fork():\n  os.setsid()\n  if os.fork(): os._exit(0)\n  while True: pass\nos.wait()\ntime.sleep(8)",
			Limits: short, Want: cpu, OwnKernel: own, Marked: true, Why: "who leaves its session and parent does not leave its run",
		},
		{
			Name: "time/short-lived children", Language: python, Source: "import os, time\nwhile True:\n  if not os.fork():\n    end = time.process_time() + 0.01\n    while time.process_time() < end: pass\n    os._exit(0)\n  os.wait()",
			Limits: short, Want: cpu, OwnKernel: own, Why: "the time of children that are gone counts",
		},
		{
			Name: "time/sleep", Language: python, Source: "import time\ntime.sleep(60)", Limits: sandbox.Limits{CPU: 10 * time.Second, Wall: 500 * ms},
			Want: Want{Verdict: sandbox.TimeLimitExceeded, Wall: [2]time.Duration{500 * ms, 1500 * ms}, CPU: [2]time.Duration{0, 400 * ms}, Check: exceeded(sandbox.WallLimit)},
			Why:  "wall time ends what uses no CPU",
		},
		{
			Name: "time/ignores signals", Language: python, Source: "import signal, time\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True: time.sleep(1)",
			Limits: sandbox.Limits{Wall: 500 * ms}, Want: Want{Verdict: sandbox.TimeLimitExceeded, Check: exceeded(sandbox.WallLimit)}, Marked: true,
			Why: "no signal is asked for leave",
		},
		{
			Name: "time/stopped", Language: python, Source: "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", Limits: sandbox.Limits{Wall: 500 * ms},
			Want: Want{Verdict: sandbox.TimeLimitExceeded}, Marked: true, Why: "a stopped process ends like any other",
		},
		{
			Name: "files/too large in cpp", Language: cpp, Limits: sandbox.Limits{FileSize: mib},
			Source: "#include <fcntl.h>\n#include <unistd.h>\nstatic char b[65536];\nint main() { int f = open(\"big\", O_CREAT | O_WRONLY, 0600); for (int i = 0; i < 64; i++) write(f, b, sizeof b); return 0; }",
			Want:   Want{Verdict: sandbox.RuntimeError, Signal: 25}, Why: "SIGXFSZ is the kernel's word for a file over its limit",
		},
		{
			Name: "files/too large in python", Language: python, Limits: sandbox.Limits{FileSize: mib},
			Source: "import os\ntry: open('big', 'wb').write(b'x' * (2 << 20))\nexcept OSError as e: print(e.errno)\nprint(os.path.getsize('big') <= 1 << 20)",
			Want:   says("27\nTrue\n"), Why: "where the signal is ignored the write fails",
		},
		{
			Name: "files/too many open", Language: python, Limits: sandbox.Limits{OpenFiles: 32},
			Source: "import os\nn = 0\ntry:\n  while True: os.open('/dev/null', 0); n += 1\nexcept OSError as e: print(e.errno, n < 32)",
			Want:   says("24 True\n"), Why: "descriptors are bounded",
		},
		{
			Name: "files/limits can't be raised", Language: python, Source: raisesLimits, Want: says("done\n"), Why: "hard limits hold",
		},
		{
			Name: "stack/20 MB deep", Language: cpp, Limits: sandbox.Limits{Memory: 128 * mib},
			Source: "#include <cstdio>\n__attribute__((noinline)) long f(int n) { volatile char b[1000]; b[0] = n; return n ? f(n - 1) + b[0] - b[0] : 0; }\nint main() { printf(\"%ld\\n\", f(20000)); }",
			Want:   says("0\n"), Why: "the stack is as large as the memory limit allows",
		},
		{
			Name: "stack/without end", Language: cpp, Limits: sandbox.Limits{Memory: 64 * mib, Stack: 8 * mib},
			Source: "__attribute__((noinline)) int f(volatile int n) { volatile char b[1000]; b[0] = n; return f(n + 1) + b[0]; }\nint main() { return f(0); }",
			Want:   Want{Signal: 11}, Why: "a stated stack limit ends endless recursion before the memory limit does",
		},
	}
}

func exceeded(l sandbox.Limit) func(sandbox.Outcome) error {
	return func(o sandbox.Outcome) error {
		if o.Exceeded != l {
			return errors.New("the limit that ended it should be " + string(l))
		}
		return nil
	}
}

const raisesLimits = `
import resource
for name in dir(resource):
    if not name.startswith('RLIMIT_'): continue
    which = getattr(resource, name)
    soft, hard = resource.getrlimit(which)
    # 1 byte holds no dump, and keeps the host's own handler of crashes away (core(5)).
    if name == 'RLIMIT_CORE' and hard not in (0, 1): print('core dumps are possible')
    if hard == resource.RLIM_INFINITY: continue
    try:
        resource.setrlimit(which, (hard + 1, hard + 1))
        if resource.getrlimit(which)[1] != hard: print(name, 'could be raised')
    except (OSError, ValueError): pass
print('done')
`

func memoryCases() []Case {
	over := Want{Verdict: sandbox.MemoryLimitExceeded, Check: exceeded(sandbox.MemoryLimit)}
	limits := sandbox.Limits{Memory: 64 * mib, CPU: 10 * time.Second, Wall: 20 * time.Second, FileSize: 1 << 30}
	return []Case{
		{Name: "memory/at once", Language: python, Source: "x = b'x' * (1 << 28)", Limits: limits, Want: over, Why: "the plain case"},
		{Name: "memory/slowly", Language: python, Source: "x = []\nwhile True: x.append(b'x' * 100000)", Limits: limits, Want: over, Why: "each step is small"},
		{
			Name: "memory/in children", Language: python, Source: "import os\nfor _ in range(4):\n  if not os.fork():\n    x = b'x' * (30 << 20)\n    os.read(0, 1)\n    import time; time.sleep(5)\n    os._exit(0)\nfor _ in range(4): os.wait()",
			Limits: limits, Want: over, Marked: true, Why: "memory is the sum over all processes",
		},
		{
			Name: "memory/a child only", Language: python, Source: "import os\nif not os.fork():\n  x = b'x' * (1 << 28)\n  os._exit(0)\nos.wait()\nprint('done')",
			Limits: limits, Want: over, Marked: true, Why: "the limit was hit, whatever the main process's status",
		},
		{
			Name: "memory/in a tmpfs", Language: python, Source: "f = open('/tmp/x', 'wb')\nwhile True: f.write(b'x' * 1000000); f.flush()",
			Limits: limits, Want: Want{Bad: true}, Why: "files in memory are memory; a tmpfs as large as the limit may be full a little before it",
		},
		{
			Name: "memory/in shared memory", Language: python, Source: "import mmap\nm = mmap.mmap(-1, 1 << 28)\nfor i in range(0, 1 << 28, 4096): m[i] = 1",
			Limits: limits, Want: over, Why: "shared memory is memory",
		},
		{
			Name: "memory/disk is full first", Language: python, Limits: sandbox.Limits{Memory: 64 * mib, Disk: 8 * mib},
			Source: "def fill(path):\n  try:\n    with open(path, 'wb', 0) as f:\n      while True: f.write(b'x' * 65536)\n  except OSError as e: return e.errno\nprint(fill('x'), fill('/tmp/x'), fill('/dev/shm/x'))",
			Want:   says("28 28 28\n"), Why: "the working folder, /tmp and /dev/shm are bounded together",
		},
		{
			Name: "memory/below the limit", Language: python, Source: "x = b'x' * (40 << 20)\nprint('done')", Limits: limits,
			Want: Want{Stdout: new("done\n"), Memory: [2]int64{40 * mib, 64 * mib}}, Why: "what is allowed is not refused",
		},
		{
			Name: "memory/java ends itself", Language: java, Limits: sandbox.Limits{Memory: 256 * mib},
			Source: "import java.util.*;\npublic class Main {\n  public static void main(String[] args) {\n    List<byte[]> all = new ArrayList<>();\n    while (true) { byte[] b = new byte[1 << 20]; Arrays.fill(b, (byte) 1); all.add(b); }\n  }\n}",
			Want:   Want{Bad: true, Memory: [2]int64{150 * mib, 256 * mib}}, Why: "the judge calls it a memory limit by its status and a peak near the limit",
		},
	}
}

const countThreads = `
import threading, time
n = 0
try:
    while n < 1000:
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        n += 1
except RuntimeError: pass
print('done' if 5 < n < 20 else n, flush=True)
import os; os._exit(0)
`

func processCases() []Case {
	few := sandbox.Limits{Processes: 20, CPU: 3 * time.Second, Wall: 6 * time.Second}
	return []Case{
		{
			Name: "processes/fork bomb", Language: python, Source: "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", Limits: few, Marked: true,
			Want: Want{Verdict: sandbox.TimeLimitExceeded, Processes: [2]int64{10, 20}}, Why: "it must not spread, and must be gone",
		},
		{Name: "processes/thread bomb", Language: python, Source: countThreads, Limits: few, Want: says("done\n"), Marked: true, Why: "threads count like processes"},
		{
			Name: "processes/honest children", Language: python, Limits: few,
			Source: "import subprocess, sys\nps = [subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.3)']) for _ in range(5)]\nprint([p.wait() for p in ps])",
			Want:   Want{Stdout: new("[0, 0, 0, 0, 0]\n"), Processes: [2]int64{6, 20}}, Why: "children are allowed, and the peak is told",
		},
		{
			Name: "processes/daemon outlives its parent", Language: python, Marked: true,
			Source: "import os, time\nif os.fork(): print('done', flush=True); os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(60)",
			Want:   Want{Stdout: new("done\n"), Wall: [2]time.Duration{0, 3 * time.Second}}, Why: "the verdict comes with the main process's end, and the daemon dies",
		},
		{
			Name: "processes/holds the output open", Language: python, Marked: true,
			Source: "import os, time\nif not os.fork(): time.sleep(60)\nprint('done')",
			Want:   Want{Stdout: new("done\n"), Wall: [2]time.Duration{0, 3 * time.Second}}, Why: "the end of the output is not the end of the program",
		},
	}
}

// guestClock is why bounds of CPU time are wider: start-up costs more too.
const guestClock = "the clock by which the program measures itself also runs while this machine runs others; the outcome tells the truth"

func measureCases() []Case {
	return []Case{
		{
			Name: "measure/CPU", Language: python, Times: 3, Source: "import time\nwhile time.process_time() < 0.3: pass",
			Want: Want{CPU: [2]time.Duration{290 * ms, 500 * ms}, Wall: [2]time.Duration{290 * ms, 3 * time.Second}}, Why: "300 ms of CPU time, in the first run as in later ones",
			OwnKernel: &Difference{Want: Want{CPU: [2]time.Duration{100 * ms, 500 * ms}}, Why: guestClock},
		},
		{
			Name: "measure/CPU of children", Language: python, Times: 2,
			Source: "import os, time\nfor reap in True, False:\n  r, w = os.pipe()\n  pid = os.fork()\n  if not pid:\n    while time.process_time() < 0.15: pass\n    os.write(w, b'x')\n    os._exit(0)\n  os.read(r, 1)\n  if reap: os.waitpid(pid, 0)",
			Want:   Want{CPU: [2]time.Duration{290 * ms, 600 * ms}}, Why: "150 ms each of a child that was reaped and of one that was not",
			OwnKernel: &Difference{Want: Want{CPU: [2]time.Duration{100 * ms, 900 * ms}}, Why: guestClock},
		},
		{
			Name: "measure/wall", Language: python, Times: 3, Source: "import time\ntime.sleep(0.3)",
			Want: Want{Wall: [2]time.Duration{300 * ms, 800 * ms}, CPU: [2]time.Duration{0, 250 * ms}}, Why: "a sleep of 300 ms uses no CPU",
			OwnKernel: &Difference{Want: Want{Wall: [2]time.Duration{300 * ms, 3 * time.Second}, CPU: [2]time.Duration{0, 400 * ms}}, Why: "an interpreter starts more slowly in gVisor"},
		},
		{
			Name: "measure/memory", Language: python, Times: 3, Source: "x = b'x' * (100 << 20)", Limits: sandbox.Limits{Memory: 256 * mib},
			Want: Want{Memory: [2]int64{100 * mib, 125 * mib}}, Why: "100 MiB and a small interpreter",
		},
		{
			Name: "measure/memory of files", Language: python, Times: 2, Source: "with open('x', 'wb') as f: f.write(b'x' * (30 << 20))", Limits: sandbox.Limits{Memory: 256 * mib},
			Want: Want{Memory: [2]int64{30 * mib, 90 * mib}}, Why: "what lies in the working folder counts",
		},
		{
			Name: "measure/processes", Language: python, Times: 2, Source: "print('done') # alone",
			Want: Want{Stdout: new("done\n"), Processes: [2]int64{1, 2}}, Why: "what runs the program is not counted as the program",
		},
	}
}
