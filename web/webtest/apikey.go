package webtest

import (
	"context"
	"maps"
	"slices"

	"optimus/store"
)

// APIKeys implements store.Keyring.
func (s *Store) APIKeys(context.Context) ([]store.APIKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Collect(maps.Values(s.apiKeys))
	store.SortAPIKeys(keys)
	return keys, s.fail
}

// ChangeAPIKeys implements store.Keyring.
func (s *Store) ChangeAPIKeys(_ context.Context, change func(all []store.APIKey) (store.APIKeyChange, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	all := slices.Collect(maps.Values(s.apiKeys))
	store.SortAPIKeys(all)
	c, err := change(all)
	if err == nil {
		err = c.Check(all)
	}
	if err != nil {
		return err
	}
	for _, k := range c.Put {
		s.apiKeys[k.ID] = k
	}
	for _, id := range c.Forget {
		delete(s.apiKeys, id)
	}
	return nil
}
