package redistest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Line stands before a server, as the network does: what a replica hears over it is Late by a time, and
// what is under way is lost with the server's machine.
type Line struct {
	Addr string
	// Late is in nanoseconds.
	Late atomic.Int64

	target string
	mu     sync.Mutex
	// conns are closed as they are when the machine is lost.
	conns map[net.Conn]bool
}

// newLine starts one before the server at a port that will be there.
func newLine(t *testing.T, target string) *Line {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	line := &Line{Addr: l.Addr().String(), target: target, conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		line.Lose()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go line.carry(t.Context(), c)
		}
	}()
	return line
}

// Lose ends all connections, with what is on its way in them.
func (l *Line) Lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close()
	}
	clear(l.conns)
}

// piece is what came at once, at a time.
type piece struct {
	at   time.Time
	data []byte
}

func (l *Line) carry(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l.mu.Lock()
	l.conns[client], l.conns[server] = true, true
	l.mu.Unlock()
	end := func() {
		_, _ = client.Close(), server.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, client)
		delete(l.conns, server)
	}
	var replica atomic.Bool
	go func() {
		defer end()
		pass(client, func(data []byte) bool {
			if bytes.Contains(bytes.ToUpper(data), []byte("PSYNC")) {
				replica.Store(true)
			}
			_, err := server.Write(data)
			return err == nil
		})
	}()
	const many = 1 << 16
	way := make(chan piece, many)
	go func() {
		defer close(way)
		pass(server, func(data []byte) bool {
			way <- piece{time.Now(), bytes.Clone(data)}
			return true
		})
	}()
	defer end()
	for p := range way {
		if replica.Load() {
			time.Sleep(time.Until(p.at.Add(time.Duration(l.Late.Load()))))
		}
		if _, err := client.Write(p.data); err != nil {
			break
		}
	}
	end()
	for range way { // whoever puts in must not wait for ever
		continue
	}
}

// pass gives on what comes until there is no more, or it is not wanted.
func pass(from net.Conn, to func([]byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !to(buf[:n]) || err != nil {
			return
		}
	}
}
