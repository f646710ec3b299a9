package deploy

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// collector is where jobs' traces go, in the words of NetworkPolicies, which know no names of hosts.
type collector struct {
	// Port is the collector's; empty where no job is traced.
	Port string
	// CIDR is its address, Namespace the one of its Service. A name outside of the cluster has neither.
	CIDR, Namespace string
}

// setTraces reads monitoring.otlp_endpoint.
func (m *manifests) setTraces() error {
	const setting = "monitoring.otlp_endpoint"
	text := m.config.Monitoring.OTLPEndpoint
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return m.fault(setting, text, "is no URL", "state http://HOST:PORT")
	}
	if u.User != nil { // its value is not shown
		return fmt.Errorf("  %s: %s: has a user or a password, and no secret is rendered; state them in OTEL_EXPORTER_OTLP_HEADERS of the pods, by an overlay",
			m.config.Origin(setting), setting)
	}
	host := u.Hostname()
	if isLoopback(host) {
		return m.fault(setting, text, "is this machine, which pods do not reach", "state the collector's name in the cluster, such as http://NAME.NAMESPACE.svc:4318")
	}
	m.Traces.Port = cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	if address, err := netip.ParseAddr(host); err == nil {
		m.Traces.CIDR = netip.PrefixFrom(address.WithZone(""), address.BitLen()).String()
		return nil
	}
	switch parts := strings.Split(host, "."); {
	case len(parts) == 1:
		m.Traces.Namespace = m.Namespace
	case len(parts) > 2 && parts[2] == "svc":
		m.Traces.Namespace = parts[1]
	}
	return nil
}

// isLoopback tells whether a host is the one that asks.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
