package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"optimus/store"
	"optimus/store/storetest/redistest"
)

// TestUser works as a user who may touch the store's keys and channels alone.
func TestUser(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	acl := strings.Fields("ACL SETUSER jobs on >secret ~jobs:* ~{jobs}:* ~{jobs:* &jobs:* +@all -@dangerous +info")
	args := make([]any, len(acl))
	for i, a := range acl {
		args[i] = a
	}
	must(t, srv.Client(t).Do(t.Context(), args...).Err())
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte("secret\nmore\n"), 0o600))
	for name, ro := range map[string]Options{
		"password":      {URL: srv.URL, Username: "jobs", Password: "secret"},
		"password file": {URL: srv.URL, Username: "jobs", PasswordFile: file},
		"URL":           {URL: strings.Replace(srv.URL, "unix://", "unix://jobs:secret@", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ro.Prefix = "jobs"
			s := openTest(t, ro, store.Options{})
			submitTest(t, s, store.NewJob{Key: name})
			_, err := s.Wake(t.Context(), []store.Lane{anyLane})
			must(t, err)
			must(t, s.Ping(t.Context()))
			_, err = s.Sweep(t.Context())
			must(t, err)
			// It may not ask for the server's settings, and says so.
			found, err := warned(t, s)
			if err != nil || len(found) != 1 || !strings.Contains(found[0], "CONFIG GET") {
				t.Errorf("the check says %q, %v", found, err)
			}
		})
	}
	for name, ro := range map[string]Options{
		"a wrong password": {URL: srv.URL, Username: "jobs", Password: "guess"},
		"another's keys":   {URL: srv.URL, Username: "jobs", Password: "secret", Prefix: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), ro, store.Options{})
			if !errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), "guess") {
				t.Errorf("it gave %v", err)
			}
		})
	}
}

// certificate makes a certificate, which vouches for itself, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"redis.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	raw, err := x509.MarshalECPrivateKey(private)
	must(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), 0o600))
	return cert, key
}

// TestTLS speaks to a server that wants the client's certificate too.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	port := fmt.Sprint(redistest.FreePort(t))
	redistest.OnPort(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	url := "rediss://127.0.0.1:" + port
	for name, ro := range map[string]Options{
		"by address": {URL: url, CAFile: cert, CertFile: cert, KeyFile: key},
		"by name":    {URL: url, CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "redis.test"},
		"no scheme":  {Addrs: []string{"127.0.0.1:" + port}, CAFile: cert, CertFile: cert, KeyFile: key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			submitTest(t, openTest(t, ro, store.Options{}), store.NewJob{})
		})
	}
	for name, ro := range map[string]Options{
		"an unknown authority": {URL: url, CertFile: cert, KeyFile: key},
		"another's name":       {URL: url, CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "other.test"},
		"no certificate":       {URL: url, CAFile: cert},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ro.RetryFor = time.Millisecond
			if _, err := Open(t.Context(), ro, store.Options{}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("it gave %v", err)
			}
		})
	}
}
