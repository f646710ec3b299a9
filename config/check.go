package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

func splitPlace(where string) place {
	if i := strings.LastIndexByte(where, ':'); i > 0 {
		if line, err := strconv.Atoi(where[i+1:]); err == nil {
			return place{source: where[:i], line: line}
		}
	}
	return place{source: where}
}

// check looks at what more than one field decides.
func (l *loader) check() {
	c := &l.config
	if c.Server.WriteTimeout <= c.Server.MaxWait {
		l.clash("server.write_timeout", "server.max_wait", formatDuration(c.Server.WriteTimeout), "cuts off requests that wait",
			"must be longer than server.max_wait, "+formatDuration(c.Server.MaxWait))
	}
	if c.Store.BackoffMax < c.Store.Backoff {
		l.clash("store.backoff_max", "store.backoff", formatDuration(c.Store.BackoffMax), "is below the first delay",
			"must be at least store.backoff, "+formatDuration(c.Store.Backoff))
	}
	if (c.Server.TLSCert == "") != (c.Server.TLSKey == "") {
		l.clash("server.tls_cert", "server.tls_key", c.Server.TLSCert, "is a pair with server.tls_key", "state both or neither")
	}
	if p := c.Monitoring.Pprof; p != "" && !loopback(p) {
		l.fault("monitoring.pprof", p, "can be reached from other machines, and shows what is in memory", "must be on loopback, such as 127.0.0.1:6060")
	}
	l.redis()
	l.queueNumbers()
	l.kubernetes()
	l.original()
	l.keys()
}

// redis looks at which settings of the server belong together.
func (l *loader) redis() {
	r := &l.config.Redis
	if r.Cluster && r.Master != "" {
		l.clash("redis.master", "redis.cluster", r.Master, "is for Sentinels", "leave it out, or redis.cluster")
	}
	if r.Master != "" && len(r.Addresses) == 0 {
		l.clash("redis.master", "redis.addresses", r.Master, "is asked of Sentinels, and none is named", "state redis.addresses")
	}
	if (r.CertFile == "") != (r.KeyFile == "") {
		l.clash("redis.cert_file", "redis.key_file", r.CertFile, "is a pair with redis.key_file", "state both or neither")
	}
}

// original holds the original's bounds against the hard maxima.
func (l *loader) original() {
	o, m := &l.config.Original, &l.config.Limits
	atMost := func(path, value string, over bool, bound, most string) {
		if over {
			l.clash(path, bound, value, "is above "+bound, fmt.Sprintf("must be at most %s, or raise %s", most, bound))
		}
	}
	duration := func(path string, v time.Duration, bound string, most time.Duration) {
		atMost(path, formatDuration(v), v > most, bound, formatDuration(most))
	}
	size := func(path string, v Size, bound string, most Size) {
		atMost(path, v.String(), v > most, bound, most.String())
	}
	duration("original.default_timeout", o.DefaultTimeout, "original.max_timeout", o.MaxTimeout)
	duration("original.max_timeout", o.MaxTimeout, "limits.wall", m.Wall)
	atMost("original.max_tests", strconv.Itoa(o.MaxTests), o.MaxTests > m.MaxTests, "limits.max_tests", strconv.Itoa(m.MaxTests))
	size("original.max_source", o.MaxSource, "limits.max_source", m.MaxSource)
	size("original.max_input", o.MaxInput, "limits.max_input", m.MaxInput)
	size("original.max_expected", o.MaxExpected, "limits.max_expected", m.MaxExpected)
}

func (l *loader) keys() {
	names, hashes := map[string]int{}, map[string]int{}
	for i, k := range l.config.Keys {
		at := fmt.Sprintf("keys[%d]", i)
		if k.Hash.Empty() && k.SecretFile == "" && !l.blamed(at) {
			l.fault(at+".name", k.Name, "has neither hash nor secret_file", "state one of the two")
		}
		if first, ok := names[k.Name]; ok && k.Name != "" {
			l.fault(at+".name", k.Name, fmt.Sprintf("is the name of keys[%d] too", first), "must be unique")
		} else {
			names[k.Name] = i
		}
		hash := k.Hash.Reveal()
		if first, ok := hashes[hash]; ok && hash != "" {
			field := at + ".hash"
			if k.SecretFile != "" {
				field = at + ".secret_file"
			}
			l.fault(field, "", fmt.Sprintf("is the same key as keys[%d]", first), "must be unique")
		} else {
			hashes[hash] = i
		}
	}
}

// blamed tells whether there is a fault below a path already.
func (l *loader) blamed(path string) bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return strings.HasPrefix(f.Field, path+".") })
}

// CheckListen refuses an address that others can reach where there is no API key, from Keys or,
// as stored counts them, elsewhere.
func (c Config) CheckListen(stored int) error {
	if len(c.Keys)+stored > 0 || loopback(c.Server.Listen) {
		return nil
	}
	var f faults
	at := place{source: c.Origin("server.listen").String()}
	f.add(at, "server.listen", strconv.Quote(c.Server.Listen), "can be reached from other machines and no API key is configured",
		"listen on 127.0.0.1, or make a key with `optimus admin keys create`, or add a [[keys]] entry (see `optimus admin config example`)")
	return f.err("configuration")
}

// loopback tells whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
