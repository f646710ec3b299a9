package boltstore

import (
	"context"
	"fmt"

	"optimus/store"
)

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

// ChangeAPIKeys has change decide, in the writer's transaction, what is done to the keys.
func (s *Store) ChangeAPIKeys(ctx context.Context, change func(all []store.APIKey) (store.APIKeyChange, error)) error {
	if change == nil {
		return fmt.Errorf("change API keys: %w: nobody says how", store.ErrInvalid)
	}
	return s.write(ctx, func(b *batch) error { return b.changeAPIKeys(change) })
}

func (b *batch) changeAPIKeys(change func(all []store.APIKey) (store.APIKeyChange, error)) error {
	all, err := b.apiKeys()
	if err != nil {
		return err
	}
	c, err := change(all)
	if err == nil {
		err = c.Check(all)
	}
	if err != nil {
		return err
	}
	for _, k := range c.Put {
		b.putJSON(bucketAPIKeys, []byte(k.ID), &k)
	}
	for _, id := range c.Forget {
		b.delete(bucketAPIKeys, []byte(id))
	}
	return nil
}
