package sandboxtest

import (
	"time"

	"optimus/sandbox"
)

// leavesTraces looks for what an earlier run left, then leaves as much as it can.
const leavesTraces = `
import os, socket, subprocess
name = 'optimus-suite-left'
folders = '.', '/tmp', '/dev/shm', '/var/tmp', '/run', '/run/lock', '/dev/mqueue', '/var/lock', os.path.expanduser('~')
for folder in folders:
    if os.path.lexists(os.path.join(folder, name)): print('found', folder)
for folder in folders:
    try: open(os.path.join(folder, name), 'w').close()
    except OSError: pass
for folder in '/tmp', '/dev/shm', '/var/tmp':
    try: left = os.listdir(folder)
    except OSError: continue
    if set(left) - {name}: print(folder, 'holds', left)
for kind in 'shm', 'msg', 'sem':
    try: lines = open('/proc/sysvipc/' + kind).read().splitlines()[1:]
    except OSError: continue
    if lines: print('System V', kind, 'exists:', lines)
try:
    import ctypes
    libc = ctypes.CDLL(None)
    libc.shmget(4711, 4096, 0o1666)
    libc.msgget(4711, 0o1666)
    libc.semget(4711, 1, 0o1666)
except (ImportError, OSError): pass
try:
    lines = open('/proc/net/unix').read().splitlines()[1:]
    if lines: print('sockets exist:', lines)
except OSError: pass
server = socket.socket(socket.AF_UNIX)
try: server.bind('\0' + name)
except OSError as e: print('the name of an abstract socket is taken:', e)
for pid in os.listdir('/proc'):
    if pid.isdigit() and int(pid) not in (1, os.getpid()): print('process', pid, 'exists')
if os.fork() == 0:
    os.setsid()
    import time; time.sleep(60)
    os._exit(0)
print('done')
`

func leftoverCases() []Case {
	return []Case{
		{
			Name: "leftovers/nothing is found", Language: python, Source: leavesTraces, Times: 3, Anew: true, Marked: true, Want: says("done\n"),
			Why: "nothing that one run writes may be seen in another, of this program or the next",
		},
		{
			Name: "leftovers/folder is its own", Language: python, Times: 2,
			Source: "import os\nprint(sorted(os.listdir('.')) == [os.path.basename(__file__)] and os.access('.', os.W_OK))\nopen('x', 'w').write('y')\nprint(open('x').read())",
			Want:   says("True\ny\n"), Why: "a run starts in a folder that holds its source alone and may be written to",
		},
	}
}

const whoAmI = `
import os
status = dict(line.split(':\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\t' in line)
for field in 'Uid', 'Gid':
    if '0' in status[field].split(): print('runs as root:', field, status[field])
if '0' in status.get('Groups', '').split(): print('is in the group of root')
if os.getpid() == 1: print('is PID 1')
for field in 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb':
    if int(status[field], 16): print('has capabilities:', field, status[field])
if status['NoNewPrivs'].strip() != '1': print('may gain privileges')
if status['Seccomp'].strip() != '2': print('has no filter of system calls: mode', status['Seccomp'])
for name, call in {
    'setuid': lambda: os.setuid(0), 'setgid': lambda: os.setgid(0), 'setgroups': lambda: os.setgroups([0]),
    'setresuid': lambda: os.setresuid(0, 0, 0), 'nice': lambda: os.nice(-5),
}.items():
    try: call(); print(name, 'worked')
    except OSError: pass
print('done')
`

const environment = `
import os
allowed = {'PATH', 'HOME', 'LANG', 'LANGUAGE', 'PWD', 'SHLVL', '_', 'TMPDIR', 'TMP', 'USER', 'LOGNAME', 'SHELL', 'TERM', 'TZ', 'HOSTNAME'}
for name, value in os.environ.items():
    if name not in allowed and not name.startswith(('LC_', 'PYTHON')): print('environment has', name)
    if 'OPTIMUS' in (name + value).upper().replace(os.getcwd().upper(), ''): print('environment tells of Optimus:', name)
for pid in 1, os.getppid():
    try:
        data = open('/proc/%d/environ' % pid).read()
        if data: print('the environment of', pid, 'can be read:', len(data))
    except OSError: pass
extra = [fd for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and os.path.exists('/proc/self/fd/' + fd)]
if extra: print('descriptors are inherited:', [(fd, os.readlink('/proc/self/fd/' + fd)) for fd in extra])
if os.umask(0o022) & 0o700: print('umask keeps its own files from the program')
print('done')
`

