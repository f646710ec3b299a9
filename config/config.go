package config

import "time"

// Config is what optimus.toml says, each setting with its default where nothing states it.
// Zero means "no bound" or "off" only where the field says so.
type Config struct {
	// Data is the folder of everything that Optimus keeps: the store, images, a private
	// containerd. Empty means /var/lib/optimus for root, else $XDG_DATA_HOME/optimus
	// (~/.local/share/optimus); Load fills it in.
	Data string `toml:"data" is:"folder"`
	// Catalogue is the path of languages.json. Empty means languages.json in the data folder
	// where there is one, else the languages in the binary.
	Catalogue string `toml:"catalogue"`

	Server   Server   `toml:"server"`
	Store    Store    `toml:"store"`
	Redis    Redis    `toml:"redis"`
	Worker   Worker   `toml:"worker"`
	Sandbox  Sandbox  `toml:"sandbox"`
	Limits   Limits   `toml:"limits"`
	Original Original `toml:"original"`
	Logging  Logging  `toml:"logging"`
	// Monitoring is what others may ask of the process itself.
	Monitoring Monitoring `toml:"monitoring"`
	// Kubernetes is what `optimus admin render kubernetes` renders.
	Kubernetes Kubernetes `toml:"kubernetes"`
	// Keys are the API keys; without any, the server may listen on loopback only.
	Keys []Key `toml:"keys"`

	origins map[string]Origin
	// options are what it was loaded from.
	options LoadOptions
}

// Server is the HTTP side of `optimus serve`.
type Server struct {
	// Listen is the address of the API and the web UI. An empty host means all addresses,
	// port 0 any free one.
	Listen string `toml:"listen" is:"address"`
	// TLSCert and TLSKey are paths of PEM files: the API's certificate, with what vouches for it after
	// it, and its private key. With them it speaks HTTPS. They are read anew when they change.
	TLSCert string `toml:"tls_cert" is:"file"`
	TLSKey  string `toml:"tls_key" is:"file"`
	// ReadHeaderTimeout, ReadTimeout, WriteTimeout and IdleTimeout bound a connection's phases.
	// WriteTimeout must be longer than MaxWait.
	ReadHeaderTimeout time.Duration `toml:"read_header_timeout" min:"100ms" max:"10m"`
	ReadTimeout       time.Duration `toml:"read_timeout" min:"100ms" max:"1h"`
	WriteTimeout      time.Duration `toml:"write_timeout" min:"1s" max:"2h"`
	IdleTimeout       time.Duration `toml:"idle_timeout" min:"1s" max:"1h"`
	// ShutdownTimeout bounds how long open requests may go on once the server stops.
	ShutdownTimeout time.Duration `toml:"shutdown_timeout" min:"1s" max:"10m"`
	// MaxBody bounds a request's body.
	MaxBody Size `toml:"max_body" min:"1KiB" max:"1GiB"`
	// MaxWait bounds ?wait=, after which a request is answered with the job as it is.
	MaxWait time.Duration `toml:"max_wait" min:"1s" max:"1h"`
	// MaxBatch bounds the jobs of one batch.
	MaxBatch int `toml:"max_batch" min:"1" max:"10000"`
	// Rate bounds the requests per second of an API key that states no rate of its own, or,
	// without keys, of all clients together; a minute's worth may come at once. 0 is no bound.
	Rate float64 `toml:"rate" min:"0" max:"1000000"`
}

// Store is the queue and the memory of jobs.
type Store struct {
	// MaxAttempts is how often a job is tried where Optimus itself fails.
	MaxAttempts int `toml:"max_attempts" min:"1" max:"100"`
	// Backoff is the delay of the first retry; it doubles with each, up to BackoffMax.
	Backoff    time.Duration `toml:"backoff" min:"1ms" max:"1h"`
	BackoffMax time.Duration `toml:"backoff_max" min:"1ms" max:"1d"`
	// Depth is how many unfinished jobs a queue holds; 0 is no bound.
	Depth int `toml:"depth" min:"0" max:"100000000"`
	// MaxBytes bounds the stored submissions of a queue's unfinished jobs together; 0 is no bound.
	MaxBytes Size `toml:"max_bytes" min:"0" max:"1TiB"`
	// MaxPayload and MaxReport bound a job's stored submission and report.
	MaxPayload Size `toml:"max_payload" min:"1KiB" max:"1GiB"`
	MaxReport  Size `toml:"max_report" min:"1KiB" max:"1GiB"`
	// MaxEvents and MaxEventBytes bound a job's stream of events.
	MaxEvents     int  `toml:"max_events" min:"10" max:"100000"`
	MaxEventBytes Size `toml:"max_event_bytes" min:"1KiB" max:"256MiB"`
	// Retention is how long an ended job is kept, FailedRetention a dead letter; 0 is for ever.
	Retention       time.Duration `toml:"retention" min:"0s" max:"3650d"`
	FailedRetention time.Duration `toml:"failed_retention" min:"0s" max:"3650d"`
	// KeyTTL is how long an idempotency key is remembered.
	KeyTTL time.Duration `toml:"key_ttl" min:"1m" max:"365d"`
	// TenantRunning bounds how many jobs of one API key run at once in a queue; 0 is no bound.
	TenantRunning int `toml:"tenant_running" min:"0" max:"1000000"`
	// TenantQueued bounds how many unfinished jobs of one API key a queue holds; 0 is no bound.
	TenantQueued int `toml:"tenant_queued" min:"0" max:"100000000"`
	// SweepInterval is how often expired leases, due retries and old reports are looked for. A queue that nothing
	// touches for 5 s takes that for an outage, by which no lease ends: sweeps must come far more often.
	SweepInterval time.Duration `toml:"sweep_interval" min:"10ms" max:"2s"`
}

