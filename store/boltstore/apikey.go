package boltstore

import (
	"context"
	"fmt"

	"optimus/store"
)

// PutAPIKey adds a key, or replaces the one of its id.
func (s *Store) PutAPIKey(ctx context.Context, k store.APIKey) error {
	if err := k.Validate(); err != nil {
		return fmt.Errorf("keep API key: %w", err)
	}
	return s.write(ctx, func(b *batch) error {
		if err := b.roomForAPIKeys([]store.Record{{APIKey: &k}}); err != nil {
			return err
		}
		b.putAPIKey(k)
		return nil
	})
}

func (b *batch) putAPIKey(k store.APIKey) { b.putJSON(bucketAPIKeys, []byte(k.ID), &k) }

// roomForAPIKeys refuses records by which there would be too many keys.
func (b *batch) roomForAPIKeys(records []store.Record) error {
	added := map[string]bool{}
	for _, r := range records {
		if r.APIKey != nil && b.get(bucketAPIKeys, []byte(r.APIKey.ID)) == nil {
			added[r.APIKey.ID] = true
		}
	}
	if len(added) > 0 && len(b.keys(bucketAPIKeys, nil, store.MaxAPIKeys))+len(added) > store.MaxAPIKeys {
		return store.TooManyAPIKeys()
	}
	return nil
}

// APIKeys gives every key, the oldest first.
func (s *Store) APIKeys(ctx context.Context) (keys []store.APIKey, err error) {
	err = s.read(ctx, func(v view) error {
		keys, err = v.apiKeys()
		return err
	})
	return keys, err
}

func (v view) apiKeys() (keys []store.APIKey, err error) {
	err = v.table(bucketAPIKeys).each(func(_, raw []byte) error {
		k, err := store.DecodeAPIKey(raw)
		keys = append(keys, k)
		return err
	})
	store.SortAPIKeys(keys)
	return keys, err
}

// DeleteAPIKey forgets a key.
func (s *Store) DeleteAPIKey(ctx context.Context, id string) error {
	return s.write(ctx, func(b *batch) error {
		if id == "" || b.get(bucketAPIKeys, []byte(id)) == nil {
			return fmt.Errorf("API key %.70q: %w", id, store.ErrNotFound)
		}
		b.delete(bucketAPIKeys, []byte(id))
		return nil
	})
}
