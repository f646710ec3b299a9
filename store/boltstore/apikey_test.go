package boltstore

import (
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
	"optimus/store/storetest"
)

// TestCheckReadsAPIKeys: a record that is no key's, or another one's, is found.
func TestCheckReadsAPIKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	lively(t, path)
	for id, raw := range map[string]string{"k2": "{", "k3": `{"id":"k1","name":"a"}`, "k4": `{"id":"k4","name":""}`} {
		edit(t, path, func(tx *bolt.Tx) error { return view{tx}.table(bucketAPIKeys).put([]byte(id), []byte(raw)) })
		checked, err := Check(path)
		if err != nil || len(checked.Faults) != 1 || !strings.Contains(checked.Faults[0], id) {
			t.Errorf("of %s it says %v, %v", raw, checked.Faults, err)
		}
		edit(t, path, func(tx *bolt.Tx) error { return view{tx}.table(bucketAPIKeys).delete([]byte(id)) })
	}
}

// TestAFileFromBeforeAPIKeys: a file without their bucket, as an older binary makes it, is opened as
// it is, gets the bucket, and keeps its form.
func TestAFileFromBeforeAPIKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	s, err := Open(path, store.Options{})
	must(t, err)
	id := submitTest(t, s, store.NewJob{Queue: "q"}).ID
	must(t, s.Close())
	db, err := bolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(laterBucket())) }))
	must(t, db.Close())

	checked, err := Check(path)
	if err != nil || len(checked.Faults) > 0 {
		t.Errorf("the check says %+v, %v", checked, err)
	}
	s = openTest(t, path)
	if keys, err := s.APIKeys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("it has the keys %v, %v", keys, err)
	}
	must(t, s.ChangeAPIKeys(t.Context(), storetest.PutAPIKeys(store.APIKey{ID: "k1", Name: "a", Hash: store.PayloadHash{1}, Roles: []string{"read"}})))
	if keys, err := s.APIKeys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("it has the keys %v, %v", keys, err)
	}
	_, err = s.Get(t.Context(), id)
	must(t, err)
	schema, err := s.Schema(t.Context())
	if err != nil || schema.Written != 1 || schema.MinReader != 1 {
		t.Errorf("its form is %+v, %v", schema, err)
	}
}
