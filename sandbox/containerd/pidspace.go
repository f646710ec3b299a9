package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// errOtherPIDs says that this process cannot tell the containers' processes by their numbers.
var errOtherPIDs = errors.New("containerd runs in another PID namespace than Optimus, which knows processes by number: " +
	"run Optimus in the host's (in a pod hostPID: true, in a container --pid=host)")

// checkPIDs makes sure that the process numbers that containerd and the kernel tell are this process's
// too: an agent is known by its number, and what a cgroup lists is killed by it.
func checkPIDs(ctx context.Context, socket string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("ask for containerd's process: %w", err)
	}
	defer conn.Close()
	peer, err := peerOf(conn)
	if err != nil {
		return fmt.Errorf("ask for containerd's process: %w", err)
	}
	if peer.Pid == 0 { // unix(7): it has no number here
		return errOtherPIDs
	}
	return nil
}

// peerOf tells who is at the other end of a unix socket.
func peerOf(conn net.Conn) (*unix.Ucred, error) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%T is no unix socket", conn)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("identify the peer: %w", err)
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, peerErr); err != nil {
		return nil, fmt.Errorf("identify the peer: %w", err)
	}
	return peer, nil
}
