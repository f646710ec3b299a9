package redisstore

import (
	"context"
	"fmt"

	"optimus/store"
)

// rawAPIKeys gives the keys as they are kept, by id.
func (s *Store) rawAPIKeys(ctx context.Context) (all map[string]string, err error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	err = s.patiently(ctx, "read API keys", func(ctx context.Context) (err error) {
		all, err = s.client.HGetAll(ctx, s.keys.apiKeys).Result()
		return err //nolint:wrapcheck // patiently does
	})
	return all, err
}

func decodeAPIKeys(all map[string]string) ([]store.APIKey, error) {
	keys := make([]store.APIKey, 0, len(all))
	for _, raw := range all {
		k, err := store.DecodeAPIKey([]byte(raw))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	store.SortAPIKeys(keys)
	return keys, nil
}

// APIKeys gives every key, the oldest first.
func (s *Store) APIKeys(ctx context.Context) ([]store.APIKey, error) {
	all, err := s.rawAPIKeys(ctx)
	if err != nil {
		return nil, err
	}
	return decodeAPIKeys(all)
}

// ChangeAPIKeys reads the keys, has change decide, and writes if they are still the same; else it begins anew.
// Each turn in vain is one in which somebody else has changed a key.
func (s *Store) ChangeAPIKeys(ctx context.Context, change func(all []store.APIKey) (store.APIKeyChange, error)) error {
	if change == nil {
		return fmt.Errorf("change API keys: %w: nobody says how", store.ErrInvalid)
	}
	for {
		raw, err := s.rawAPIKeys(ctx)
		if err != nil {
			return err
		}
		all, err := decodeAPIKeys(raw)
		if err != nil {
			return err
		}
		c, err := change(all)
		if err == nil {
			err = c.Check(all)
		}
		if err != nil || len(c.Put)+len(c.Forget) == 0 {
			return err
		}
		if done, err := s.writeAPIKeys(ctx, raw, c); err != nil || done {
			return err
		}
	}
}

// writeAPIKeys changes the keys, unless they are others than seen: then it says no.
func (s *Store) writeAPIKeys(ctx context.Context, seen map[string]string, c store.APIKeyChange) (done bool, err error) {
	const again = 1
	args := []any{len(seen), "", len(c.Put)}
	for id, raw := range seen {
		args = append(args, id, raw)
	}
	for _, k := range c.Put {
		raw, err := store.EncodeAPIKey(k)
		if err != nil {
			return false, err
		}
		args = append(args, k.ID, raw)
	}
	for _, id := range c.Forget {
		args = append(args, id)
	}
	value, err := s.run(ctx, "change API keys", &call{
		script: s.scripts["apikeys"], keys: []string{s.keys.apiKeys}, acknowledged: true, again: again, args: args,
	})
	answer, _ := value.(string)
	return answer == "ok", err
}