// Redis is a server that speaks the Redis protocol and holds what Store bounds. With neither URL nor
// Addresses there is none: the store is a file in the data folder.
type Redis struct {
	// URL is redis://, rediss:// (TLS) or unix://, with user, password and database where there are.
	URL Secret `toml:"url" is:"redis-url"`
	// Addresses are those of the Sentinels, or of some nodes of a Cluster, in place of the URL's.
	Addresses []string `toml:"addresses" is:"host-port"`
	// Master is the name by which Sentinels know the server; empty without Sentinels.
	Master string `toml:"master" is:"label"`
	// Cluster: the servers are a Redis Cluster.
	Cluster bool `toml:"cluster"`
	// Username (ACL) and Password stand in place of the URL's; PasswordFile is the path of a file whose
	// first line is the password.
	Username     string `toml:"username"`
	Password     Secret `toml:"password"`
	PasswordFile string `toml:"password_file" is:"file"`
	// SentinelUsername and SentinelPassword are what the Sentinels themselves ask for.
	SentinelUsername string `toml:"sentinel_username"`
	SentinelPassword Secret `toml:"sentinel_password"`
	// CAFile vouches for the server in place of the system's authorities, CertFile and KeyFile are shown
	// to it, all in PEM; ServerName is the name in its certificate. With any of them TLS is used.
	CAFile     string `toml:"ca_file" is:"file"`
	CertFile   string `toml:"cert_file" is:"file"`
	KeyFile    string `toml:"key_file" is:"file"`
	ServerName string `toml:"server_name"`
	// Durability is what an acknowledged job outlives: "local" the server's process, "fsync" its
	// machine's power cut, "replicated" the loss of the machine.
	Durability string `toml:"durability" oneof:"local fsync replicated"`
	// Replicas is how many must hold what is acknowledged as replicated.
	Replicas int `toml:"replicas" min:"1" max:"16"`
	// Prefix begins every key and channel; stores of different prefixes know nothing of each other.
	Prefix string `toml:"prefix" is:"name"`
	// Queues number queues, each as NAME=NUMBER, for whoever reads their keys: see QueueNumbers.
	Queues []string `toml:"queues" is:"queue-number"`
}

// Present tells whether there is such a server.
func (r Redis) Present() bool { return !r.URL.Empty() || len(r.Addresses) > 0 }

// Worker is the loop that claims jobs and judges them.
type Worker struct {
	// Enabled: `optimus serve` has a worker of its own.
	Enabled bool `toml:"enabled"`
	// Name tells workers apart; empty means the host's name and a random part.
	Name string `toml:"name" is:"label"`
	// Slots is how many runs go on at once; 0 means one for each processor. Each reserves its memory
	// limit of what the machine has available at the start, and waits for it where it must.
	Slots int `toml:"slots" min:"0" max:"1000"`
	// Queues to claim from; empty means all.
	Queues []string `toml:"queues" is:"name"`
	// Languages to claim jobs of; empty means all whose image is present.
	Languages []string `toml:"languages" is:"name"`
	// Lease is how long a claim holds without being renewed; it is renewed three times as often.
	Lease time.Duration `toml:"lease" min:"1s" max:"1h"`
	// Poll is how often to look for jobs unasked, behind the store's own wake-ups.
	Poll time.Duration `toml:"poll" min:"10ms" max:"1m"`
	// Grace is how long jobs may run on after a stop was asked for; what is left is handed back.
	Grace time.Duration `toml:"grace" min:"0s" max:"1d"`
}

