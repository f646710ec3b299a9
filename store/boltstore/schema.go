package boltstore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"optimus/store"
)

// The keys of the bucket meta.
const (
	metaFormat      = "format"
	metaWritten     = "written"
	metaMinReader   = "min_reader"
	metaTenantLimit = "tenant_running"
	metaProbe       = "probe"
)

const (
	// formatName tells our files from other bbolt files.
	formatName = "optimus store"
	// minReader is what a reader must at least know to read what this version writes.
	minReader = 1
	// lockTimeout is how long another process may hold the file before that is said.
	lockTimeout = time.Second
	// mapSize is address space, not memory: within it growth needs no new mapping, for which
	// readers would have to end.
	mapSize = 1 << 30
)

// migrations bring a file from one schema to the next: the first, of an empty file, makes
// schema 1. A new one is appended, with a test, and nothing of an old one changes.
func migrations() []func(*bolt.Tx) error {
	return []func(*bolt.Tx) error{
		func(tx *bolt.Tx) error {
			for _, name := range fileBuckets() {
				if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
					return fmt.Errorf("make bucket %s: %w", name, err)
				}
			}
			return nil
		},
	}
}

// openFile opens or makes the file, and checks it before anything may be written to it.
func openFile(path string) (db *bolt.DB, err error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("make store %s: %w", path, err)
	}
	if err := inspect(path); err != nil {
		return nil, err
	}
	if err := syncFolder(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	var file *os.File
	defer func() {
		if r := recover(); r != nil {
			_ = file.Close()
			db, err = nil, damaged(path, r)
		}
	}()
	o := options(&file)
	o.InitialMmapSize = mapSize
	db, err = bolt.Open(path, 0o600, o)
	if err != nil {
		return nil, explain(path, err)
	}
	return db, nil
}

func options(file **os.File) *bolt.Options {
	return &bolt.Options{
		Timeout: lockTimeout,
		// The free list is found anew by a look at the file, not written with each commit.
		NoFreelistSync: true, FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			*file = f
			return f, err //nolint:wrapcheck // explain does
		},
	}
}

// inspect reads an existing file from end to end, without the right to write: bbolt itself
// meets a damaged page with a panic, in part in goroutines where nobody can recover from it.
func inspect(path string) (err error) {
	info, err := os.Stat(path) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if info.Size() == 0 {
		return damaged(path, "it is empty")
	}
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a mapped page behind the file's end
	defer func() {
		if r := recover(); r != nil {
			_ = file.Close()
			err = damaged(path, r)
		}
	}()
	o := options(&file)
	o.ReadOnly = true
	db, err := bolt.Open(path, 0o600, o)
	if err != nil {
		return explain(path, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		if tx.Size() > info.Size() {
			return damaged(path, fmt.Sprintf("it has %d of %d bytes", info.Size(), tx.Size()))
		}
		if err := checkMeta(path, tx); err != nil {
			return err
		}
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			return b.ForEach(func(_, _ []byte) error { return nil })
		})
	})
	return errors.Join(err, db.Close())
}

// checkMeta refuses a file that is not ours, or too new.
func checkMeta(path string, tx *bolt.Tx) error {
	meta := metaBucket(tx)
	if meta == nil || string(meta.Get([]byte(metaFormat))) != formatName {
		return fmt.Errorf("%w: %s is a database of another program; give another data folder, or move the file away",
			store.ErrSchema, path)
	}
	least, err := strconv.Atoi(string(meta.Get([]byte(metaMinReader))))
	if err != nil {
		return damaged(path, "its schema number cannot be read")
	}
	if known := len(migrations()); least > known {
		return fmt.Errorf("%w: %s was written by a newer Optimus (it needs schema %d, this binary knows %d); start that version or a later one",
			store.ErrSchema, path, least, known)
	}
	for _, name := range fileBuckets() {
		if tx.Bucket([]byte(name)) == nil {
			return damaged(path, "bucket "+name+" is missing")
		}
	}
	return nil
}

func metaBucket(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket([]byte(bucketNames()[bucketMeta])) }

// explain says what an error of opening means and what to do about it.
func explain(path string, err error) error {
	var ours *os.PathError
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("open %s: %w: %s holds the file; stop that one, or give another data folder",
			path, store.ErrUnavailable, holder(path))
	case errors.As(err, &ours):
		return fmt.Errorf("open store: %w", err)
	}
	return damaged(path, err)
}

// damaged is the error of a file that is not what it should be; cause is an error, a text or
// what a panic brought.
func damaged(path string, cause any) error {
	at := ""
	if _, ok := cause.(runtime.Error); ok {
		at = place()
	}
	return fmt.Errorf("%w: %s is damaged or not a store: %v%s; nothing was changed: restore a backup, or move the file away to start anew",
		store.ErrSchema, path, cause, at)
}

// place is where the panic under recovery arose.
func place() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf(" (%s:%d)", f.Function, f.Line)
		}
		if !more {
			return ""
		}
	}
}
