package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the cluster's certificates.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificates writes an authority, a server's certificate, an administrator's, that of the proxy before
// aggregated APIs, and the key of service accounts.
func (c *cluster) certificates() error {
	a := &authority{dir: c.path("pki")}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	for _, cert := range []struct {
		name     string
		subject  pkix.Name
		ips, dns []string
	}{
		{"ca", pkix.Name{CommonName: "optimus-cluster"}, nil, nil},
		{"server", pkix.Name{CommonName: "kube-apiserver"}, []string{nodeAddress, "127.0.0.1", apiAddress},
			[]string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}},
		{"admin", pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, nil, nil},
		{"proxy", pkix.Name{CommonName: "front-proxy-client"}, nil, nil},
		{"accounts", pkix.Name{CommonName: "service-accounts"}, nil, nil},
	} {
		if err := a.issue(cert.name, cert.subject, cert.ips, cert.dns); err != nil {
			return err
		}
	}
	return nil
}

func (a *authority) issue(name string, subject pkix.Name, ips, dns []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 30), DNSNames: dns,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, ip := range ips {
		cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(ip))
	}
	parent, signer := a.cert, a.key
	if parent == nil { // it is the authority itself
		cert.IsCA, cert.BasicConstraintsValid, cert.KeyUsage, cert.ExtKeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature, nil
		parent, signer = cert, key
		a.cert, a.key = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(a.dir, name+".key"), "PRIVATE KEY", private); err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, name+".crt"), "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