// Sandbox is where programs run.
type Sandbox struct {
	// Containerd is "auto" (a running one, else a private one), "private", or a socket's
	// absolute path.
	Containerd string `toml:"containerd" is:"containerd"`
	// Namespace holds all of Optimus's objects in containerd.
	Namespace string `toml:"namespace" is:"name"`
	// Snapshotter of containerd; empty means overlayfs where it works, else native.
	Snapshotter string `toml:"snapshotter" is:"name"`
	// CgroupParent is the cgroup below which all runs are; empty means "optimus", below
	// Optimus's own where that is delegated to it (cgroup v2: systemd's Delegate=), else at the top.
	CgroupParent string `toml:"cgroup_parent" is:"cgroup"`
	// PodUID is the UID of the Kubernetes pod that the worker is in: its runs' cgroups then lie below
	// the pod's, whose limits hold for them.
	PodUID string `toml:"pod_uid" is:"label"`
	// UIDBase is the user id of slot 0; slot N runs as UIDBase + N. The default lies above the
	// 16-bit ids that images and systemd use and below 100000, where subordinate ids begin.
	UIDBase int `toml:"uid_base" min:"1000" max:"2000000000"`
	// DedicatedPool is how many containers of the dedicated tier are kept ready for a language
	// that uses it; 0 makes each when its job asks for it.
	DedicatedPool int `toml:"dedicated_pool" min:"0" max:"256"`
	// Warm lists the languages whose container is started with the worker: names, or "available"
	// for all whose image is present; empty for none. They stay, also as their images change. The
	// others start with their first job.
	Warm []string `toml:"warm" is:"name"`
	// Idle is how long a container that Warm does not keep, such as that of an image which was built
	// anew, stays after its last job; 0 ends it at once.
	Idle time.Duration `toml:"idle" min:"0s" max:"365d"`
	// DebianMirror is what `optimus admin images build` takes packages from; empty means the
	// machine's own.
	DebianMirror string `toml:"debian_mirror" is:"http-url"`
}

// Limits are hard maxima: what a submission or a language asks for above them is refused.
type Limits struct {
	// CPU, Wall, Memory, Output, Processes, FileSize, OpenFiles, Stack and Disk bound the limit
	// of that name of one run, compiles included. A JVM takes no stack over 1 GiB.
	CPU       time.Duration `toml:"cpu" min:"10ms" max:"1d"`
	Wall      time.Duration `toml:"wall" min:"10ms" max:"1d"`
	Memory    Size          `toml:"memory" min:"1MiB" max:"1TiB"`
	Output    Size          `toml:"output" min:"1KiB" max:"256MiB"`
	Processes int           `toml:"processes" min:"1" max:"32768"`
	FileSize  Size          `toml:"file_size" min:"1KiB" max:"1TiB"`
	OpenFiles int           `toml:"open_files" min:"16" max:"1048576"`
	Stack     Size          `toml:"stack" min:"64KiB" max:"1TiB"`
	Disk      Size          `toml:"disk" min:"64KiB" max:"1TiB"`
	// MaxTests bounds the tests of a job.
	MaxTests int `toml:"max_tests" min:"1" max:"100000"`
	// MaxSource bounds a job's source files together; MaxInput and MaxExpected a test's input
	// and expected output.
	MaxSource   Size `toml:"max_source" min:"1KiB" max:"256MiB"`
	MaxInput    Size `toml:"max_input" min:"1KiB" max:"1GiB"`
	MaxExpected Size `toml:"max_expected" min:"1KiB" max:"1GiB"`
}

// Original bounds what the original's routes (/execute) take, whose clients rely on these
// figures; Limits hold beside them.
type Original struct {
	// DefaultTimeout is the wall limit of a job that states none, MaxTimeout the longest.
	DefaultTimeout time.Duration `toml:"default_timeout" min:"1ms" max:"1d"`
	MaxTimeout     time.Duration `toml:"max_timeout" min:"1ms" max:"1d"`
	// MaxTests, MaxSource, MaxInput and MaxExpected are as in Limits.
	MaxTests    int  `toml:"max_tests" min:"1" max:"100000"`
	MaxSource   Size `toml:"max_source" min:"1KB" max:"256MiB"`
	MaxInput    Size `toml:"max_input" min:"1KB" max:"1GiB"`
	MaxExpected Size `toml:"max_expected" min:"1KB" max:"1GiB"`
}

// Logging is what goes to standard error.
type Logging struct {
	// Level is the least that is logged.
	Level string `toml:"level" oneof:"debug info warn error"`
	// Format is text, json, or auto: text on a terminal, else JSON.
	Format string `toml:"format" oneof:"auto text json"`
}

