package storetest

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"optimus/store"
)

func apiKeyChecks() []check {
	return []check{
		{name: "apikey/kept, replaced and forgotten", run: checkAPIKeys},
		{name: "apikey/what is none is refused", run: checkAPIKeyInvalid},
		{name: "apikey/not too many", run: checkAPIKeyMany},
		{name: "apikey/many at once", run: checkAPIKeysAtOnce},
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
	e.wants(e.s.DeleteAPIKey(e.ctx(), "a"), store.ErrNotFound, "to forget what is not there")
	e.wants(e.s.DeleteAPIKey(e.ctx(), ""), store.ErrNotFound, "to forget nothing")
	a := e.apiKey("a", "tenant: {ü}\x00")
	e.ok(e.s.PutAPIKey(e.ctx(), a), "put")
	e.clock.Move(time.Second)
	b, c := e.apiKey("zz", "t"), e.apiKey("b b", "t")
	b.Expires, b.Rate, b.Unknown = time.Time{}, 0, nil
	c.Created = c.Created.Add(time.Millisecond)
	e.ok(e.s.PutAPIKey(e.ctx(), c), "put")
	e.ok(e.s.PutAPIKey(e.ctx(), b), "put")
	e.hasAPIKeys(a, b, c)
	a.Roles, a.Expires = []string{"admin"}, e.clock.Now().UTC().Add(-time.Hour)
	e.ok(e.s.PutAPIKey(e.ctx(), a), "replace")
	e.hasAPIKeys(a, b, c)
	e.clock.Move(1000 * time.Hour)
	e.sweep()
	e.hasAPIKeys(a, b, c) // those that have expired are kept, for people to see
	e.ok(e.s.DeleteAPIKey(e.ctx(), b.ID), "forget")
	e.wants(e.s.DeleteAPIKey(e.ctx(), b.ID), store.ErrNotFound, "to forget it again")
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
		e.wants(e.s.PutAPIKey(e.ctx(), k), store.ErrInvalid, name)
		_, err := e.s.Import(e.ctx(), []store.Record{{APIKey: &k}})
		e.wants(err, store.ErrInvalid, "an import with "+name)
	}
	e.hasAPIKeys()
}

func checkAPIKeyMany(e *env) {
	for i := range store.MaxAPIKeys {
		e.ok(e.s.PutAPIKey(e.ctx(), e.apiKey(fmt.Sprint(i), "t")), "put")
	}
	k := e.apiKey("more", "t")
	e.wants(e.s.PutAPIKey(e.ctx(), k), store.ErrInvalid, "a key too many")
	_, err := e.s.Import(e.ctx(), []store.Record{{APIKey: &k}})
	e.wants(err, store.ErrInvalid, "an import of a key too many")
	e.ok(e.s.PutAPIKey(e.ctx(), e.apiKey("7", "other")), "replace")
	e.ok(e.s.DeleteAPIKey(e.ctx(), "8"), "forget")
	e.ok(e.s.PutAPIKey(e.ctx(), k), "put")
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
				if err := e.s.PutAPIKey(e.ctx(), e.apiKey(id, "t")); err != nil {
					e.Errorf("put: %v", err)
				}
				if i%2 == 0 {
					if err := e.s.DeleteAPIKey(e.ctx(), id); err != nil {
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

func checkAPIKeyReopened(e *env) {
	k := e.apiKey("a", "t")
	e.ok(e.s.PutAPIKey(e.ctx(), k), "put")
	e.reopen(nil)
	e.hasAPIKeys(k)
}

func checkAPIKeyMoved(e *env) {
	a, b := e.apiKey("a", "t"), e.apiKey("bb", "t")
	b.Created = b.Created.Add(time.Second)
	e.ok(e.s.PutAPIKey(e.ctx(), a), "put")
	e.ok(e.s.PutAPIKey(e.ctx(), b), "put")
	other := e.sibling()
	defer other.close()
	mine := a
	mine.Name = "mine"
	e.ok(other.s.PutAPIKey(e.ctx(), mine), "put")
	text := e.export()
	for i, want := range []store.Imported{{APIKeys: 1, Skipped: 1}, {Skipped: 2}} {
		if sum, err := other.load(text); err != nil || sum != want {
			e.Errorf("import %d: %+v, %v; want %+v", i, sum, err, want)
		}
	}
	other.hasAPIKeys(mine, b)
}
