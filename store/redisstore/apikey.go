package redisstore

import (
	"context"
	"fmt"

	"optimus/store"
)

// PutAPIKey adds a key, or replaces the one of its id.
func (s *Store) PutAPIKey(ctx context.Context, k store.APIKey) error {
	_, err := s.putAPIKey(ctx, k, false)
	return err
}

// putAPIKey tells whether the key was written; one that is there may be left alone.
func (s *Store) putAPIKey(ctx context.Context, k store.APIKey, leave bool) (bool, error) {
	if err := k.Validate(); err != nil {
		return false, fmt.Errorf("keep API key: %w", err)
	}
	raw, err := store.EncodeAPIKey(k)
	if err != nil {
		return false, err
	}
	answer, err := s.apiKey(ctx, "keep API key", k.ID, raw, leave)
	if err == nil && answer == "full" {
		err = store.TooManyAPIKeys()
	}
	return answer == "ok", err
}

func (s *Store) apiKey(ctx context.Context, doing, id string, raw []byte, leave bool) (string, error) {
	const again = 4
	value, err := s.run(ctx, doing, &call{
		script: s.scripts["apikey"], keys: []string{s.keys.apiKeys}, acknowledged: true, again: again,
		args: []any{id, raw, store.MaxAPIKeys, boolArg(leave), ""},
	})
	answer, _ := value.(string)
	return answer, err
}

func boolArg(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// importAPIKeys adds those that are not there, and counts both kinds.
func (s *Store) importAPIKeys(ctx context.Context, records []store.Record, done *store.Imported) error {
	for _, r := range records {
		if r.APIKey == nil {
			continue
		}
		added, err := s.putAPIKey(ctx, *r.APIKey, true)
		switch {
		case err != nil:
			return r.Fault(err)
		case added:
			done.APIKeys++
		default:
			done.Skipped++
		}
	}
	return nil
}

// APIKeys gives every key, the oldest first.
func (s *Store) APIKeys(ctx context.Context) ([]store.APIKey, error) {
	if s.isClosed() {
		return nil, store.ErrClosed
	}
	var all map[string]string
	err := s.patiently(ctx, "read API keys", func(ctx context.Context) (err error) {
		all, err = s.client.HGetAll(ctx, s.keys.apiKeys).Result()
		return err //nolint:wrapcheck // patiently does
	})
	if err != nil {
		return nil, err
	}
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

// DeleteAPIKey forgets a key.
func (s *Store) DeleteAPIKey(ctx context.Context, id string) error {
	answer, err := s.apiKey(ctx, "forget API key", id, nil, false)
	if err == nil && answer == "missing" {
		err = fmt.Errorf("API key %.70q: %w", id, store.ErrNotFound)
	}
	return err
}
