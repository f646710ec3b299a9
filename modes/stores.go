package modes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"optimus/config"
	"optimus/store"
	"optimus/store/boltstore"
	"optimus/store/redisstore"
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
// folder. It is made where there is none.
func openStore(ctx context.Context, cfg config.Config, o store.Options) (store.Store, error) {
	if !cfg.Redis.Present() {
		return openStoreFile(cfg, o)
	}
	st, err := redisstore.Open(ctx, redisOptions(cfg.Redis), o)
	if err != nil {
		return nil, fmt.Errorf("open the store of the Redis-protocol server (redis.url, from %s): %w", cfg.Origin("redis.url"), err)
	}
	return st, nil
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

// openStore opens the store and closes it when the node stops. ended is told of each job that this
// process ends.
func (n *node) openStore(ctx context.Context, ended func(store.Job)) (store.Store, error) {
	cfg := n.config
	if n.storeDir != "" {
		cfg.Data, cfg.Redis = n.storeDir, config.Redis{}
	}
	o := storeOptions(cfg.Store)
	o.Ended = ended
	st, err := openStore(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	n.life.onStop("store", closeStore, func(context.Context) error { return st.Close() })
	return st, nil
}

// makeDataFolder makes the folder of all that this machine keeps.
func makeDataFolder(cfg config.Config) error {
	// Not 0700: below it lie folders that a container in a user namespace must reach.
	if err := os.MkdirAll(cfg.Data, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("data folder: %w: state another with --data", err)
	}
	return nil
}