const setuidPrograms = `
import os, stat, subprocess
for folder in '/bin', '/sbin', '/usr/bin', '/usr/sbin', '/usr/lib', '/usr/local/bin':
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(path, name)
            try: mode = os.lstat(file).st_mode
            except OSError: continue
            if not stat.S_ISREG(mode) or not mode & (stat.S_ISUID | stat.S_ISGID): continue
            for args in [file, '-c', 'id -u'], [file]:
                try: out = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, timeout=1).stdout
                except (OSError, subprocess.TimeoutExpired): continue
                if out.strip() == b'0': print(file, 'gives root')
try:
    os.mkdir('own')
    with open('own/sh', 'wb') as f: f.write(open('/bin/sh', 'rb').read())
    os.chmod('own/sh', 0o6755)
    if subprocess.run(['own/sh', '-p', '-c', 'id -u'], capture_output=True).stdout.strip() == b'0': print('a setuid file of its own gives root')
except OSError: pass
print('done')
`

func identityCases() []Case {
	return []Case{
		{
			Name: "identity/no privileges", Language: python, Source: whoAmI, Want: says("done\n"), Why: "never root, never PID 1, no capability, no way to gain any",
			OwnKernel: &Difference{Want: says("nice worked\ndone\n"), Why: "gVisor takes any nice value, and schedules by none"},
		},
		{Name: "identity/clean environment", Language: python, Source: environment, Want: says("done\n"), Why: "neither variables nor descriptors of the agent leak"},
		{
			Name: "identity/language's environment", Language: python, Source: "import os\nprint(os.environ['SUITE_WORD'])",
			Change: func(l *sandbox.Language) { l.Env = append([]string{"SUITE_WORD=a b"}, l.Env...) }, Want: says("a b\n"), Why: "what the catalogue adds arrives",
		},
		{Name: "identity/setuid programs", Language: python, Source: setuidPrograms, Limits: sandbox.Limits{Wall: 60 * time.Second, CPU: 30 * time.Second}, Want: says("done\n"), Why: "an image may hold setuid programs"},
	}
}

const writesEverywhere = `
import os
own = {os.path.realpath(p) for p in ('.', '/tmp', '/dev/shm', '/dev/mqueue')}
for path, folders, files in os.walk('/', onerror=None):
    real = os.path.realpath(path)
    if real in own or real == '/proc' or any(real.startswith(o + '/') for o in own):
        folders.clear()
        continue
    try:
        open(os.path.join(path, 'optimus-suite-write'), 'w').close()
        print('could write to', path)
    except OSError: pass
for path in '/etc/passwd', '/etc/ld.so.cache', '/usr/bin/env', '/bin/sh':
    for name, call in ('open', lambda: open(path, 'r+')), ('remove', lambda: os.remove(path)), ('rename', lambda: os.rename(path, '/tmp/x')), ('chmod', lambda: os.chmod(path, 0o777)):
        try: call(); print(name, path, 'worked')
        except OSError: pass
print('done')
`

const looksAround = `
import os
for path in '/etc/shadow', '/etc/gshadow', '/proc/1/environ', '/proc/1/maps', '/proc/1/mem', '/proc/kcore', '/proc/kmsg', '/proc/keys', '/proc/timer_list', '/dev/mem', '/dev/kmsg', '/root/.ssh/id_rsa', '/var/run/docker.sock', '/run/containerd/containerd.sock', '/sys/kernel/debug/tracing', '/sys/firmware/dmi', '/sys/firmware/efi':
    try:
        data = os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(64)
        if data: print('could read', path)
    except OSError: pass
for path in '/proc/1/root', '/proc/1/cwd', '/proc/1/exe', '/proc/1/fd':
    try: print('could look into', path, os.listdir(path) if path.endswith(('root', 'cwd', 'fd')) else os.readlink(path))
    except OSError: pass
import stat
for path, folders, files in os.walk('/'):
    if path == '/': folders[:] = [f for f in folders if f not in ('proc', 'sys')]
    for name in files:
        try:
            mode = os.lstat(os.path.join(path, name)).st_mode
            if stat.S_ISSOCK(mode): print('there is a socket:', os.path.join(path, name))
            if stat.S_ISBLK(mode): print('there is a block device:', os.path.join(path, name))
        except OSError: pass
print('done')
`

