package redisstore

import (
	"errors"
	"testing"
	"time"

	"optimus/store"
)

// keyedJob is what an export has of a job that a tenant has submitted with the key "k".
func keyedJob(s *Store) *store.JobRecord {
	j := aJob(store.NewID(s.now(), 1, 0))
	j.Tenant = "t"
	j.Key = &store.KeyRecord{Key: "k", PayloadHash: store.PayloadHash{1}, Ends: s.now().Add(time.Hour)}
	return j
}

// TestAKeyIsHeldForAnImport: from when an import has begun to bring a job nobody else makes one by its
// key, in whichever process.
func TestAKeyIsHeldForAnImport(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	j := keyedJob(a)
	records := []store.Record{aQueue("q", 1), {Job: j}}
	submit := func(hash byte) (store.ID, bool, error) {
		got, replayed, err := b.Submit(t.Context(), store.NewJob{Tenant: "t", Queue: "q", Key: "k", PayloadHash: [32]byte{hash}})
		return got.ID, replayed, err
	}
	replays := func(when string) {
		t.Helper()
		if id, replayed, err := submit(1); err != nil || !replayed || id != j.ID {
			t.Errorf("%s a submission with the key gives %s, replayed %v, %v; want %s", when, id, replayed, err, j.ID)
		}
		if id, err := b.LookupKey(t.Context(), "t", "k", [32]byte{1}); err != nil || id != j.ID {
			t.Errorf("%s the key is of %s, %v", when, id, err)
		}
		if _, _, err := submit(2); !errors.Is(err, store.ErrKeyConflict) {
			t.Errorf("%s a submission with another payload gives %v", when, err)
		}
	}
	must(t, a.adoptQueues(t.Context(), records))
	must(t, a.bindKeys(t.Context(), records, true))
	if id, _, err := submit(1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while its job is on its way a submission with the key gives %s, %v", id, err)
	}
	if _, _, err := submit(2); !errors.Is(err, store.ErrKeyConflict) {
		t.Errorf("while its job is on its way a submission with another payload gives %v", err)
	}
	if id, err := b.LookupKey(t.Context(), "t", "k", [32]byte{1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("while its job is on its way the key is of %s, %v", id, err)
	}
	_, err := a.importPart(t.Context(), partsOf(records)[0])
	must(t, err)
	replays("before the import has confirmed it")
	must(t, a.bindKeys(t.Context(), records, false))
	replays("after the import")
	ttl, err := b.client.PTTL(t.Context(), b.keys.key("t", "k")).Result()
	if err != nil || ttl < 50*time.Minute {
		t.Errorf("the key is forgotten after %s, %v", ttl, err)
	}
	if done, err := a.Import(t.Context(), records); err != nil || done != (store.Imported{Skipped: 2}) {
		t.Errorf("imported again: %+v, %v", done, err)
	}
	replays("after another import")
	checkIndexes(t, a)
}

// TestAnImportThatBreaksOffHoldsNoKeyForLong: the hold ends by itself; and a key that has become another
// job's meanwhile, or was before, stays that one's.
func TestAnImportThatBreaksOffHoldsNoKeyForLong(t *testing.T) {
	t.Parallel()
	a, b := two(t, store.Options{})
	j := keyedJob(a)
	records := []store.Record{aQueue("q", 1), {Job: j}}
	must(t, a.adoptQueues(t.Context(), records))
	must(t, a.bindKeys(t.Context(), records, true))
	ttl, err := b.client.PTTL(t.Context(), b.keys.key("t", "k")).Result()
	if err != nil || ttl <= 0 || ttl > heldFor {
		t.Errorf("the key is held for %s, %v", ttl, err)
	}
	must(t, b.client.Del(t.Context(), b.keys.key("t", "k")).Err()) // as its time does
	n := store.NewJob{Tenant: "t", Queue: "q", Key: "k", PayloadHash: [32]byte{1}}
	other := submitTest(t, b, n)
	for range 2 {
		_, err = a.Import(t.Context(), records)
		must(t, err)
		if got, replayed, err := b.Submit(t.Context(), n); err != nil || !replayed || got.ID != other.ID {
			t.Errorf("a submission with the key gives %s, replayed %v, %v; want %s", got.ID, replayed, err, other.ID)
		}
	}
	checkIndexes(t, a)
}
