import socket

places = [
    (socket.AF_INET, ("127.0.0.1", 6379)),
    (socket.AF_INET, ("192.0.2.1", 80)),
    (socket.AF_INET6, ("::1", 22)),
    (socket.AF_UNIX, "/run/containerd/containerd.sock"),
    (socket.AF_UNIX, "/var/run/docker.sock"),
]
for family, address in places:
    try:
        with socket.socket(family) as s:
            s.settimeout(1)
            s.connect(address)
        print("reached", address)
    except OSError:
        pass
print("contained")
