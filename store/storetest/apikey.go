package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"optimus/store"
)

func apiKeyChecks() []check {
	return []check{
		{name: "apikey/kept, replaced and forgotten", run: checkAPIKeys},
		{name: "apikey/what is none is refused", run: checkAPIKeyInvalid},
		{name: "apikey/not too many", run: checkAPIKeyMany},
		{name: "apikey/many at once", run: checkAPIKeysAtOnce},
		{name: "apikey/all of a change or nothing", run: checkAPIKeyChange},
		{name: "apikey/nobody changes one in between", run: checkAPIKeyLast},
		{name: "apikey/a store opened anew has them", run: checkAPIKeyReopened, reopens: true},
		{name: "move/API keys come over", run: checkAPIKeyMoved},
	}
}

// apiKey is a key with all that one may have.
func (e *env) apiKey(id, name string) store.APIKey {
	created := e.clock.Now().UTC()
	return store.APIKey{
		ID: id, Name: name, Hash: store.PayloadHash{1, 2, 3}, Roles: []string{"submit", "read"}, Rate: 2.5,
		Created: created, Expires: created.Add(time.Hour), Unknown: map[string]json.RawMessage{"later": []byte(`{"a":1}`)},
	}
}

// putAPIKey adds a key, or replaces the one of its id.
func (e *env) putAPIKey(k store.APIKey) error {
	return e.s.ChangeAPIKeys(e.ctx(), PutAPIKeys(k))
}

func (e *env) forgetAPIKey(id string) error {
	return e.s.ChangeAPIKeys(e.ctx(), func([]store.APIKey) (store.APIKeyChange, error) {
		return store.APIKeyChange{Forget: []string{id}}, nil
	})
}

// PutAPIKeys is a change that adds or replaces keys, whatever there is.
func PutAPIKeys(keys ...store.APIKey) func([]store.APIKey) (store.APIKeyChange, error) {
	return func([]store.APIKey) (store.APIKeyChange, error) { return store.APIKeyChange{Put: keys}, nil }
}

func (e *env) apiKeys() []store.APIKey {
	e.Helper()
	keys, err := e.s.APIKeys(e.ctx())
	e.ok(err, "list API keys")
	return keys
}

func (e *env) hasAPIKeys(want ...store.APIKey) {
	e.Helper()
	if got := e.apiKeys(); len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		e.Errorf("the API keys are\n%+v, want\n%+v", got, want)
	}
}

func checkAPIKeys(e *env) {
	e.hasAPIKeys()
	e.wants(e.forgetAPIKey("a"), store.ErrNotFound, "to forget what is not there")
	e.wants(e.forgetAPIKey(""), store.ErrNotFound, "to forget nothing")
	a := e.apiKey("a", "tenant: {ü}\x00")
	e.ok(e.putAPIKey(a), "put")
	e.clock.Move(time.Second)
	b, c := e.apiKey("zz", "t"), e.apiKey("b b", "t")
	b.Expires, b.Rate, b.Unknown = time.Time{}, 0, nil
	c.Created = c.Created.Add(time.Millisecond)
	e.ok(e.putAPIKey(c), "put")
	e.ok(e.putAPIKey(b), "put")
	e.hasAPIKeys(a, b, c)
	a.Roles, a.Expires = []string{"admin"}, e.clock.Now().UTC().Add(-time.Hour)
	e.ok(e.putAPIKey(a), "replace")
	e.hasAPIKeys(a, b, c)
	e.clock.Move(1000 * time.Hour)
	e.sweep()
	e.hasAPIKeys(a, b, c) // those that have expired are kept, for people to see
	e.ok(e.forgetAPIKey(b.ID), "forget")
	e.wants(e.forgetAPIKey(b.ID), store.ErrNotFound, "to forget it again")
	e.hasAPIKeys(a, c)
}

