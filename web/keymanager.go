package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"

	"optimus/store"
)

// KeyRequest is what a new API key shall be.
type KeyRequest struct {
	Name      string   `json:"name" minLength:"1" maxLength:"63" doc:"The tenant that its jobs belong to: a lower-case name of letters, digits and . _ + -. Several keys may share it." example:"course-2"`
	Roles     []string `json:"roles,omitempty" minItems:"1" maxItems:"3" enum:"submit,read,admin" doc:"What it may do; submit and read without it."`
	Rate      float64  `json:"rate,omitempty" minimum:"0" maximum:"1000000" doc:"Requests per second, a minute's worth of which may come at once; the server's rate without it."`
	ExpiresAt string   `json:"expires_at,omitempty" format:"date-time" doc:"When it holds no more; never without it." example:"2027-01-31T00:00:00Z"`
}

// RotateRequest says how a key is replaced.
type RotateRequest struct {
	OverlapSeconds int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"31536000" doc:"How long the old key still holds; not at all without it."`
}

// KeyInfo is an API key of the store, without the key itself.
type KeyInfo struct {
	ID        string    `json:"id" doc:"What it is revoked and rotated by." example:"k-5b2d1c0e9a47"`
	Name      string    `json:"name" doc:"The tenant that its jobs belong to."`
	Roles     []string  `json:"roles"`
	Rate      float64   `json:"rate" doc:"Requests per second; 0 is the server's rate."`
	State     string    `json:"state" enum:"valid,expired"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"Not there where it never does."`
}

// NewKey is an API key that was just made, with the key itself.
type NewKey struct {
	KeyInfo

	Secret string `json:"secret" doc:"The key, which is shown this once: only its hash is kept."`
}

// KeyList is the API keys of the store.
type KeyList struct {
	Keys []KeyInfo `json:"keys" doc:"The oldest first; those of the configuration are not among them."`
}

// KeyManager makes, lists, replaces and revokes the API keys of a store. Its errors are problems, but
// for those of the store.
type KeyManager struct {
	Store store.Keyring
	// Now is the clock.
	Now func() time.Time
	// Configured are the keys that the store does not keep.
	Configured []Key
}

// KeyPrefix begins every key that is made, so that one which leaks is known for what it is.
const KeyPrefix = "optimus_"

// newSecret makes a key of 256 random bits.
func newSecret() (secret string, hash store.PayloadHash) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	secret = KeyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, sha256.Sum256([]byte(secret))
}

func newKeyID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "k-" + hex.EncodeToString(b[:])
}

// Create makes a key. The first that there is must be able to make others: from then on every request
// needs one.
func (m KeyManager) Create(ctx context.Context, req KeyRequest) (NewKey, error) {
	k, faults := m.key(req)
	if p := faults.problem(); p != nil {
		return NewKey{}, p
	}
	made := m.withSecret(&k)
	err := m.Store.ChangeAPIKeys(ctx, func(all []store.APIKey) (store.APIKeyChange, error) {
		if !slices.Contains(k.Roles, string(RoleAdmin)) && !m.administered(all, "") {
			return store.APIKeyChange{}, newProblem(codeConflict, "there is no key with the role admin yet, and with this one every request needs a key: make one with that role first")
		}
		return store.APIKeyChange{Put: []store.APIKey{k}}, nil
	})
	if err != nil {
		return NewKey{}, fmt.Errorf("make an API key: %w", err)
	}
	return made, nil
}

// key checks a request.
func (m KeyManager) key(req KeyRequest) (store.APIKey, *faults) {
	f := &faults{}
	now := m.Now().UTC().Truncate(time.Microsecond)
	k := store.APIKey{ID: newKeyID(), Name: req.Name, Roles: req.Roles, Rate: req.Rate, Created: now}
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9._+-]{0,62}$`).MatchString(req.Name) {
		f.add("/name", "must be a lower-case name of 1 to 63 letters, digits and . _ + -")
	}
	if len(k.Roles) == 0 {
		k.Roles = []string{string(RoleSubmit), string(RoleRead)}
	}
	for i, r := range k.Roles {
		switch {
		case !slices.Contains(Roles(), Role(r)):
			f.add(fmt.Sprintf("/roles/%d", i), "%.40q is no role; allowed are submit, read, admin", r)
		case slices.Contains(k.Roles[:i], r):
			f.add(fmt.Sprintf("/roles/%d", i), "%q is there twice", r)
		}
	}
	if !(req.Rate >= 0 && req.Rate <= 1_000_000) {
		f.add("/rate", "must be 0 to 1000000 requests per second")
	}
	if req.ExpiresAt == "" {
		return k, f
	}
	at, err := time.Parse(time.RFC3339, req.ExpiresAt)
	switch {
	case err != nil:
		f.add("/expires_at", "is not a time such as 2027-01-31T00:00:00Z (RFC 3339)")
	case !at.After(now):
		f.add("/expires_at", "is not in the future")
	case at.Year() > 2199:
		f.add("/expires_at", "is too far away; leave it out for a key that never expires")
	}
	k.Expires = at.UTC()
	return k, f
}

