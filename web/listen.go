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
// reach while no API key is configured, and says what to configure. keys is the number of keys,
// of the configuration and of the store together.
func CheckListen(addr string, keys int) error {
	if Loopback(addr) {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("listen address %q: must be host:port, such as 127.0.0.1:8080: %w", addr, err)
	}
	if keys > 0 {
		return nil
	}
	return fmt.Errorf("%w: %q is reachable from other machines; listen on 127.0.0.1, "+
		"make a key with `optimus admin keys create --role admin NAME` on this machine, or configure one under [[keys]] (`optimus admin config example` shows how)", ErrNotLoopback, addr)
}

// Loopback tells whether only this machine reaches a listen address.
func Loopback(addr string) bool {
	if len(addr) > len("unix:") && addr[:len("unix:")] == "unix:" {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
