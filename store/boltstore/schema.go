package boltstore

import (
	"context"
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
	"golang.org/x/sys/unix"

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
	// lockTimeout is how long another process may hold the file before that is said.
	lockTimeout = time.Second
	// mapSize is address space, not memory: within it growth needs no new mapping, for which
	// readers would have to end.
	mapSize = 1 << 30
)

// migration brings a file from one schema to the next.
type migration struct {
	// minReader is the least schema that a reader of the new form must know.
	minReader int
	run       func(*bolt.Tx) error
}

// migrations are all that there are: the first, of an empty file, makes schema 1. A new one is
// appended, with a test, and nothing of an old one changes. A new file gets all of them, any other
// only those that it has until [Store.Upgrade]: till then code must write the form that it finds.
func migrations() []migration {
	return []migration{{minReader: 1, run: makeBuckets}}
}

func makeBuckets(tx *bolt.Tx) error {
	for _, name := range fileBuckets() {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return fmt.Errorf("make bucket %s: %w", name, err)
		}
	}
	return nil
}

// openFile opens or makes the file, and checks it before anything may be written to it.
func openFile(path string, steps []migration) (db *bolt.DB, err error) {
	if err := create(path, steps); err != nil {
		return nil, fmt.Errorf("make store %s: %w", path, err)
	}
	if err := inspect(path, len(steps)); err != nil {
		return nil, err
	}
	if err := syncFolder(path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	var file *os.File
	defer func() {
		if r := recover(); r != nil {
			letGo(file)
			db, err = nil, damaged(path, r)
		}
	}()
	o := options(&file)
	o.InitialMmapSize = mapSize
	db, err = bolt.Open(path, 0o600, o)
	if err != nil {
		return nil, explain(path, err)
	}
	if err = stillNamed(path, file); err == nil {
		err = addBucket(db)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// laterBucket is the bucket that schema 1 had not from its beginning.
func laterBucket() string { return bucketNames()[bucketAPIKeys] }

// addBucket makes that bucket where an older binary has made the file.
func addBucket(db *bolt.DB) error {
	there := false
	err := db.View(func(tx *bolt.Tx) error {
		there = tx.Bucket([]byte(laterBucket())) != nil
		return nil
	})
	if err == nil && !there {
		err = db.Update(func(tx *bolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists([]byte(laterBucket()))
			return err //nolint:wrapcheck // see below
		})
	}
	if err != nil {
		return fmt.Errorf("open store: %w: make bucket %s: %w", store.ErrUnavailable, laterBucket(), err)
	}
	return nil
}

// stillNamed refuses a file in whose place another one was put while its lock was waited for.
func stillNamed(path string, file *os.File) error {
	locked, err := file.Stat()
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(locked, named) { //nolint:gosec // the operator names it
		return fmt.Errorf("open %s: %w: the file was replaced meanwhile; try again", path, store.ErrUnavailable)
	}
	return nil
}

// letGo closes a file that bbolt had open when it panicked. The lock is undone by name: what bbolt
// has mapped of the file, which stays, would keep it otherwise.
func letGo(file *os.File) {
	_ = unix.Flock(int(file.Fd()), unix.LOCK_UN)
	_ = file.Close()
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
// meets a damaged page with a panic, in part in goroutines where nobody can recover from it. known
// is the newest schema that this binary knows.
func inspect(path string, known int) (err error) {
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
			letGo(file)
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
		// First, since bbolt follows whatever a damaged page says, out of the file too.
		if _, err := checkPages(file, tx); err != nil {
			return damaged(path, err)
		}
		return checkMeta(path, tx, known)
	})
	return errors.Join(err, db.Close())
}

// checkMeta refuses a file that is not ours, or too new.
func checkMeta(path string, tx *bolt.Tx, known int) error {
	meta := metaBucket(tx)
	if meta == nil || string(meta.Get([]byte(metaFormat))) != formatName {
		return fmt.Errorf("%w: %s is a database of another program; give another data folder, or move the file away",
			store.ErrSchema, path)
	}
	schema, err := readSchema(meta)
	if err != nil {
		return damaged(path, err)
	}
	if least := schema.MinReader; least > known {
		return fmt.Errorf("%w: %s was written by a newer Optimus (it needs schema %d, this binary knows %d); start that version or a later one",
			store.ErrSchema, path, least, known)
	}
	for _, name := range fileBuckets() {
		if name != laterBucket() && tx.Bucket([]byte(name)) == nil {
			return damaged(path, "bucket "+name+" is missing")
		}
	}
	return nil
}

func metaBucket(tx *bolt.Tx) *bolt.Bucket { return tx.Bucket([]byte(bucketNames()[bucketMeta])) }

// prepare makes an empty file ours.
func prepare(tx *bolt.Tx, steps []migration) error {
	if err := migrate(tx, steps, 0); err != nil {
		return err
	}
	if err := metaBucket(tx).Put([]byte(metaFormat), []byte(formatName)); err != nil {
		return fmt.Errorf("write schema: %w", err)
	}
	return nil
}

// migrate takes the steps behind the schema that is written, and notes that.
func migrate(tx *bolt.Tx, steps []migration, written int) error {
	for i := written; i < len(steps); i++ {
		if err := steps[i].run(tx); err != nil {
			return fmt.Errorf("make schema %d: %w", i+1, err)
		}
	}
	for k, n := range map[string]int{metaWritten: len(steps), metaMinReader: steps[len(steps)-1].minReader} {
		if err := metaBucket(tx).Put([]byte(k), []byte(strconv.Itoa(n))); err != nil {
			return fmt.Errorf("note schema %d: %w", len(steps), err)
		}
	}
	return nil
}

func readSchema(meta *bolt.Bucket) (s store.Schema, err error) {
	for k, n := range map[string]*int{metaWritten: &s.Written, metaMinReader: &s.MinReader} {
		if *n, err = strconv.Atoi(string(meta.Get([]byte(k)))); err != nil {
			return s, fmt.Errorf("its schema number cannot be read: %w", err)
		}
	}
	return s, nil
}

// Schema says in which form the file is.
func (s *Store) Schema(ctx context.Context) (schema store.Schema, err error) {
	err = s.read(ctx, func(v view) error {
		if schema, err = readSchema(metaBucket(v.tx)); err != nil {
			return damaged(s.path, err)
		}
		return nil
	})
	schema.Known = len(s.steps)
	return schema, err
}

// Upgrade brings the file into the newest form that this binary knows.
func (s *Store) Upgrade(ctx context.Context) (store.Schema, error) {
	err := s.write(ctx, func(b *batch) error {
		schema, err := readSchema(metaBucket(b.tx))
		if err != nil {
			return damaged(s.path, err)
		}
		if schema.Written >= len(s.steps) {
			return nil
		}
		// What the batch knows of the queues may be in another form afterwards.
		b.flush()
		if err := migrate(b.tx, s.steps, schema.Written); err != nil {
			b.wrote(err)
			return err
		}
		b.dirty = true
		if b.queues, err = loadCatalogue(b.view, b.queues); err != nil {
			b.wrote(err)
			return err
		}
		s.queues, s.before = b.queues, b.queues
		return nil
	})
	if err != nil {
		return store.Schema{}, err
	}
	return s.Schema(ctx)
}

// explain says what an error of opening means and what to do about it.
func explain(path string, err error) error {
	var ours *os.PathError
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("open %s: %w: %s holds the file; stop that one, or give another data folder",
			path, store.ErrUnavailable, holder(path))
	case errors.As(err, &ours):
		return fmt.Errorf("open store: %w: give a data folder that can be written to", err)
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