func checkAPIKeyInvalid(e *env) {
	for name, spoil := range map[string]func(*store.APIKey){
		"no id":        func(k *store.APIKey) { k.ID = "" },
		"a long id":    func(k *store.APIKey) { k.ID = strings.Repeat("x", store.MaxName+1) },
		"no name":      func(k *store.APIKey) { k.Name = "" },
		"no UTF-8":     func(k *store.APIKey) { k.Name = "\xff" },
		"a long name":  func(k *store.APIKey) { k.Name = strings.Repeat("x", store.MaxName+1) },
		"no hash":      func(k *store.APIKey) { k.Hash = store.PayloadHash{} },
		"no role":      func(k *store.APIKey) { k.Roles = nil },
		"an empty one": func(k *store.APIKey) { k.Roles = []string{""} },
		"many roles":   func(k *store.APIKey) { k.Roles = strings.Split(strings.Repeat("x ", 30)+"x", " ") },
		"a rate below": func(k *store.APIKey) { k.Rate = -1 },
		"no rate":      func(k *store.APIKey) { k.Rate = math.NaN() },
		"any rate":     func(k *store.APIKey) { k.Rate = math.Inf(1) },
		"an old time":  func(k *store.APIKey) { k.Expires = time.Unix(-1, 0) },
		"a late time":  func(k *store.APIKey) { k.Expires = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		k := e.apiKey("a", "t")
		spoil(&k)
		e.wants(e.putAPIKey(k), store.ErrInvalid, name)
		_, err := e.s.Import(e.ctx(), []store.Record{{APIKey: &k}})
		e.wants(err, store.ErrInvalid, "an import with "+name)
	}
	e.hasAPIKeys()
}

func checkAPIKeyMany(e *env) {
	all := make([]store.APIKey, store.MaxAPIKeys)
	for i := range all {
		all[i] = e.apiKey(fmt.Sprint(i), "t")
	}
	e.ok(e.s.ChangeAPIKeys(e.ctx(), func([]store.APIKey) (store.APIKeyChange, error) {
		return store.APIKeyChange{Put: all}, nil
	}), "put as many as there may be")
	k := e.apiKey("more", "t")
	e.wants(e.putAPIKey(k), store.ErrInvalid, "a key too many")
	_, err := e.s.Import(e.ctx(), []store.Record{{APIKey: &k}})
	e.wants(err, store.ErrInvalid, "an import of a key too many")
	e.ok(e.putAPIKey(e.apiKey("7", "other")), "replace")
	e.ok(e.s.ChangeAPIKeys(e.ctx(), func([]store.APIKey) (store.APIKeyChange, error) {
		return store.APIKeyChange{Put: []store.APIKey{e.apiKey("new", "t")}, Forget: []string{"9"}}, nil
	}), "one in the place of another")
	e.ok(e.forgetAPIKey("8"), "forget")
	e.ok(e.putAPIKey(k), "put")
	if n := len(e.apiKeys()); n != store.MaxAPIKeys {
		e.Errorf("there are %d keys", n)
	}
}

func checkAPIKeysAtOnce(e *env) {
	const workers, each = 8, 10
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprint(w, "-", i)
				if err := e.putAPIKey(e.apiKey(id, "t")); err != nil {
					e.Errorf("put: %v", err)
				}
				if i%2 == 0 {
					if err := e.forgetAPIKey(id); err != nil {
						e.Errorf("forget: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(e.apiKeys()); n != workers*each/2 {
		e.Errorf("there are %d keys, want %d", n, workers*each/2)
	}
}

func checkAPIKeyChange(e *env) {
	a, b, c := e.apiKey("a", "t"), e.apiKey("b", "t"), e.apiKey("c", "t")
	change := func(err error, c store.APIKeyChange) error {
		return e.s.ChangeAPIKeys(e.ctx(), func([]store.APIKey) (store.APIKeyChange, error) { return c, err })
	}
	e.ok(change(nil, store.APIKeyChange{Put: []store.APIKey{a, b}}), "put two")
	e.ok(change(nil, store.APIKeyChange{}), "nothing")
	mine := errors.New("the caller's own")
	e.wants(change(mine, store.APIKeyChange{Forget: []string{"a"}}), mine, "a change that its caller gives up")
	e.wants(change(nil, store.APIKeyChange{Put: []store.APIKey{c}, Forget: []string{"a", "x"}}), store.ErrNotFound, "to forget what is not there")
	e.wants(change(nil, store.APIKeyChange{Put: []store.APIKey{c, c}}), store.ErrInvalid, "one key put twice")
	e.wants(change(nil, store.APIKeyChange{Put: []store.APIKey{a}, Forget: []string{"b", "a"}}), store.ErrInvalid, "one put and forgotten")
	e.wants(change(nil, store.APIKeyChange{Put: []store.APIKey{c, {ID: "d"}}, Forget: []string{"a"}}), store.ErrInvalid, "beside what is none")
	e.wants(e.s.ChangeAPIKeys(e.ctx(), nil), store.ErrInvalid, "no change")
	e.hasAPIKeys(a, b)
	a.Name = "u"
	var seen []store.APIKey
	e.ok(e.s.ChangeAPIKeys(e.ctx(), func(all []store.APIKey) (store.APIKeyChange, error) {
		seen = all
		return store.APIKeyChange{Put: []store.APIKey{c, a}, Forget: []string{"b"}}, nil
	}), "change")
	if len(seen) != 2 || seen[0].ID != "a" || seen[1].ID != "b" {
		e.Errorf("a change is told of %+v", seen)
	}
	e.hasAPIKeys(a, c)
}

// checkAPIKeyLast has each of several keys forgotten by who sees another one left: one must stay.
func checkAPIKeyLast(e *env) {
	const keys, rounds = 4, 5
	last := errors.New("it is the last one")
	for round := range rounds {
		e.ok(e.s.ChangeAPIKeys(e.ctx(), func(all []store.APIKey) (c store.APIKeyChange, err error) {
			for _, k := range all {
				c.Forget = append(c.Forget, k.ID)
			}
			for i := range keys {
				c.Put = append(c.Put, e.apiKey(fmt.Sprint(round, "-", i), "t"))
			}
			return c, nil
		}), "begin anew")
		var refused atomic.Int64
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				err := e.s.ChangeAPIKeys(e.ctx(), func(all []store.APIKey) (c store.APIKeyChange, err error) {
					if len(all) == 1 {
						return c, last
					}
					return store.APIKeyChange{Forget: []string{fmt.Sprint(round, "-", i)}}, nil
				})
				if errors.Is(err, last) {
					refused.Add(1)
				} else if err != nil {
					e.Errorf("forget: %v", err)
				}
			})
		}
		wg.Wait()
		if n := len(e.apiKeys()); n != 1 || refused.Load() != 1 {
			e.Errorf("%d keys are left, and %d were refused, want one of each", n, refused.Load())
		}
	}
}

func checkAPIKeyReopened(e *env) {
	k := e.apiKey("a", "t")
	e.ok(e.putAPIKey(k), "put")
	e.reopen(nil)
	e.hasAPIKeys(k)
}

func checkAPIKeyMoved(e *env) {
	a, b := e.apiKey("a", "t"), e.apiKey("bb", "t")
	b.Created = b.Created.Add(time.Second)
	e.ok(e.putAPIKey(a), "put")
	e.ok(e.putAPIKey(b), "put")
	other := e.sibling()
	defer other.close()
	mine := a
	mine.Name = "mine"
	e.ok(other.putAPIKey(mine), "put")
	text := e.export()
	for i, want := range []store.Imported{{APIKeys: 1, Skipped: 1}, {Skipped: 2}} {
		if sum, err := other.load(text); err != nil || sum != want {
			e.Errorf("import %d: %+v, %v; want %+v", i, sum, err, want)
		}
	}
	other.hasAPIKeys(mine, b)
}
