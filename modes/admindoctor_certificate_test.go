package modes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"optimus/config"
	"optimus/sandbox/containerd"
)

// certificate writes a pair that holds between two times, and gives its files.
func certificate(t *testing.T, from, until time.Time) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	what := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"judge.example"}, NotBefore: from, NotAfter: until}
	made, err := x509.CreateCertificate(rand.Reader, what, what, &secret.PublicKey, secret)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	must(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return cert, key
}

func TestDoctorOfACertificate(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Now()
	for name, c := range map[string]struct {
		from, until time.Duration
		status      containerd.Status
		want        string
	}{
		"well":    {-day, 60 * day, containerd.StatusOK, "of judge.example, until 2"},
		"soon":    {-day, 13 * day, containerd.StatusWarn, "until"},
		"ended":   {-60 * day, -time.Minute, containerd.StatusFail, "it has ended"},
		"not yet": {time.Hour, 60 * day, containerd.StatusFail, "it begins only on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, key := certificate(t, now.Add(c.from), now.Add(c.until))
			got := examineCertificate(config.Server{TLSCert: cert, TLSKey: key}, now)
			if len(got) != 1 || got[0].Status != c.status || (got[0].Fix == "") != (c.status == containerd.StatusOK) {
				t.Fatalf("%+v", got)
			}
			contains(t, name, got[0].Detail, c.want)
		})
	}
	cert, _ := certificate(t, now, now.Add(day))
	_, key := certificate(t, now, now.Add(day))
	if got := examineCertificate(config.Server{TLSCert: cert, TLSKey: key}, now); got[0].Status != containerd.StatusFail {
		t.Errorf("of two pairs: %+v", got)
	}
	if got := examineCertificate(config.Server{}, now); got != nil {
		t.Errorf("without one: %+v", got)
	}
}
