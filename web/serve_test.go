package web_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"optimus/web"
)

// writeCertificate writes a certificate for loopback of that serial number, and its key.
func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
}

// log keeps what is logged.
type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

func TestCertificateIsReadAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	var said log
	c, err := web.LoadCertificate(cert, key, time.Now, zerolog.New(&said))
	must(t, err)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	go func() { _ = web.Serve(t.Context(), c.Listen(l), http.NotFoundHandler(), zerolog.Nop()) }()
	// shown gives the serial number of the certificate that a client sees.
	shown := func() int64 {
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the serial number is what is looked at
		}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+l.Addr().String(), nil)
		must(t, err)
		a, err := client.Do(r)
		must(t, err)
		must(t, a.Body.Close())
		if a.ProtoMajor != 2 {
			t.Errorf("HTTP/%d is spoken", a.ProtoMajor)
		}
		return a.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := shown(); n != 1 {
		t.Errorf("the certificate is number %d", n)
	}
	must(t, os.WriteFile(cert, []byte("half of a certificate"), 0o600))
	wait(t, func() bool { shown(); return strings.Contains(said.String(), "the one before it stays") })
	if n := shown(); n != 1 {
		t.Errorf("with a file that cannot be read the certificate is number %d", n)
	}
	writeCertificate(t, cert, key, 2)
	wait(t, func() bool { return shown() == 2 })
}

func TestCertificateFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	_, err := web.LoadCertificate(cert, key, time.Now, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), cert) || !strings.Contains(err.Error(), key) {
		t.Errorf("without files: %v", err)
	}
	writeCertificate(t, cert, key, 1)
	writeCertificate(t, filepath.Join(dir, "another.pem"), key, 2)
	if _, err := web.LoadCertificate(cert, key, time.Now, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "private key does not match") {
		t.Errorf("with another's key: %v", err)
	}
	// One that has ended is served: some clients take it. But it is told.
	writeCertificate(t, cert, key, 3)
	var said log
	later := func() time.Time { return time.Now().AddDate(10, 0, 0) }
	if _, err := web.LoadCertificate(cert, key, later, zerolog.New(&said)); err != nil || !strings.Contains(said.String(), "has expired") {
		t.Errorf("with an old one: %v, %s", err, said.String())
	}
}

// wait waits for what comes at some time.
func wait(t *testing.T, come func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !come(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
	}
}
