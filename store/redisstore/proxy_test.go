package redisstore

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"optimus/store/storetest/redistest"
)

// proxy stands between a store and its server, and breaks what it should.
type proxy struct {
	url, target string
	mu          sync.Mutex
	conns       map[net.Conn]bool
	// losing: the next answer of the server is not handed on, and its connection is cut.
	losing, didLose, refusing atomic.Bool
}

func startProxy(t *testing.T, srv *redistest.Server) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy") //nolint:usetesting // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", dir+"/s")
	must(t, err)
	p := &proxy{url: "unix://" + dir + "/s", target: strings.TrimPrefix(srv.URL, "unix://"), conns: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(false)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(t.Context(), c)
		}
	}()
	return p
}

func (p *proxy) serve(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, "unix", p.target)
	if err != nil || p.refusing.Load() {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	done := func() {
		_, _ = client.Close(), server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	}
	// A connection on which something was published is no call's.
	var subscribed atomic.Bool
	go func() {
		defer done()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			if strings.Contains(string(buf[:n]), "subscribe") {
				subscribed.Store(true)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	defer done()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if !subscribed.Load() && p.losing.CompareAndSwap(true, false) {
			p.didLose.Store(true)
			if p.refusing.Load() {
				p.cut(false)
			}
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections; half: only towards the client, so that what was sent is still done.
func (p *proxy) cut(half bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if u, ok := c.(*net.UnixConn); ok && half {
			_ = u.CloseWrite()
			continue
		}
		_ = c.Close()
	}
}

func (p *proxy) loseAnswer() {
	p.didLose.Store(false)
	p.losing.Store(true)
}

func (p *proxy) lost() bool { return p.didLose.Load() }

// refuse has new connections refused, or no more.
func (p *proxy) refuse(yes bool) { p.refusing.Store(yes) }
