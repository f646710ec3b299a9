package boltstore

import (
	"strings"

	bolt "go.etcd.io/bbolt"
)

// indexName is the bucket that holds all indexes, each behind a letter of its own: a
// transaction that changes many of them then writes few pages.
const indexName = "index"

// place is where a bucket's keys are in the file: in a bucket of bbolt, behind a prefix.
func (n bucket) place() (name, prefix string) {
	name = bucketNames()[n]
	if part, ok := strings.CutPrefix(name, indexName+"/"); ok {
		return indexName, part[:1]
	}
	return name, ""
}

// fileBuckets are bbolt's buckets.
func fileBuckets() (names []string) {
	indexed := false
	for n := range bucketCount {
		name, prefix := n.place()
		if prefix == "" || !indexed {
			names = append(names, name)
		}
		indexed = indexed || prefix != ""
	}
	return names
}

// table is one of our buckets, whose keys it shows without their prefix.
type table struct {
	bucket *bolt.Bucket
	prefix string
}

func (t table) key(k []byte) []byte {
	if t.prefix == "" {
		return k
	}
	return append(append(make([]byte, 0, len(t.prefix)+len(k)), t.prefix...), k...)
}

func (t table) get(k []byte) []byte { return t.bucket.Get(t.key(k)) }

// put's and delete's errors are wrapped by the transaction.

func (t table) put(k, v []byte) error { return t.bucket.Put(t.key(k), v) } //nolint:wrapcheck // see above

func (t table) delete(k []byte) error { return t.bucket.Delete(t.key(k)) } //nolint:wrapcheck // see above

func (t table) cursor() cursor { return cursor{t, t.bucket.Cursor()} }

// each gives every key and value until do gives an error.
func (t table) each(do func(k, v []byte) error) error {
	c := t.cursor()
	for k, v := c.seek(nil); k != nil; k, v = c.next() {
		if err := do(k, v); err != nil {
			return err
		}
	}
	return nil
}

// cursor moves within a table. A nil key is behind its ends.
type cursor struct {
	table  table
	cursor *bolt.Cursor
}

func (c cursor) strip(k, v []byte) (_, _ []byte) {
	p := c.table.prefix
	if len(k) < len(p) || string(k[:len(p)]) != p {
		return nil, nil
	}
	return k[len(p):], v
}

// seek moves to k, or the first key behind it.
func (c cursor) seek(k []byte) (_, _ []byte) { return c.strip(c.cursor.Seek(c.table.key(k))) }

func (c cursor) next() (_, _ []byte) { return c.strip(c.cursor.Next()) }

// before moves to the last key before k.
func (c cursor) before(k []byte) (_, _ []byte) {
	if at, _ := c.cursor.Seek(c.table.key(k)); at == nil {
		return c.strip(c.cursor.Last())
	}
	return c.strip(c.cursor.Prev())
}

// prev moves to the key before the one where the cursor stands.
func (c cursor) prev() (_, _ []byte) { return c.strip(c.cursor.Prev()) }
