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
	"time"

	"github.com/rs/zerolog"
)

// maxHeaderBytes bounds a request's line and headers.
const maxHeaderBytes = 32 << 10

// Serve answers the listener's connections until ctx ends; then it takes no more, ends the event
// streams, and waits for the requests in flight, at most Timeouts.Shutdown. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return serve(ctx, l, s.Handler(), s.opts.Timeouts, s.opts.Log, func() {
		s.stopOnce.Do(func() { close(s.stopping) })
	})
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
