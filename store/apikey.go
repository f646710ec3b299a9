package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// MaxAPIKeys bounds the API keys that a store keeps: each request is compared with every one.
const MaxAPIKeys = 1000

// Keyring keeps API keys, which all servers of the store share.
type Keyring interface {
	// APIKeys gives every key, also those that have expired, the oldest first.
	APIKeys(ctx context.Context) ([]APIKey, error)
	// ChangeAPIKeys has change decide, by all keys as APIKeys gives them, what is done to them: all of it or
	// nothing, and nobody else changes a key in between. So change may be called several times, and must not
	// use the store. Its error is given back, and changes nothing; nor does what [APIKeyChange.Check] refuses.
	ChangeAPIKeys(ctx context.Context, change func(all []APIKey) (APIKeyChange, error)) error
}

// APIKeyChange is what is done to the keys at once.
type APIKeyChange struct {
	// Put are added, each in the place of the one of its id where there is one.
	Put []APIKey
	// Forget are the ids of those that are forgotten.
	Forget []string
}

// Check refuses a change of the keys that there are: [ErrInvalid] where one to put is none, where one is named twice, or
// where there would be more than [MaxAPIKeys]; [ErrNotFound] where one to forget is not there.
func (c APIKeyChange) Check(all []APIKey) error {
	there, named := map[string]bool{}, map[string]bool{}
	for _, k := range all {
		there[k.ID] = true
	}
	left := len(all)
	for _, k := range c.Put {
		if err := k.Validate(); err != nil {
			return fmt.Errorf("keep API key: %w", err)
		}
		if named[k.ID] {
			return invalidf("API key %q is put twice", k.ID)
		}
		if named[k.ID] = true; !there[k.ID] {
			left++
		}
	}
	for _, id := range c.Forget {
		if !there[id] {
			return fmt.Errorf("API key %.70q: %w", id, ErrNotFound)
		}
		if named[id] {
			return invalidf("API key %q is to be forgotten, and named twice", id)
		}
		named[id] = true
		left--
	}
	if left > MaxAPIKeys {
		return invalidf("there are %d API keys already, which is the most: revoke those that nobody uses", MaxAPIKeys)
	}
	return nil
}

// ImportAPIKeys has change, a store's ChangeAPIKeys, add the keys of the records that are not there, and counts those and the
// others.
func ImportAPIKeys(records []Record, done *Imported, change func(func(all []APIKey) (APIKeyChange, error)) error) error {
	var keys []APIKey
	for _, r := range records {
		if r.APIKey != nil {
			keys = append(keys, *r.APIKey)
		}
	}
	if keys == nil {
		return nil
	}
	var c APIKeyChange
	err := change(func(all []APIKey) (APIKeyChange, error) {
		c = APIKeyChange{}
		for _, k := range keys {
			if same := func(o APIKey) bool { return o.ID == k.ID }; !slices.ContainsFunc(all, same) && !slices.ContainsFunc(c.Put, same) {
				c.Put = append(c.Put, k)
			}
		}
		return c, nil
	})
	if err == nil {
		done.APIKeys += len(c.Put)
		done.Skipped += len(keys) - len(c.Put)
	}
	return err
}

// APIKey is an API key as it is kept: the key itself is not.
type APIKey struct {
	// ID tells it from others of its name, for people who list and revoke.
	ID string `json:"id"`
	// Name is the tenant that the key's jobs belong to.
	Name string `json:"name"`
	// Hash is the SHA-256 of the key.
	Hash PayloadHash `json:"hash"`
	// Roles are words that the store does not know.
	Roles []string `json:"roles"`
	// Rate bounds its requests per second; 0 means the server's rate.
	Rate    float64   `json:"rate,omitempty"`
	Created time.Time `json:"created"`
	// Expires is when it holds no more; zero means never.
	Expires time.Time `json:"expires,omitzero"`
	// Unknown holds the fields of a newer version, by name.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Bounds of what an API key may be.
const (
	maxKeyRoles = 16
	maxKeyRate  = 1_000_000
)

// Validate refuses, with an [ErrInvalid], what no store keeps.
func (k *APIKey) Validate() error {
	switch {
	case k.ID == "" || !ValidName(k.ID):
		return invalidf("the id of an API key is not UTF-8 of 1 to %d bytes", MaxName)
	case k.Name == "" || !ValidName(k.Name):
		return invalidf("the name of API key %q is not UTF-8 of 1 to %d bytes", k.ID, MaxName)
	case k.Hash == PayloadHash{}:
		return invalidf("API key %q has no hash", k.ID)
	case len(k.Roles) == 0 || len(k.Roles) > maxKeyRoles:
		return invalidf("API key %q has %d roles, want 1 to %d", k.ID, len(k.Roles), maxKeyRoles)
	case !(k.Rate >= 0 && k.Rate <= maxKeyRate):
		return invalidf("the rate of API key %q is not 0 to %d", k.ID, maxKeyRate)
	}
	for _, r := range k.Roles {
		if r == "" || !ValidName(r) {
			return invalidf("a role of API key %q is not UTF-8 of 1 to %d bytes", k.ID, MaxName)
		}
	}
	return validTimes(k.Created, k.Expires)
}

// EncodeAPIKey gives the JSON in which a store keeps a key.
func EncodeAPIKey(k APIKey) ([]byte, error) { return json.Marshal(&k) } //nolint:wrapcheck // MarshalJSON says of what

// DecodeAPIKey reads what EncodeAPIKey has written.
func DecodeAPIKey(raw []byte) (k APIKey, err error) {
	if err := json.Unmarshal(raw, &k); err != nil {
		return k, fmt.Errorf("%w: an API key's record is damaged: %w", ErrSchema, err)
	}
	return k, nil
}

// SortAPIKeys puts the oldest first.
func SortAPIKeys(keys []APIKey) {
	slices.SortFunc(keys, func(a, b APIKey) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
}

// HashHex is the key's hash in hexadecimal.
func (k *APIKey) HashHex() string { return hex.EncodeToString(k.Hash[:]) }

// plainAPIKey is an APIKey as encoding/json sees it.
type plainAPIKey APIKey

// MarshalJSON writes the fields that this version does not know behind the others.
func (k *APIKey) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal((*plainAPIKey)(k))
	if err == nil {
		raw, err = AppendFields(raw, k.Unknown)
	}
	if err != nil {
		return nil, fmt.Errorf("encode API key %s: %w", k.ID, err)
	}
	return raw, nil
}

// UnmarshalJSON keeps the fields that it does not know.
func (k *APIKey) UnmarshalJSON(raw []byte) error {
	plain := plainAPIKey{}
	unknown, err := DecodeFields(raw, &plain)
	if err != nil {
		return err
	}
	*k = APIKey(plain)
	k.Unknown = unknown
	return nil
}
