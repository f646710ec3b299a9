package boltstore

import (
	"context"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"optimus/store"
)

// Describe says how large the file is, and how much it may still grow.
func (s *Store) Describe(ctx context.Context) (store.Description, error) {
	d := store.Description{Kind: store.KindFile, Durability: "fsync", Free: -1}
	err := s.read(ctx, func(v view) error {
		d.Bytes = v.tx.Size()
		return nil
	})
	if err != nil {
		return d, err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(s.path), &disk); err != nil {
		return d, fmt.Errorf("describe the store: %w: its disk: %w", store.ErrUnavailable, err)
	}
	d.Free = int64(disk.Bavail)*disk.Bsize + int64(s.db.Stats().FreeAlloc) //nolint:gosec // no disk has 8 EiB
	return d, nil
}
