package boltstore

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"optimus/store"
	"optimus/store/internal/wake"
)

// Store is a store.Store in one bbolt file.
type Store struct {
	path string
	o    store.Options
	db   *bolt.DB
	// steps are the schemas that this binary knows.
	steps []migration

	ops     chan *op
	written chan struct{} // closed when the writer has ended
	// closing guards closed: whoever sends to ops holds it for reading.
	closing sync.RWMutex
	closed  bool
	done    chan struct{} // closed when Close is through
	// closeErr is what closing the file said; read after written is closed.
	closeErr error

	// visible is held for writing while something that was told early is not yet committed.
	visible sync.RWMutex
	// healthy is whether the last commit went well.
	healthy atomic.Bool

	// queues belong to the writer; nil when they must be read anew. before are the last ones.
	queues, before *catalogue
	// turns counts claims, for fairness between queues; the writer's.
	turns uint64

	waits *waits
}

var _ store.Store = (*Store)(nil)

// Open opens the file at path, and makes it where there is none. The folder must exist. No
// other process may have it open. Errors wrap store.ErrUnavailable where another process has,
// and store.ErrSchema where the file is damaged, not ours or too new: nothing is then changed.
func Open(path string, o store.Options) (*Store, error) { return open(path, o, migrations()) }

func open(path string, o store.Options, steps []migration) (*Store, error) {
	db, err := openFile(path, steps)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, o: o.WithDefaults(), db: db, steps: steps,
		ops: make(chan *op, maxBatch), written: make(chan struct{}), done: make(chan struct{}), waits: wake.New[store.Lane, store.Lane](),
	}
	s.healthy.Store(true)
	b, err := s.begin()
	if err == nil {
		if err = errors.Join(b.try(func(b *batch) error { b.reopened(); return nil }), b.fault); err != nil {
			b.rollback() // or the file could not be closed
		} else {
			err = b.commit()
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go s.run()
	return s, nil
}

// reopened forgets the workers, which lived in the process that had the file before, with their
// leases, and shares that mean nothing any more, and puts the heads right where the tenants' limit
// is another one now.
func (b *batch) reopened() {
	for _, k := range b.keys(bucketWorkers, nil, store.MaxQueueNumber) {
		b.delete(bucketWorkers, k)
	}
	for _, q := range b.queues.sorted() {
		b.endLeases(q)
		b.forgetShares(q)
	}
	limit := binary.BigEndian.AppendUint64(nil, uint64(max(b.s.o.TenantRunning, 0)))
	if string(b.get(bucketMeta, []byte(metaTenantLimit))) == string(limit) {
		return
	}
	b.put(bucketMeta, []byte(metaTenantLimit), limit)
	for _, q := range b.queues.sorted() {
		b.admit(q, number(q.number))
	}
}

// Close waits for the operations under way and closes the file. Later calls wait for the first
// and give what it gave.
func (s *Store) Close() error {
	s.closing.Lock()
	first := !s.closed
	s.closed = true
	if first {
		close(s.ops)
	}
	s.closing.Unlock()
	if !first {
		<-s.done
		return s.closeErr
	}
	<-s.written
	if err := s.db.Close(); err != nil {
		s.closeErr = s.foreign("close", err)
	}
	s.waits.Close()
	close(s.done)
	return s.closeErr
}

func (s *Store) now() time.Time { return s.o.Now().UTC().Round(0) }

// probeSize is about a large submission's size.
const probeSize = 64 << 10

// Ping writes what a large submission would, and waits for the disk as it would.
func (s *Store) Ping(ctx context.Context) error {
	probe := make([]byte, probeSize)
	return s.write(ctx, func(b *batch) error {
		b.put(bucketMeta, []byte(metaProbe), probe)
		return nil
	})
}
