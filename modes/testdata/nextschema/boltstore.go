package boltstore

import (
	"encoding/json"
	"os"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// nextMigrations are those of this version, and of two that may come: schema 2 adds a field to a job's record,
// which an older binary can do without; schema 3 is one that it cannot read. NEXT_SCHEMA is the newest that
// the binary knows.
func nextMigrations(all []migration) []migration {
	for schema := 2; schema <= int(os.Getenv("NEXT_SCHEMA")[0]-'0'); schema++ {
		m := migration{minReader: 1, run: func(*bolt.Tx) error { return nil }}
		if schema == 3 {
			m.minReader = 3
		}
		all = append(all, m)
	}
	return all
}

// nextWritten is the schema that the file has.
var nextWritten atomic.Int64

// nextForm is a record as that schema wants it.
func nextForm(r *record) *record {
	if nextWritten.Load() >= 2 {
		if r.unknown == nil {
			r.unknown = map[string]json.RawMessage{}
		}
		r.unknown["next"] = json.RawMessage(`{"deep":[1.5]}`)
	}
	return r
}