const looksAtProc = `
import os
me = os.getpid()
others = [p for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, me)]
if others: print('other processes are seen:', others)
def denied(path, text=b'1'):
    try:
        with open(path, 'wb', 0) as f: f.write(text)
        print('writing', path, 'worked')
    except OSError: pass
for path in '/proc/sys/kernel/hostname', '/proc/sys/kernel/core_pattern', '/proc/sys/vm/drop_caches', '/proc/sysrq-trigger', '/proc/irq/0/smp_affinity', '/proc/1/oom_score_adj', '/proc/self/gid_map', '/sys/kernel/uevent_helper', '/sys/power/state':
    denied(path)
for path, folders, files in os.walk('/sys/fs/cgroup'):
    for name in 'cgroup.procs', 'tasks', 'memory.max', 'memory.limit_in_bytes', 'release_agent':
        if name in files: denied(os.path.join(path, name), b'0')
try:
    os.kill(1, 9)
    os.kill(1, 19)
except PermissionError: pass
print('done')
`

const looksAtDev = `
import os, stat
allowed = {'null', 'zero', 'full', 'random', 'urandom', 'tty', 'fd', 'stdin', 'stdout', 'stderr', 'shm', 'pts', 'ptmx', 'mqueue', 'core'}
extra = set(os.listdir('/dev')) - allowed
if extra: print('/dev holds', extra)
for name in 'null', 'zero', 'random', 'urandom':
    try: open('/dev/' + name, 'rb').read(1)
    except OSError as e: print(e)
open('/dev/null', 'w').write('x')
for kind, number in (stat.S_IFBLK, os.makedev(8, 0)), (stat.S_IFCHR, os.makedev(1, 1)):
    try: os.mknod('device', kind | 0o600, number); print('a device could be made')
    except OSError: pass
print('done')
`

func viewCases() []Case {
	wide := sandbox.Limits{Wall: 60 * time.Second, CPU: 30 * time.Second}
	return []Case{
		{Name: "view/nothing but its own can be written", Language: python, Source: writesEverywhere, Limits: wide, Want: says("done\n"), Why: "the image is read-only and shared"},
		{Name: "view/secrets", Language: python, Source: looksAround, Limits: wide, Want: says("done\n"), Why: "what is readable by root alone, sockets and devices are out of reach"},
		{Name: "view/proc and sys", Language: python, Source: looksAtProc, Want: says("done\n"), Why: "a fresh /proc is unmasked unless someone masks it"},
		{Name: "view/dev", Language: python, Source: looksAtDev, Want: says("done\n"), Why: "no device but the harmless ones"},
		{
			Name: "view/tricks with files", Language: python, Times: 2, Why: "links, pipes and odd names in the folder must trouble nobody who tidies it up",
			Source: "import os\nos.symlink('/etc', 'etc'); os.symlink('/proc/1/root', 'root'); os.symlink('loop', 'loop'); os.mkfifo('fifo')\nopen('a\\nb\\xff', 'w').close()\nfor i in range(200): os.mkdir('d'); os.chdir('d')\nfor name in ('stdout', 'stderr', 'output', 'report.json'):\n  os.symlink('/etc/passwd', name)\nos.chmod('.', 0)\nprint('done')",
			Want:   says("done\n"),
		},
	}
}

const triesNetwork = `
import errno, os, socket
def tried(what, call):
    try: call()
    except OSError: return
    print(what, 'worked')
def to(family, address, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind)
    s.settimeout(2)
    s.connect(address)
    if kind == socket.SOCK_DGRAM: s.send(b'x')
for name in '127.0.0.1', '127.1.2.3', '0.0.0.0':
    tried('TCP to ' + name, lambda: to(socket.AF_INET, (name, 9)))
    tried('UDP to ' + name, lambda: to(socket.AF_INET, (name, 9), socket.SOCK_DGRAM))
tried('TCP to ::1', lambda: to(socket.AF_INET6, ('::1', 9)))
tried('a raw socket', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
for family in 'AF_PACKET', 'AF_NETLINK', 'AF_VSOCK', 'AF_ALG', 'AF_BLUETOOTH', 'AF_CAN', 'AF_TIPC', 'AF_RDS':
    if hasattr(socket, family):
        tried('a socket of ' + family, lambda: socket.socket(getattr(socket, family), socket.SOCK_RAW if family != 'AF_VSOCK' else socket.SOCK_STREAM))
tried('a name look-up', lambda: socket.getaddrinfo('localhost.invalid', 80))
try:
    lines = [line.split(':')[0].strip() for line in open('/proc/net/dev').read().splitlines()[2:]]
    if set(lines) - {'lo'}: print('interfaces:', lines)
except OSError: pass
a, b = socket.socketpair()
a.send(b'x')
if b.recv(1) != b'x': print('a socket pair does not work')
print('done')
`

