package modes

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"optimus/web"
)

const (
	// envKey holds the API key that the admin commands use.
	envKey = "OPTIMUS_API_KEY"
	// maxAnswer bounds what is read of a server's answer, in bytes.
	maxAnswer = 256 << 20
)

// client speaks to a running server's /v1.
type client struct {
	base string
	key  string
	http *http.Client
}

// serverFlags name the server that a command speaks to.
func serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "server", Value: "http://127.0.0.1:8080", Usage: "`URL` of the server"},
		&cli.StringFlag{Name: "key-file", Usage: "`FILE` that holds the API key; else " + envKey + " is taken"},
		caFileFlag(),
	}
}

func newClient(c *cli.Context) (*client, error) {
	base, err := url.Parse(c.String("server"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, usagef("--server %q: want a URL such as http://127.0.0.1:8080", c.String("server"))
	}
	key := os.Getenv(envKey)
	if path := c.String("key-file"); path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the API key: %w", err)
		}
		key = string(content)
	}
	if key = strings.TrimSpace(key); strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, usagef("the API key has spaces or lines within: --key-file, or %s, holds the key alone", envKey)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: 10 * time.Minute}
	if path := c.String("ca-file"); path != "" {
		if transport.TLSClientConfig, err = trusting(path); err != nil {
			return nil, err
		}
	}
	return &client{
		base: strings.TrimRight(base.String(), "/"),
		key:  key,
		http: &http.Client{Transport: transport},
	}, nil
}

// trusting has the certificates of a PEM file vouch for servers, beside those that this machine trusts.
func trusting(path string) (*tls.Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(content) {
		return nil, usagef("--ca-file %s: holds no certificate in PEM", path)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// caFileFlag names who vouches for the certificate of the server that a command speaks to.
func caFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca-file", Usage: "PEM `FILE` of who vouches for the server's certificate", DefaultText: "whom this machine trusts"}
}

// call sends body, where it is not nil, as JSON, and decodes the answer into the value that into
// points to, where that is not nil.
func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	var media string
	if body != nil {
		content, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		sent, media = bytes.NewReader(content), "application/json"
	}
	answer, err := c.do(ctx, method, path, media, sent)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not what an Optimus server gives: %w", method, path, err)
	}
	return nil
}

// do sends a body, where there is one, of a media type, and gives the answer, which is no refusal.
func (c *client) do(ctx context.Context, method, path, media string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	r.Header.Set("Accept", "application/json")
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if answer.StatusCode < http.StatusBadRequest {
		return answer, nil
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	return nil, refusal(method, path, answer, content)
}

func (c *client) unreachable(err error) error {
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, ErrToldToStop):
		return ErrToldToStop
	case errors.As(err, &unknown):
		return fmt.Errorf("ask the server at %s: its certificate is of an authority that this machine does not know: "+
			"name the PEM file of that authority, or of the certificate where it vouches for itself, with --ca-file", c.base)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server answers at %s: start one with `optimus serve`, or name another with --server", c.base)
	}
	return fmt.Errorf("ask the server at %s: %w", c.base, err)
}

// refusalError is a server's error answer.
type refusalError struct {
	request string
	problem web.Problem
}

func (e *refusalError) Error() string {
	var b strings.Builder
	b.WriteString(e.request + ": " + e.problem.Title)
	if e.problem.Detail != "" {
		b.WriteString(": " + e.problem.Detail)
	}
	fields := e.problem.Errors
	if len(fields) == 1 && fields[0].Detail == e.problem.Detail { // it has been said
		b.WriteString(" (" + fields[0].Pointer + fields[0].Parameter + ")")
		fields = nil
	}
	for _, f := range fields {
		b.WriteString("\n  " + f.Pointer + f.Parameter + ": " + f.Detail)
	}
	switch e.problem.Status {
	case http.StatusUnauthorized:
		b.WriteString("\nset " + envKey + ", or name a file that holds the key with --key-file")
	case http.StatusForbidden:
		b.WriteString("\nuse a key with that role")
	}
	return b.String()
}

func refusal(method, path string, answer *http.Response, content []byte) error {
	e := &refusalError{request: method + " " + path}
	if err := json.Unmarshal(content, &e.problem); err != nil || e.problem.Title == "" {
		e.problem = web.Problem{Title: answer.Status, Detail: oneLine(string(content), 200)}
	}
	e.problem.Status = answer.StatusCode
	return e
}
