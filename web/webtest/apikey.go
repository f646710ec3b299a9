package webtest

import (
	"context"
	"maps"
	"slices"

	"optimus/store"
)

// PutAPIKey implements store.Keyring.
func (s *Store) PutAPIKey(_ context.Context, k store.APIKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := k.Validate(); err != nil {
		return err
	}
	if s.fail == nil {
		s.apiKeys[k.ID] = k
	}
	return s.fail
}

// APIKeys implements store.Keyring.
func (s *Store) APIKeys(context.Context) ([]store.APIKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Collect(maps.Values(s.apiKeys))
	store.SortAPIKeys(keys)
	return keys, s.fail
}

// DeleteAPIKey implements store.Keyring.
func (s *Store) DeleteAPIKey(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.apiKeys[id]; !ok && s.fail == nil {
		return store.ErrNotFound
	}
	if s.fail == nil {
		delete(s.apiKeys, id)
	}
	return s.fail
}
