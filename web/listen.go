package web

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrNotLoopback is wrapped by [CheckListen] where an open server would be reachable from outside.
var ErrNotLoopback = errors.New("refusing to listen beyond loopback without an API key")

// CheckListen refuses a listen address ("host:port", ":port" or "unix:path") that other machines
// reach while no API key is configured, and says what to configure. keys is the number of keys.
func CheckListen(addr string, keys int) error {
	if len(addr) > len("unix:") && addr[:len("unix:")] == "unix:" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: must be host:port, such as 127.0.0.1:8080: %w", addr, err)
	}
	if keys > 0 || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("%w: %q is reachable from other machines; listen on 127.0.0.1, "+
		"or configure a key under [[keys]] (`optimus admin config example` shows how)", ErrNotLoopback, addr)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
