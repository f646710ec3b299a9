import os

me = os.getpid()
for path in "/etc/shadow", "/proc/1/environ", "/proc/1/mem", "/proc/kcore", "/root/.ssh", "/dev/mem":
    try:
        if os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1):
            print("read", path)
    except OSError:
        pass
for path in "/etc/passwd", "/usr/bin/x", "/x", "/sys/x":
    try:
        open(path, "a").close()
        print("wrote", path)
    except OSError:
        pass
for pid in os.listdir("/proc"):
    if pid.isdigit() and int(pid) not in (1, me):
        print("sees process", pid)
for folder in "/tmp", "/dev/shm":
    for name in os.listdir(folder):
        print("sees another's file", name)
print("contained")
