package modes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"optimus/config"
	"optimus/store"
	"optimus/store/boltstore"
)

// storeFile is the name of the store's file in the data folder.
const storeFile = "optimus.db"

// openStore opens the store that the settings name, and closes it when the node stops. ended is told
// of each job that this process ends.
func (n *node) openStore(ctx context.Context, ended func(store.Job)) (store.Store, error) {
	o := storeOptions(n.config.Store)
	o.Ended = ended
	st, err := openStore(ctx, n.config, o)
	if err != nil {
		return nil, err
	}
	n.life.onStop("store", closeStore, func(context.Context) error { return st.Close() })
	return st, nil
}

// makeDataFolder makes the folder of all that this machine keeps.
func makeDataFolder(dir string) error {
	// Not 0700: below it lie folders that a container in a user namespace must reach.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("data folder: %w: state another with --data", err)
	}
	return nil
}

// openStore opens the store that the settings name: a Redis-protocol server, or a file in the data
// folder.
func openStore(ctx context.Context, cfg config.Config, o store.Options) (store.Store, error) {
	if cfg.Redis.Present() {
		st, err := redisstore.Open(ctx, redisOptions(cfg.Redis), o)
		if err != nil {
			return nil, fmt.Errorf("open the store of the Redis-protocol server: %w", err)
		}
		return st, nil
	}
	if err := makeDataFolder(cfg.Data); err != nil {
		return nil, err
	}
	st, err := boltstore.Open(filepath.Join(cfg.Data, storeFile), o)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return st, nil
}