func networkCases() []Case {
	return []Case{
		{
			Name: "network/none", Language: python, Source: triesNetwork, Limits: sandbox.Limits{Wall: 60 * time.Second}, Want: says("done\n"), Why: "no network at all, loopback included",
			OwnKernel: &Difference{
				Want: says("UDP to 127.0.0.1 worked\nUDP to 127.1.2.3 worked\nUDP to 0.0.0.0 worked\ndone\n"),
				Why:  "gVisor's loopback is up from the start, in a namespace where nobody but the run is",
			},
		},
	}
}

const forbiddenCalls = `
import ctypes, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
def refused(what, call):
    try: r = call()
    except OSError: return
    if r != -1: print(what, 'worked')
for flag in 'CLONE_NEWUSER', 'CLONE_NEWNS', 'CLONE_NEWNET', 'CLONE_NEWPID', 'CLONE_NEWIPC', 'CLONE_NEWUTS', 'CLONE_NEWCGROUP':
    value = {'CLONE_NEWUSER': 0x10000000, 'CLONE_NEWNS': 0x20000, 'CLONE_NEWNET': 0x40000000, 'CLONE_NEWPID': 0x20000000, 'CLONE_NEWIPC': 0x8000000, 'CLONE_NEWUTS': 0x4000000, 'CLONE_NEWCGROUP': 0x2000000}[flag]
    refused('unshare ' + flag, lambda: libc.unshare(value))
refused('mount', lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))
refused('umount', lambda: libc.umount2(b'/tmp', 2))
refused('chroot', lambda: libc.chroot(b'/tmp'))
refused('sethostname', lambda: libc.sethostname(b'x', 1))
refused('swapoff', lambda: libc.swapoff(b'/x'))
refused('reboot', lambda: libc.reboot(0))
refused('ptrace of PID 1', lambda: libc.ptrace(16, 1, 0, 0))
refused('settimeofday', lambda: libc.settimeofday(ctypes.create_string_buffer(16), None))
numbers = {
    'x86_64': {'bpf': 321, 'perf_event_open': 298, 'keyctl': 250, 'add_key': 248, 'userfaultfd': 323, 'io_uring_setup': 425, 'init_module': 175, 'kexec_load': 246, 'open_by_handle_at': 304, 'setns': 308, 'pivot_root': 155},
    'aarch64': {'bpf': 280, 'perf_event_open': 241, 'keyctl': 219, 'add_key': 217, 'userfaultfd': 282, 'io_uring_setup': 425, 'init_module': 105, 'kexec_load': 104, 'open_by_handle_at': 265, 'setns': 268, 'pivot_root': 41},
}.get(platform.machine(), {})
for name, number in numbers.items():
    refused(name, lambda: libc.syscall(number, 0, 0, 0, 0, 0))
print('done')
`

const ordinaryCalls = `
import multiprocessing, os, select, signal, subprocess, sys, tempfile, threading, time
with tempfile.NamedTemporaryFile() as f: f.write(b'x')
t = threading.Thread(target=lambda: None); t.start(); t.join()
if subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout != b'1\n': print('subprocess fails')
with multiprocessing.Pool(2) as pool:
    if pool.map(abs, [-1, -2]) != [1, 2]: print('multiprocessing fails')
p = select.epoll(); p.close()
os.memfd_create('x')
os.eventfd(0)
signal.alarm(0)
time.sleep(0.001)
os.sched_getaffinity(0)
os.urandom(16)
os.getloadavg() if os.path.exists('/proc/loadavg') else None
print('done')
`

func kernelCases() []Case {
	return []Case{
		{Name: "kernel/what is refused", Language: python, Source: forbiddenCalls, Want: says("done\n"), Why: "namespaces, mounts, tracing and much of the kernel are no business of a test's"},
		{Name: "kernel/what is allowed", Language: python, Source: ordinaryCalls, Want: says("done\n"), Why: "a filter that is too strict fails honest programs"},
	}
}