// withSecret gives a key a secret.
func (m KeyManager) withSecret(k *store.APIKey) (made NewKey) {
	made.Secret, k.Hash = newSecret()
	made.KeyInfo = m.info(*k)
	return made
}

// administered tells whether there is a key with the role admin that holds, beside the one of an id.
func (m KeyManager) administered(all []store.APIKey, beside string) bool {
	admin := func(k store.APIKey) bool {
		return k.ID != beside && m.holds(k) && slices.Contains(k.Roles, string(RoleAdmin))
	}
	return slices.ContainsFunc(all, admin) ||
		slices.ContainsFunc(m.Configured, func(k Key) bool { return slices.Contains(k.Roles, RoleAdmin) })
}

func (m KeyManager) holds(k store.APIKey) bool {
	return k.Expires.IsZero() || m.Now().Before(k.Expires)
}

// List gives the keys, the oldest first.
func (m KeyManager) List(ctx context.Context) (KeyList, error) {
	all, err := m.Store.APIKeys(ctx)
	if err != nil {
		return KeyList{}, fmt.Errorf("list API keys: %w", err)
	}
	list := KeyList{Keys: make([]KeyInfo, len(all))}
	for i, k := range all {
		list.Keys[i] = m.info(k)
	}
	return list, nil
}

func (m KeyManager) info(k store.APIKey) KeyInfo {
	info := KeyInfo{ID: k.ID, Name: k.Name, Roles: k.Roles, Rate: k.Rate, State: "valid", CreatedAt: k.Created, ExpiresAt: k.Expires}
	if !m.holds(k) {
		info.State = "expired"
	}
	return info
}

// Revoke forgets a key. The last one with the role admin stays: without it nobody could make another, or
// everybody could.
func (m KeyManager) Revoke(ctx context.Context, id string) error {
	err := m.Store.ChangeAPIKeys(ctx, func(all []store.APIKey) (c store.APIKeyChange, err error) {
		k, err := find(all, id)
		switch {
		case err != nil:
			return c, err
		case len(all) == 1 && len(m.Configured) == 0 && m.holds(k):
			return c, newProblem(codeConflict, "%s (%s) is the last key: without any, every request may do everything; make another first, or rotate this one", k.ID, k.Name)
		case m.administered(all, "") && !m.administered(all, id):
			return c, newProblem(codeConflict, "%s (%s) is the last key with the role admin: make another first, or rotate this one", k.ID, k.Name)
		}
		return store.APIKeyChange{Forget: []string{id}}, nil
	})
	if err != nil {
		return fmt.Errorf("revoke an API key: %w", err)
	}
	return nil
}

// Rotate makes a key of the same name, roles, rate and time to live as another, which then still holds
// for overlap: 0 forgets it.
func (m KeyManager) Rotate(ctx context.Context, id string, overlap time.Duration) (made NewKey, err error) {
	now := m.Now().UTC().Truncate(time.Microsecond)
	end := now.Add(overlap)
	err = m.Store.ChangeAPIKeys(ctx, func(all []store.APIKey) (c store.APIKeyChange, err error) {
		old, err := find(all, id)
		if err != nil {
			return c, err
		}
		k := old
		k.ID, k.Created, k.Unknown = newKeyID(), now, nil
		if !old.Expires.IsZero() {
			k.Expires = now.Add(old.Expires.Sub(old.Created))
		}
		made = m.withSecret(&k)
		c.Put = []store.APIKey{k}
		switch {
		case overlap <= 0:
			c.Forget = []string{id}
		case old.Expires.IsZero() || old.Expires.After(end):
			old.Expires = end
			c.Put = append(c.Put, old)
		}
		return c, nil
	})
	if err != nil {
		return NewKey{}, fmt.Errorf("rotate an API key: %w", err)
	}
	return made, nil
}

func find(all []store.APIKey, id string) (k store.APIKey, err error) {
	i := slices.IndexFunc(all, func(k store.APIKey) bool { return k.ID == id })
	if i < 0 {
		return k, noSuchKey(id)
	}
	return all[i], nil
}

func noSuchKey(id string) error {
	return newProblem(codeNotFound, "there is no API key with the id %.70q; those of the configuration are changed there", id)
}
