package modes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"optimus/config"
	"optimus/sandbox/containerd"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/store/redisstore"
	"optimus/web"
)

// storeFile is the name of the store's file in the data folder.
const storeFile = "optimus.db"

// storeName says in messages which store the settings mean.
func storeName(cfg config.Config) string {
	if cfg.Redis.Present() {
		return "of the Redis-protocol server"
	}
	return filepath.Join(cfg.Data, storeFile)
}

// openStore opens the store that the settings mean: of a Redis-protocol server, or a file in the data
// folder. It is made where there is none. Its tenants' running limit becomes that of the settings only
// for a server, which alone submits: a worker's settings may not state it.
func openStore(ctx context.Context, cfg config.Config, o store.Options, server bool) (store.Store, error) {
	if !cfg.Redis.Present() {
		return openStoreFile(cfg, o)
	}
	ro := redisOptions(cfg.Redis)
	ro.KeepLimit = !server
	st, err := redisstore.Open(ctx, ro, o)
	if errors.Is(err, redisstore.ErrNumbered) {
		return nil, fmt.Errorf("open the store of the Redis-protocol server: %w: state the number that the store has (redis.queues, from %s), and render manifests anew",
			err, cfg.Origin("redis.queues"))
	}
	if err != nil {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			hint = config.SecretHint(cfg.Redis.PasswordFile)
		}
		return nil, fmt.Errorf("open the store of the Redis-protocol server (redis.url, from %s): %w%s", cfg.Origin("redis.url"), err, hint)
	}
	return st, nil
}

// storeIsThere tells whether the store that the settings mean may hold something.
func storeIsThere(cfg config.Config) bool {
	_, err := storeFileOf(cfg)
	return cfg.Redis.Present() || err == nil
}

func openStoreFile(cfg config.Config, o store.Options) (*boltstore.Store, error) {
	if err := makeDataFolder(cfg); err != nil {
		return nil, err
	}
	st, err := boltstore.Open(filepath.Join(cfg.Data, storeFile), o)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return st, nil
}

// openStore opens the store, as a server or not, and closes it when the node stops. The metrics count each
// job that this process ends, and the store's operations.
func (n *node) openStore(ctx context.Context, server bool, metrics *web.Metrics) (store.Store, error) {
	cfg := n.config
	if n.storeDir != "" {
		cfg.Data, cfg.Redis = n.storeDir, config.Redis{}
	}
	o := storeOptions(cfg.Store)
	o.Ended = metrics.JobEnded
	st, err := openStore(ctx, cfg, o, server)
	if err != nil {
		return nil, err
	}
	n.life.onStop("store", closeStore, func(context.Context) error { return st.Close() })
	if shared, ok := st.(interface {
		Outdated(ctx context.Context) error
	}); ok {
		n.part(ctx, "use of the store", stopMargin, shared.Outdated)
	}
	for _, c := range checkStore(ctx, st) {
		if c.Status != containerd.StatusOK {
			n.log.Warn().Msg("queue: " + c.Detail)
		}
	}
	return store.Observed(st, time.Now, storeMetrics(metrics)), nil
}

// checkStore says whether the store keeps what it is told as well as the settings want.
func checkStore(ctx context.Context, st store.Operator) []containerd.Check {
	const name = "queue"
	d, err := st.Describe(ctx)
	if err != nil {
		d.Warnings = append(d.Warnings, "the store does not say how it keeps what it is told: "+err.Error())
	}
	if len(d.Warnings) == 0 {
		return []containerd.Check{{
			Name: name, Status: containerd.StatusOK, Detail: "the store (" + d.Kind + ") keeps what it is told as durability " + d.Durability + " wants",
		}}
	}
	var checks []containerd.Check
	for _, what := range d.Warnings {
		checks = append(checks, containerd.Check{Name: name, Status: containerd.StatusWarn, Detail: what})
	}
	return checks
}

// examineStore is what the doctor says of a Redis-protocol server; nothing where the store is a file.
func examineStore(ctx context.Context, cfg config.Config) []containerd.Check {
	if !cfg.Redis.Present() {
		return nil
	}
	st, err := openStore(ctx, cfg, storeOptions(cfg.Store), false)
	if err != nil {
		return []containerd.Check{{Name: "queue", Status: containerd.StatusFail, Detail: err.Error(), Fix: "start the server, or mend the settings of [redis]"}}
	}
	defer st.Close()
	return append(checkStore(ctx, st), checkQueues(ctx, st)...)
}

// checkQueues says of each queue whose jobs wait in vain why they do.
func checkQueues(ctx context.Context, st store.Operator) []containerd.Check {
	const name = "queue served"
	queues, err := st.Queues(ctx)
	workers, workersErr := st.Workers(ctx)
	if err := errors.Join(err, workersErr); err != nil {
		return []containerd.Check{{Name: name, Status: containerd.StatusFail, Detail: err.Error(), Fix: "see what `optimus admin queues list` says of a server"}}
	}
	var checks []containerd.Check
	for _, q := range queues {
		if why := q.Unserved(workers, time.Now()); why != "" {
			checks = append(checks, containerd.Check{
				Name: name, Status: containerd.StatusFail, Detail: "queue " + q.Name + ": " + why,
				Fix: "compare the queues and languages that `optimus admin workers` lists with the queue's; start a worker that takes from it (worker.queues)",
			})
		}
	}
	if len(checks) == 0 {
		return []containerd.Check{{Name: name, Status: containerd.StatusOK, Detail: fmt.Sprintf("%d queues, none with jobs that no worker takes", len(queues))}}
	}
	return checks
}

// makeDataFolder makes the folder of all that this machine keeps.
func makeDataFolder(cfg config.Config) error {
	// Not 0700: below it lie folders that a container in a user namespace must reach.
	if err := os.MkdirAll(cfg.Data, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("data folder: %w: state another with --data", err)
	}
	return nil
}
