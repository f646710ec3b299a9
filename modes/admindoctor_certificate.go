package modes

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"optimus/config"
	"optimus/sandbox/containerd"
)

// certificateSoon is how long before its end a certificate should have been renewed: who renews by themselves do so
// earlier.
const certificateSoon = 14 * 24 * time.Hour

// examineCertificate is what the doctor says of the API's certificate; nothing where it speaks HTTP.
func examineCertificate(cfg config.Server, now time.Time) []containerd.Check {
	if cfg.TLSCert == "" {
		return nil
	}
	c := containerd.Check{Name: "TLS certificate", Status: containerd.StatusFail, Fix: "renew it; a running server reads it anew by itself"}
	pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		c.Detail, c.Fix = err.Error(), "mend server.tls_cert ("+cfg.TLSCert+") and server.tls_key ("+cfg.TLSKey+"): a pair, in PEM"
		return []containerd.Check{c}
	}
	leaf := pair.Leaf
	day := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	c.Detail = fmt.Sprintf("%s, of %s, until %s", cfg.TLSCert, cmp.Or(strings.Join(names, ", "), "no name"), day(leaf.NotAfter))
	switch {
	case now.After(leaf.NotAfter):
		c.Detail += ": it has ended, and clients refuse it"
	case now.Before(leaf.NotBefore):
		c.Detail += ": it begins only on " + day(leaf.NotBefore)
		c.Fix = "set this machine's clock, or take another"
	case now.Add(certificateSoon).After(leaf.NotAfter):
		c.Status = containerd.StatusWarn
	default:
		c.Status, c.Fix = containerd.StatusOK, ""
	}
	return []containerd.Check{c}
}
