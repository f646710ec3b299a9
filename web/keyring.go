package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"optimus/store"
)

// keyring holds the API keys: those of the configuration and those of the store. Without any, everyone
// is an administrator, unless keys are required.
type keyring struct {
	configured []*principal
	open       *principal
	required   bool
	// perMinute is the rate of a stored key that states none.
	perMinute int

	shared *storedKeys
	mu     sync.Mutex
	built  atomic.Pointer[ring]
}

// storedKeys is what was last read of the store: one for all servers that take over from each other.
type storedKeys struct {
	reading sync.Mutex
	list    atomic.Pointer[[]store.APIKey] // never nil
}

// ring is the keyring for one list of stored keys.
type ring struct {
	of   *[]store.APIKey
	keys []*principal
}

// newKeyring takes the keys of the options, and the stored ones.
func newKeyring(o Options, shared *storedKeys) (*keyring, error) {
	r := &keyring{
		open:     &principal{roles: []Role{RoleAdmin}, limiter: limiter(o.PerMinute)},
		required: o.RequireKeys, perMinute: o.PerMinute, shared: shared,
	}
	var faults []error
	for i, k := range o.Keys {
		p, err := newPrincipal(k)
		if err != nil {
			faults = append(faults, fmt.Errorf("API key %d (%q): %w", i+1, k.Name, err))
			continue
		}
		if slices.ContainsFunc(r.configured, func(o *principal) bool { return o.hash == p.hash }) {
			faults = append(faults, fmt.Errorf("API key %d (%q): its hash is that of an earlier key", i+1, k.Name))
		}
		r.configured = append(r.configured, p)
	}
	return r, errors.Join(faults...)
}

// current is the keyring with the stored keys as they were last read.
func (r *keyring) current() *ring {
	list := r.shared.list.Load()
	if b := r.built.Load(); b != nil && b.of == list {
		return b
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.built.Load()
	if before != nil && before.of == list {
		return before
	}
	b := &ring{of: list, keys: slices.Clone(r.configured)}
	for _, k := range *list {
		// One that this version makes no sense of lets nobody in, but keeps the server closed.
		if p, err := newPrincipal(r.keyOf(k)); err == nil {
			p.expires = k.Expires
			b.keys = append(b.keys, p)
		}
	}
	if before != nil {
		takeOver(b.keys, before.keys)
	}
	r.built.Store(b)
	return b
}

func (r *keyring) keyOf(k store.APIKey) Key {
	key := Key{Name: k.Name, Hash: k.HashHex(), PerMinute: r.perMinute}
	for _, role := range k.Roles {
		key.Roles = append(key.Roles, Role(role))
	}
	if k.Rate > 0 {
		key.PerMinute = int(math.Ceil(k.Rate * time.Minute.Seconds()))
	}
	return key
}

// isOpen tells that no key is needed. A key that has expired still closes the server.
func (r *keyring) isOpen() bool {
	return !r.required && len(r.configured) == 0 && len(*r.shared.list.Load()) == 0
}

// takeOver has each key that was there before, with the same rate, go on with what is left of it.
func (r *keyring) takeOver(before *keyring) {
	takeOver(append(slices.Clone(r.current().keys), r.open), append(slices.Clone(before.current().keys), before.open))
}

func takeOver(now, before []*principal) {
	for _, p := range now {
		for _, old := range before {
			if p.hash == old.hash && p.limiter != nil && old.limiter != nil && p.limiter.Limit() == old.limiter.Limit() {
				p.limiter = old.limiter
			}
		}
	}
}

// identify gives who a request comes from, or nil where its key is missing or unknown. Every key
// is compared, each in constant time.
func (r *keyring) identify(c echo.Context) *principal {
	if r.isOpen() {
		return r.open
	}
	digest := sha256.Sum256([]byte(keyOf(c)))
	var found *principal
	for _, k := range r.current().keys {
		if subtle.ConstantTimeCompare(k.hash[:], digest[:]) == 1 {
			found = k
		}
	}
	return found
}

// keyLook is how often the stored keys are read: with a store's own delay, what others change holds
// here within two seconds.
const keyLook = time.Second

// FollowKeys keeps up with the API keys in the store, which other processes change too, until ctx ends.
// While they cannot be read those that were read last hold.
func (s *Switch) FollowKeys(ctx context.Context) {
	ticker := time.NewTicker(keyLook)
	defer ticker.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		newest := s.newest.Load()
		err := newest.readKeys(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			newest.opts.Log.Warn().Err(err).Msg("the API keys in the store cannot be read; those that were read last hold")
		}
		failing = err != nil
	}
}

// StoredKeys counts the keys that the store had when it was last read.
func (s *Switch) StoredKeys() int { return len(*s.newest.Load().keys.shared.list.Load()) }

// readKeys reads the stored keys. A list that is read later is never older.
func (s *Server) readKeys(ctx context.Context) error {
	shared := s.keys.shared
	shared.reading.Lock()
	defer shared.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeouts.Store)
	defer cancel()
	list, err := s.opts.Store.APIKeys(ctx)
	if err != nil {
		return fmt.Errorf("read API keys: %w", err)
	}
	if !slices.EqualFunc(*shared.list.Load(), list, sameKey) {
		shared.list.Store(&list)
	}
	return nil
}

// sameKey tells whether two mean the same to a keyring.
func sameKey(a, b store.APIKey) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Hash == b.Hash && a.Rate == b.Rate && a.Expires.Equal(b.Expires) && slices.Equal(a.Roles, b.Roles)
}
