package redisstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"optimus/store"
)

// Durability is what an acknowledged submission or report outlives.
type Durability string

// The durabilities, each with what it needs of the server; see [Store.Describe].
const (
	// Local outlives the end of the server's process, but for what waits while its disk is at a sync
	// (docs/QUEUE.md has it counted): `appendonly yes`. A power cut loses up to a second, a failover what the
	// replica has not heard.
	Local Durability = "local"
	// Fsync outlives a power cut too: `appendfsync always`.
	Fsync Durability = "fsync"
	// Replicated outlives the loss of the master too: a submission or report is acknowledged once a
	// replica has it.
	Replicated Durability = "replicated"
)

// ErrNumbered says that a queue has another number than [Options.Queues] state, or a number another queue.
var ErrNumbered = errors.New("queues are numbered otherwise")

// Options say where the server is, and how to speak to it.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix://, with user, password and database as usual:
	// rediss://user:password@host:6379/0.
	URL string
	// Addrs, of the form host:port, are those of Sentinels or of some of a Cluster's nodes, in place
	// of the URL's.
	Addrs []string
	// Master is the name under which Sentinels know the server; empty without Sentinels.
	Master string
	// Cluster: the servers are a Cluster.
	Cluster bool
	// Username (ACL) and Password are used in place of the URL's, PasswordFile's first line in place of
	// Password.
	Username, Password, PasswordFile string
	// SentinelUsername and SentinelPassword are the Sentinels' own.
	SentinelUsername, SentinelPassword string
	// CAFile, in PEM, vouches for the server in place of the system's authorities. CertFile and KeyFile
	// are shown to a server that asks for them. ServerName is the server's, in place of the address's.
	// With any of these TLS is used whatever the URL says.
	CAFile, CertFile, KeyFile, ServerName string
	// Durability is Local where it is empty.
	Durability Durability
	// Replicas is how many must have what is acknowledged under Replicated; 0 means 1.
	Replicas int
	// Prefix begins every key and channel; empty means "optimus". Stores of different prefixes know
	// nothing of each other.
	Prefix string
	// Queues numbers queues, each from 1 to [store.MaxQueueNumber], for whoever knows them by their keys, such
	// as an autoscaler: they are made at the start where they are missing. Any other queue gets the next
	// number that is free when it is first used.
	Queues map[string]uint16
	// RetryFor is how long an operation is tried again while the server cannot be reached; 0 means 2 s.
	RetryFor time.Duration
	// Timeout is how long the server may take to answer; 0 means 10 s.
	Timeout time.Duration
	// KeepLimit leaves the tenants' running limit as the last store that was opened without it has set it:
	// for who submits nothing, such as a worker.
	KeepLimit bool
	// LocalClock takes the time from store.Options.Now in place of the server's clock: for tests.
	LocalClock bool
}

const (
	defaultPrefix   = "optimus"
	defaultRetryFor = 2 * time.Second
	defaultTimeout  = 10 * time.Second
	dialTimeout     = 3 * time.Second
)

func (o Options) withDefaults() (Options, error) {
	if o.Durability == "" {
		o.Durability = Local
	}
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.RetryFor <= 0 {
		o.RetryFor = defaultRetryFor
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	o.Replicas = max(o.Replicas, 1)
	switch {
	case o.Durability != Local && o.Durability != Fsync && o.Durability != Replicated:
		return o, fmt.Errorf("%w: durability %q is not local, fsync or replicated", store.ErrInvalid, o.Durability)
	case strings.ContainsAny(o.Prefix, "{}"):
		return o, fmt.Errorf("%w: prefix %q holds a brace", store.ErrInvalid, o.Prefix)
	case o.Cluster && o.Master != "":
		return o, fmt.Errorf("%w: a Cluster needs no Sentinels: leave out the name of the master", store.ErrInvalid)
	case o.URL == "" && len(o.Addrs) == 0:
		return o, fmt.Errorf("%w: no address of a server", store.ErrInvalid)
	case o.Master != "" && len(o.Addrs) == 0:
		return o, fmt.Errorf("%w: no addresses of the Sentinels", store.ErrInvalid)
	}
	return o, nil
}

// quiet keeps the client's library from writing to standard error: whoever calls is told.
var quiet = sync.OnceFunc(func() { logging.Disable() }) //nolint:gochecknoglobals // so is what it sets

// client makes a client; it connects with the first command.
func (o Options) client() (redis.UniversalClient, error) {
	quiet()
	base := &redis.Options{}
	if o.URL != "" {
		var err error
		if base, err = redis.ParseURL(o.URL); err != nil {
			return nil, fmt.Errorf("%w: the server's URL: %w", store.ErrInvalid, withoutPassword(err))
		}
	}
	if err := o.credentials(base); err != nil {
		return nil, err
	}
	addrs := slices.Clone(o.Addrs) // the library appends to it
	if len(addrs) == 0 {
		addrs = []string{base.Addr}
	}
	u := &redis.UniversalOptions{
		Addrs: addrs, MasterName: o.Master, DB: base.DB, Username: base.Username, Password: base.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, TLSConfig: base.TLSConfig,
		Protocol: 2, MaxRetries: -1, DialTimeout: dialTimeout, DialerRetries: 1, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch {
	case o.Cluster:
		return redis.NewClusterClient(u.Cluster()), nil
	case o.Master != "":
		return redis.NewFailoverClient(u.Failover()), nil
	}
	simple := u.Simple()
	simple.Network, simple.Addr = base.Network, addrs[0]
	return redis.NewClient(simple), nil
}

// withoutPassword drops what an error repeats of a URL.
func withoutPassword(err error) error {
	text := err.Error()
	if i := strings.Index(text, "redis: "); i >= 0 && !strings.Contains(text, "://") {
		return errors.New(text[i:])
	}
	return errors.New("it is not redis://, rediss:// or unix:// with an address")
}

// credentials fills in what o says of user, password and TLS.
func (o Options) credentials(base *redis.Options) error {
	if o.Username != "" {
		base.Username = o.Username
	}
	if o.Password != "" {
		base.Password = o.Password
	}
	if o.PasswordFile != "" {
		text, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return fmt.Errorf("%w: the password's file: %w", store.ErrInvalid, err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		base.Password = strings.TrimSuffix(first, "\r")
	}
	if o.CAFile+o.CertFile+o.KeyFile+o.ServerName == "" {
		return nil
	}
	if base.TLSConfig == nil {
		base.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if o.ServerName != "" {
		base.TLSConfig.ServerName = o.ServerName
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return fmt.Errorf("%w: the authority's file: %w", store.ErrInvalid, err)
		}
		base.TLSConfig.RootCAs = x509.NewCertPool()
		if !base.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%w: %s holds no certificate in PEM", store.ErrInvalid, o.CAFile)
		}
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return fmt.Errorf("%w: the client's certificate: %w", store.ErrInvalid, err)
		}
		base.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	return nil
}
