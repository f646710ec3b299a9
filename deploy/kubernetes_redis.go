package deploy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"optimus/config"
)

// redisServer is the server of the queue, as pods and KEDA reach it.
type redisServer struct {
	// Own: it is rendered here.
	Own bool
	// Trigger is KEDA's name for the topology; Addresses are the server's, the Sentinels' or the nodes'.
	Trigger   string
	Addresses []string
	Master    string
	Database  int
	// Username and SentinelUsername are users (ACL); empty is the default one.
	Username, SentinelUsername string
	// Password and SentinelPassword tell whether there is one, which the Secret then has.
	Password, SentinelPassword bool
	// TLS tells whether the server speaks TLS; CA and Certificate whether the Secret has who vouches for the
	// server, and what is shown to it.
	TLS, CA, Certificate bool
	// Ports are all that it is reached by.
	Ports []string
	// Prefix begins its keys.
	Prefix string
	// MaxMemory is what it may hold, in bytes, and PodMiB what its pod may take.
	MaxMemory int64
	PodMiB    int64
	// Fsync is its appendfsync.
	Fsync string
}

const redisPort = "6379"

// Entries of the Secret.
const (
	entryPassword = "redis-password"
	entrySentinel = "redis-sentinel-password"
	entryCA       = "redis-ca.crt"
	entryCert     = "redis-tls.crt"
	entryKey      = "redis-tls.key"
)

// setRedis finds the server of the settings, or else plans one.
func (m *manifests) setRedis() error {
	c := m.config.Redis
	m.Store = redisServer{Prefix: c.Prefix, Fsync: "everysec"}
	if c.Present() {
		return m.setExternal(c)
	}
	if c.Durability == "replicated" {
		return m.fault("redis.durability", c.Durability, "needs a replica, which the one Redis that is rendered has not",
			"state your own servers in redis.url or redis.addresses, or another durability")
	}
	if c.Durability == "fsync" {
		m.Store.Fsync = "always"
	}
	s := &m.Store
	s.Own, s.Trigger, s.Password, s.Ports = true, "redis", true, []string{redisPort}
	s.Addresses = []string{"optimus-redis." + m.Namespace + ".svc:" + redisPort}
	s.MaxMemory = int64(m.Redis.Memory)
	s.PodMiB = 2 * mib(m.Redis.Memory)
	if least := 3 * m.Redis.Memory; m.Redis.Storage < least {
		return m.fault("kubernetes.redis.storage", m.Redis.Storage, "is too small for what kubernetes.redis.memory lets it hold",
			fmt.Sprintf("must be at least %s: its file grows to twice that before it is written anew, beside itself", least))
	}
	return nil
}

// setExternal takes the server of the settings.
func (m *manifests) setExternal(c config.Redis) error {
	s := &m.Store
	s.Trigger, s.Master, s.Username, s.SentinelUsername = "redis", c.Master, c.Username, c.SentinelUsername
	s.Addresses = slices.Clone(c.Addresses)
	s.Password = !c.Password.Empty() || c.PasswordFile != ""
	s.SentinelPassword = !c.SentinelPassword.Empty()
	s.CA, s.Certificate = c.CAFile != "", c.CertFile != ""
	s.TLS = s.CA || s.Certificate || c.ServerName != ""
	var errs []error
	if !c.URL.Empty() {
		errs = append(errs, m.readURL(c.URL.Reveal()))
	}
	switch {
	case c.Cluster:
		s.Trigger = "redis-cluster"
	case c.Master != "":
		s.Trigger = "redis-sentinel"
	default:
		s.Addresses = s.Addresses[:min(1, len(s.Addresses))]
	}
	for _, address := range s.Addresses {
		host, port, err := net.SplitHostPort(address)
		if err == nil && isLoopback(host) {
			errs = append(errs, m.fault(m.addressSetting(), address, "is this machine, which pods do not reach",
				"state the server's name in the cluster, or leave it out for a Redis that is rendered too"))
		}
		s.Ports = append(s.Ports, port)
	}
	if c.ServerName != "" {
		errs = append(errs, m.fault("redis.server_name", c.ServerName, "can't be told to KEDA", "state this name as the server's address"))
	}
	s.Ports = append(s.Ports, m.Redis.Ports...)
	if s.Trigger == "redis-sentinel" && len(m.Redis.Ports) == 0 {
		s.Ports = append(s.Ports, redisPort)
	}
	slices.Sort(s.Ports)
	s.Ports = slices.Compact(s.Ports)
	return errors.Join(errs...)
}

