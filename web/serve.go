package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// maxHeaderBytes bounds a request's line and headers.
const maxHeaderBytes = 32 << 10

// Serve answers the listener's connections until ctx ends; then it takes no more, ends the event
// streams, and waits for the requests in flight, at most Timeouts.Shutdown. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return NewSwitch(s).Serve(ctx, l)
}

// Switch serves the newest of several servers: what a request came to goes on with it to its end.
type Switch struct{ newest atomic.Pointer[Server] }

// NewSwitch makes a switch with its first server.
func NewSwitch(first *Server) *Switch {
	s := &Switch{}
	s.newest.Store(first)
	return s
}

// To makes a server of these options, which takes over from the newest. Its errors list every fault of
// the options; the newest then stays. Timeouts stay those of the first, but for those of single
// requests; Metrics must be those of the others.
func (s *Switch) To(o Options) error {
	next, err := newServer(o, s.newest.Load())
	if err == nil {
		s.newest.Store(next)
	}
	return err
}

// Serve is [Server.Serve] for the newest.
func (s *Switch) Serve(ctx context.Context, l net.Listener) error {
	first := s.newest.Load()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.newest.Load().Handler().ServeHTTP(w, r) })
	return serve(ctx, l, h, first.opts.Timeouts, first.opts.Log, func() { first.stop.once.Do(func() { close(first.stop.asked) }) })
}

// Serve answers the listener's connections until ctx ends, and closes it.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log zerolog.Logger) error {
	return serve(ctx, l, h, DefaultTimeouts(), log, func() {})
}

// serve calls stopping once ctx has ended, before it waits for the requests in flight.
func serve(ctx context.Context, l net.Listener, h http.Handler, t Timeouts, to zerolog.Logger, stopping func()) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(to, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stopping()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.Shutdown)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close()
		return fmt.Errorf("stop HTTP on %s: requests were still in flight after %s: %w", l.Addr(), t.Shutdown, err)
	}
	return nil
}

// Certificate is a TLS certificate and its key in files that may change while they are used. Make it
// with [LoadCertificate].
type Certificate struct {
	cert, key string
	now       func() time.Time
	log       zerolog.Logger

	mu     sync.Mutex
	looked time.Time
	stamp  [2]stamp
	pair   *tls.Certificate
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// certificateLook is how often at most the files are looked at.
const certificateLook = time.Second

// LoadCertificate reads a certificate, with what vouches for it after it, and its private key, both in
// PEM. now is the clock; log is told when they are read anew, and when that fails.
func LoadCertificate(cert, key string, now func() time.Time, log zerolog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, now: now, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) load() error {
	stamps, err := c.stamps()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("read the TLS certificate %s and its key %s: %w", c.cert, c.key, err)
	}
	c.pair, c.stamp = &pair, stamps
	if c.now().After(pair.Leaf.NotAfter) {
		c.log.Warn().Str("cert", c.cert).Time("ended", pair.Leaf.NotAfter).Msg("the TLS certificate has expired: clients refuse it")
	}
	return nil
}

func (c *Certificate) stamps() (s [2]stamp, err error) {
	for i, path := range []string{c.cert, c.key} {
		info, statErr := os.Stat(path)
		if statErr != nil {
			err = errors.Join(err, fmt.Errorf("read the TLS certificate: %w", statErr))
			continue
		}
		s[i] = stamp{info.ModTime(), info.Size()}
	}
	return s, err
}

// Listen speaks TLS, HTTP/2 too, on what another listener accepts.
func (c *Certificate) Listen(l net.Listener) net.Listener {
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(c.now()), nil },
	})
}

// current gives the files' certificate. A change that cannot be read, such as half of a new pair,
// leaves the one that was.
func (c *Certificate) current(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < certificateLook {
		return c.pair
	}
	c.looked = now
	stamps, err := c.stamps()
	if err == nil && stamps == c.stamp {
		return c.pair
	}
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.log.Warn().Err(err).Msg("the TLS certificate changed and cannot be read; the one before it stays")
		return c.pair
	}
	c.log.Info().Str("certificate", c.cert).Msg("the TLS certificate was read anew")
	return c.pair
}
