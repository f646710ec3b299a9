package modes

import (
	"math"
	"path/filepath"

	"optimus/config"
	"optimus/sandbox"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/store/redisstore"
	"optimus/web"
)

// This file turns settings into the plain options of each package, which know nothing of settings.

func storeOptions(c config.Store) store.Options {
	return store.Options{
		MaxAttempts:     c.MaxAttempts,
		BackoffBase:     c.Backoff,
		BackoffMax:      c.BackoffMax,
		MaxDepth:        c.Depth,
		MaxBytes:        int64(c.MaxBytes),
		MaxPayload:      int64(c.MaxPayload),
		MaxReport:       int64(c.MaxReport),
		MaxEvents:       c.MaxEvents,
		MaxEventBytes:   int64(c.MaxEventBytes),
		Retention:       c.Retention,
		FailedRetention: c.FailedRetention,
		KeyTTL:          c.KeyTTL,
		TenantRunning:   c.TenantRunning,
		TenantQueued:    c.TenantQueued,
	}
}

func redisOptions(c config.Redis) redisstore.Options {
	return redisstore.Options{
		URL:              c.URL.Reveal(),
		Addrs:            c.Addresses,
		Master:           c.Master,
		Cluster:          c.Cluster,
		Username:         c.Username,
		Password:         c.Password.Reveal(),
		PasswordFile:     c.PasswordFile,
		SentinelUsername: c.SentinelUsername,
		SentinelPassword: c.SentinelPassword.Reveal(),
		CAFile:           c.CAFile,
		CertFile:         c.CertFile,
		KeyFile:          c.KeyFile,
		ServerName:       c.ServerName,
		Durability:       redisstore.Durability(c.Durability),
		Replicas:         c.Replicas,
		Prefix:           c.Prefix,
		Queues:           c.QueueNumbers(),
	}
}

func runnerOptions(c config.Config) containerd.RunnerOptions {
	return containerd.RunnerOptions{
		Dir:          filepath.Join(c.Data, "runner"),
		Slots:        slots(c.Worker.Slots),
		UIDBase:      c.Sandbox.UIDBase,
		CgroupParent: c.Sandbox.CgroupParent,
		PodUID:       c.Sandbox.PodUID,
		Pool:         c.Sandbox.DedicatedPool,
		Idle:         c.Sandbox.Idle,
	}
}

// webOptions gives the options with what the settings say of them.
func webOptions(o web.Options, c config.Config) web.Options {
	o.Limits = web.Limits{
		Body:     int64(c.Server.MaxBody),
		Batch:    c.Server.MaxBatch,
		Tests:    c.Limits.MaxTests,
		Source:   int64(c.Limits.MaxSource),
		Input:    int64(c.Limits.MaxInput),
		Expected: int64(c.Limits.MaxExpected),
		Run:      runLimits(c.Limits),
		Wait:     c.Server.MaxWait,
		Original: web.OriginalLimits{
			Tests:          c.Original.MaxTests,
			Source:         int64(c.Original.MaxSource),
			Input:          int64(c.Original.MaxInput),
			Expected:       int64(c.Original.MaxExpected),
			MaxTimeout:     c.Original.MaxTimeout,
			DefaultTimeout: c.Original.DefaultTimeout,
		},
	}
	o.Timeouts = web.Timeouts{
		ReadHeader: c.Server.ReadHeaderTimeout,
		Read:       c.Server.ReadTimeout,
		Write:      c.Server.WriteTimeout,
		Idle:       c.Server.IdleTimeout,
		Shutdown:   c.Server.ShutdownTimeout,
	}
	// Beyond loopback a server without a key left lets nobody in, rather than everybody.
	o.RequireKeys = !web.Loopback(c.Server.Listen)
	o.Keys, o.PerMinute, o.Queues = webKeys(c), perMinute(c.Server.Rate), c.Worker.Queues
	return o
}

// runLimits gives the hard maxima of a run.
func runLimits(c config.Limits) sandbox.Limits {
	return sandbox.Limits{
		CPU:       c.CPU,
		Wall:      c.Wall,
		Memory:    int64(c.Memory),
		Output:    int64(c.Output),
		Processes: int64(c.Processes),
		FileSize:  int64(c.FileSize),
		OpenFiles: int64(c.OpenFiles),
		Stack:     int64(c.Stack),
		Disk:      int64(c.Disk),
	}
}

// webKeys gives the API keys, each with the server's rate where it states none.
func webKeys(c config.Config) []web.Key {
	keys := make([]web.Key, len(c.Keys))
	for i, k := range c.Keys {
		rate := k.Rate
		if rate == 0 {
			rate = c.Server.Rate
		}
		roles := make([]web.Role, 0, len(k.Roles))
		for _, r := range k.Roles {
			roles = append(roles, web.Role(r))
		}
		if len(roles) == 0 {
			roles = []web.Role{web.RoleSubmit, web.RoleRead}
		}
		keys[i] = web.Key{Name: k.Name, Hash: k.Hash.Reveal(), Roles: roles, PerMinute: perMinute(rate)}
	}
	return keys
}

// perMinute turns requests per second into whole requests per minute; 0 stays 0, no bound.
func perMinute(rate float64) int {
	const minute = 60
	return int(math.Ceil(rate * minute))
}