func (m *manifests) addressSetting() string {
	if len(m.config.Redis.Addresses) > 0 {
		return "redis.addresses"
	}
	return "redis.url"
}

// readURL takes what a URL says, but for its password.
func (m *manifests) readURL(text string) error {
	s := &m.Store
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "unix" {
		return fmt.Errorf("  %s: redis.url: is no server that pods reach over the network; state redis://HOST:PORT", m.config.Origin("redis.url"))
	}
	s.TLS = s.TLS || u.Scheme == "rediss"
	if u.User != nil {
		if _, has := u.User.Password(); has {
			s.Password = true
		}
		if s.Username == "" {
			s.Username = u.User.Username()
		}
	}
	if s.Database, err = strconv.Atoi(strings.Trim(u.Path, "/")); err != nil && strings.Trim(u.Path, "/") != "" {
		return fmt.Errorf("  %s: redis.url: its path is no number of a database", m.config.Origin("redis.url"))
	}
	if len(s.Addresses) == 0 {
		port := u.Port()
		if port == "" {
			port = redisPort
		}
		s.Addresses = []string{net.JoinHostPort(u.Hostname(), port)}
	}
	return nil
}

// settings states the server as pods have it: by address, with the Secret's entries for all that is secret.
func (s redisServer) settings(c *config.Redis) {
	c.URL, c.Addresses = config.NewSecret(""), s.Addresses
	if s.Trigger == "redis" {
		c.Addresses = nil
	}
	c.Username, c.Password, c.SentinelPassword = s.Username, config.NewSecret(""), config.NewSecret("")
	c.PasswordFile, c.CAFile, c.CertFile, c.KeyFile = "", "", "", ""
	if s.Password {
		c.PasswordFile = secretDir + "/" + entryPassword
	}
	if s.CA {
		c.CAFile = secretDir + "/" + entryCA
	}
	if s.Certificate {
		c.CertFile, c.KeyFile = secretDir+"/"+entryCert, secretDir+"/"+entryKey
	}
}

// URL is the server's, without a secret; empty where addresses say it all.
func (s redisServer) URL() string {
	scheme := "redis"
	if s.TLS {
		scheme = "rediss"
	}
	switch {
	case s.Trigger == "redis":
		return fmt.Sprintf("%s://%s/%d", scheme, s.Addresses[0], s.Database)
	case s.Database != 0 || s.TLS:
		// Addresses go before this one's.
		return fmt.Sprintf("%s://%s/%d", scheme, s.Addresses[0], s.Database)
	}
	return ""
}

// Entries lists what of the server the Secret has.
func (s redisServer) Entries() []string {
	var entries []string
	for entry, has := range map[string]bool{
		entryPassword: s.Password, entrySentinel: s.SentinelPassword, entryCA: s.CA, entryCert: s.Certificate, entryKey: s.Certificate,
	} {
		if has {
			entries = append(entries, entry)
		}
	}
	slices.Sort(entries)
	return entries
}

// Files lists those of the entries that pods read as files.
func (s redisServer) Files() []string {
	return slices.DeleteFunc(s.Entries(), func(e string) bool { return e == entrySentinel })
}

// List gives the addresses as KEDA reads them.
func (s redisServer) List() string { return strings.Join(s.Addresses, ",") }

// Key is the hash whose length is that of a queue: docs/QUEUE.md, "What lies where".
func (s redisServer) Key(number uint16) string {
	return fmt.Sprintf("{%s:%d}:unfinished", s.Prefix, number)
}