// Monitoring is what others may ask of the process itself, without an API key: see web.Probes.
type Monitoring struct {
	// Listen is the address of /health, /ready, /version and /metrics, of `optimus serve` beside the API
	// and of `optimus work`, which has no other; empty is none.
	Listen string `toml:"listen" is:"address"`
	// Pprof is a loopback address of Go's profiler, at /debug/pprof/; empty is none.
	Pprof string `toml:"pprof" is:"address"`
	// OTLPEndpoint is the base URL of an OpenTelemetry collector, which gets jobs' traces by OTLP over HTTP at
	// /v1/traces below it; empty is none. What it asks of its clients beside that, such as a header, is read
	// from OpenTelemetry's own variables OTEL_EXPORTER_OTLP_*.
	OTLPEndpoint string `toml:"otlp_endpoint" is:"http-url"`
	// TraceShare is the share of jobs that are traced. A submission with a traceparent header is traced
	// where that says so.
	TraceShare float64 `toml:"trace_share" min:"0" max:"1"`
}

// Key is an API key. Its secret itself is never kept: Hash is.
type Key struct {
	// Name of the tenant, shown in logs and owner of the key's jobs; unique.
	Name string `toml:"name" is:"name" required:"true"`
	// Hash is the SHA-256 of the key in hexadecimal. It or SecretFile must be stated.
	Hash Secret `toml:"hash" is:"sha256"`
	// SecretFile is the path of a file whose trimmed content is the key; Load turns it into Hash.
	SecretFile string `toml:"secret_file" is:"file"`
	// Roles are what the key may do; empty means submit and read.
	Roles []string `toml:"roles" oneof:"submit read admin"`
	// Rate bounds its requests per second; 0 means the server's rate.
	Rate float64 `toml:"rate" min:"0" max:"1000000"`
}

// The roles of a key.
const (
	RoleSubmit = "submit"
	RoleRead   = "read"
	RoleAdmin  = "admin"
)

// Default gives the settings of a process that is told nothing, but for those that Load fills in.
func Default() Config {
	return Config{
		Server: Server{
			Listen:            "127.0.0.1:8080",
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       time.Minute,
			WriteTimeout:      90 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ShutdownTimeout:   10 * time.Second,
			MaxBody:           32 * MiB,
			MaxWait:           time.Minute,
			MaxBatch:          100,
		},
		Store: Store{
			MaxAttempts:     3,
			Backoff:         time.Second,
			BackoffMax:      time.Minute,
			Depth:           100_000,
			MaxBytes:        4 * GiB,
			MaxPayload:      64 * MiB,
			MaxReport:       64 * MiB,
			MaxEvents:       1000,
			MaxEventBytes:   MiB,
			Retention:       7 * day,
			FailedRetention: 30 * day,
			KeyTTL:          day,
			SweepInterval:   time.Second,
		},
		Redis:  Redis{Durability: "local", Replicas: 1, Prefix: "optimus"},
		Worker: Worker{Enabled: true, Lease: 30 * time.Second, Poll: 5 * time.Second, Grace: 30 * time.Second},
		Sandbox: Sandbox{
			Containerd:    "auto",
			Namespace:     "optimus",
			UIDBase:       70_000,
			DedicatedPool: 1,
			Warm:          []string{WarmAvailable},
			Idle:          5 * time.Minute,
		},
		Limits: Limits{
			CPU:         time.Minute,
			Wall:        time.Minute,
			Memory:      2 * GiB,
			Output:      8 * MiB,
			Processes:   512,
			FileSize:    512 * MiB,
			OpenFiles:   4096,
			Stack:       GiB,
			Disk:        2 * GiB,
			MaxTests:    1000,
			MaxSource:   MiB,
			MaxInput:    16 * MiB,
			MaxExpected: 16 * MiB,
		},
		Original: Original{
			DefaultTimeout: 5 * time.Second,
			MaxTimeout:     time.Minute,
			MaxTests:       100,
			MaxSource:      256 * KB,
			MaxInput:       64 * KB,
			MaxExpected:    64 * KB,
		},
		Logging:    Logging{Level: "info", Format: "auto"},
		Monitoring: Monitoring{TraceShare: 1},
		Kubernetes: Kubernetes{
			Namespace:           "optimus",
			Image:               "docker.io/library/optimus:latest",
			Distribution:        "standard",
			KEDANamespace:       "keda",
			MonitoringNamespace: "monitoring",
			IngressNamespace:    "ingress-nginx",
			API:                 KubernetesAPI{Min: 2, Max: 10},
			Redis:               KubernetesRedis{Image: "docker.io/library/redis:8.2", Memory: GiB, Storage: 8 * GiB},
		},
	}
}

// WarmAvailable stands in [sandbox] warm for every language whose image is present.
const WarmAvailable = "available"
