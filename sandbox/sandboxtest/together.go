package sandboxtest

import (
	"context"
	"sync"
	"testing"

	"optimus/sandbox"
)

// looksForTheOther leaves its mark wherever it can and looks for the other's, for as long as both
// are there: a line of input holds its own mark and the other's.
const looksForTheOther = `
import ctypes, fcntl, os, signal, socket, sys, time
own, other = input().split()
libc = ctypes.CDLL(None)
sockets = []
def listen(family, address, kind=socket.SOCK_STREAM):
    try:
        s = socket.socket(family, kind)
        s.bind(address)
    except OSError: return
    sockets.append(s)
    if kind == socket.SOCK_STREAM: s.listen()
listen(socket.AF_UNIX, '\0' + own)
listen(socket.AF_UNIX, '/tmp/' + own)
listen(socket.AF_INET, ('127.0.0.1', 40000 + int(own, 36) % 10000))
listen(socket.AF_INET, ('127.0.0.1', 40000 + int(own, 36) % 10000), socket.SOCK_DGRAM)
folders = '.', '/tmp', '/dev/shm', '/var/tmp', '/run', '/dev/mqueue', '/work', '/'
for folder in folders:
    try: open(os.path.join(folder, own), 'w').write(own)
    except OSError: pass
libc.shmget(int(own, 36) % 100000, 4096, 0o1666)
libc.mq_open(b'/' + own.encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
libc.prctl(15, own.encode()[:15])
# Files of the image are the same for both: each reads in a folder that the other watches.
mine, theirs = '/etc/passwd', os.path.realpath(sys.executable)
if own > other: mine, theirs = theirs, mine
found = set()
signal.signal(signal.SIGIO, lambda *_: found.add('reads, by signal'))
try: fcntl.fcntl(os.open(os.path.dirname(theirs), os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS | fcntl.DN_MULTISHOT)
except OSError: pass
watch = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(watch, os.path.dirname(theirs).encode(), 0xfff)
print('started', flush=True)
def tried(what, call):
    try:
        if call() not in (None, False, -1): found.add(what)
    except OSError: pass
def reach(family, address):
    with socket.socket(family) as s:
        s.settimeout(0.2)
        s.connect(address)
        return True
end = time.monotonic() + 1.5
while time.monotonic() < end:
    open(mine, 'rb').read(1)
    tried('reads, by watch', lambda: os.read(watch, 4096))
    for folder in folders: tried('file in ' + folder, lambda: os.path.lexists(os.path.join(folder, other)))
    tried('abstract socket', lambda: reach(socket.AF_UNIX, '\0' + other))
    tried('socket in /tmp', lambda: reach(socket.AF_UNIX, '/tmp/' + other))
    tried('loopback', lambda: reach(socket.AF_INET, ('127.0.0.1', 40000 + int(other, 36) % 10000)))
    tried('System V memory', lambda: libc.shmget(int(other, 36) % 100000, 0, 0))
    tried('POSIX queue', lambda: libc.mq_open(b'/' + other.encode(), os.O_RDWR))
    for pid in os.listdir('/proc'):
        if pid.isdigit() and int(pid) not in (1, os.getpid()): found.add('process ' + pid)
    for pid in range(2, 400):
        if pid != os.getpid(): tried('signal to %d' % pid, lambda: os.kill(pid, signal.SIGKILL) is None)
    time.sleep(0.02)
print(*sorted(found), sep='\n', end='')
print('done')
`

// lookForEachOther runs two jobs at the same time, in one container and in two of the same image.
func lookForEachOther(t *testing.T, h Harness) {
	t.Helper()
	for _, tier := range []sandbox.Tier{sandbox.Shared, sandbox.Dedicated} {
		const tries = 5 // on a busy machine the first may end before the second starts
		met := false
		for n := 0; n < tries && !met; n++ {
			met = lookOnce(t, h, tier)
		}
		if !met {
			t.Errorf("%s: two jobs have never run at the same time: has the Runner two slots?", tier)
		}
	}
}

// lookOnce tells whether the two were there at the same time.
func lookOnce(t *testing.T, h Harness, tier sandbox.Tier) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), h.within())
	defer cancel()
	lang := h.Languages[python]
	lang.Tier = tier
	var wg sync.WaitGroup
	var mu sync.Mutex
	running, most := 0, 0
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		running += n
		most = max(most, running)
	}
	all := []string{"optimusa optimusb", "optimusb optimusa"}
	var programs []sandbox.Program
	for range all {
		p, outcome, err := h.Runner.Prepare(ctx, lang, program(looksForTheOther), lang.CompileLimits.Or(fallback()).Resolved())
		if err != nil || p == nil {
			t.Fatalf("prepare: %v, %s", err, show(outcome))
		}
		defer p.Close()
		programs = append(programs, p)
	}
	for i, marks := range all {
		p := programs[i]
		wg.Go(func() {
			started := sync.OnceFunc(func() { count(1) })
			outcome, err := p.Run(ctx, sandbox.Input{Stdin: []byte(marks), Output: func(sandbox.Stream, []byte) { started() }}, limits(h))
			started()
			count(-1)
			if err != nil || string(outcome.Stdout) != "started\ndone\n" {
				t.Errorf("%s: error %v\n%s", tier, err, show(outcome))
			}
		})
	}
	wg.Wait()
	return most == 2
}
