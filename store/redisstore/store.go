package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"optimus/store"
	"optimus/store/internal/wake"
)

// Store is a store.Store on a server that speaks the Redis protocol.
type Store struct {
	o       store.Options
	ro      Options
	client  redis.UniversalClient
	keys    keys
	scripts scripts
	// steps are the schemas that this binary knows.
	steps []migration
	// process names this Store among all that share the server.
	process string

	// calls wait to be sent, by the address of a Cluster's node; piping guards the map.
	calls  map[string]chan *sent
	piping sync.Mutex
	piped  sync.WaitGroup
	// closing guards closed: whoever sends to calls holds it for reading.
	closing sync.RWMutex
	// leaving: Close has begun.
	leaving bool
	closed  bool
	stop    context.CancelFunc
	done    chan struct{}   // closed when Close is through
	after   context.Context //nolint:containedctx // what goes on behind an answer ends with the store

	clock  clock
	queues queues
	ids    ids
	unsure unsure
	given  given
	turns  turns

	// refusal says why the store may not be used any more.
	refusal refusal

	waits      *waits
	registered registered
	behinds    sync.WaitGroup
	// listening has ended when closed.
	listening chan struct{}
}

var _ store.Store = (*Store)(nil)

// Open connects to the server, and makes the store there where there is none. Errors wrap
// store.ErrUnavailable where the server cannot be reached, store.ErrSchema where the keys are not ours or
// too new, and store.ErrInvalid where the options make no sense. Whether the server keeps what it is
// told as well as the options want is for [Store.Describe] to say.
func Open(ctx context.Context, ro Options, o store.Options) (*Store, error) {
	return open(ctx, ro, o, migrations())
}

func open(ctx context.Context, ro Options, o store.Options, steps []migration) (*Store, error) {
	ro, err := ro.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	all, err := scriptsFor(len(steps))
	if err != nil {
		return nil, err
	}
	client, err := ro.client()
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	name := make([]byte, 8)
	_, _ = rand.Read(name) // never fails
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Store{
		o: o.WithDefaults(), ro: ro, client: client, keys: newKeys(ro.Prefix), scripts: all, steps: steps,
		process: hex.EncodeToString(name), calls: map[string]chan *sent{}, stop: stop, done: make(chan struct{}),
		after: own, clock: clock{heard: map[uint16]time.Time{}}, ids: ids{last: map[uint16]store.ID{}},
		unsure: unsure{calls: map[store.Lease]string{}}, given: given{tokens: map[claimant]uint64{}}, waits: wake.New[string, wakeup](), refusal: refusal{told: make(chan struct{})}, turns: turns{at: map[uint16]uint64{}},
		queues:     queues{names: map[uint16]string{}, numbers: map[string]uint16{}},
		registered: registered{turn: make(chan struct{}, 1), lanes: map[string]bool{}}, listening: make(chan struct{}),
	}
	if ro.Cluster {
		s.process += clusterMark
	}
	if err := s.begin(ctx); err != nil {
		close(s.listening)
		return nil, errors.Join(err, s.Close()) //nolint:contextcheck // closing does not depend on the caller's patience
	}
	return s, nil
}

// begin reads what the server holds, and starts to listen.
func (s *Store) begin(ctx context.Context) error {
	if err := s.refuseOld(ctx); err != nil {
		return err
	}
	s.preload(ctx)
	if err := s.openSchema(ctx); err != nil {
		return err
	}
	if err := s.sync(ctx); err != nil {
		return err
	}
	if err := s.readQueues(ctx); err != nil {
		return err
	}
	if err := s.numberQueues(ctx); err != nil {
		return err
	}
	if err := s.setLimits(ctx); err != nil {
		return err
	}
	return s.listen(ctx)
}

func (s *Store) setLimits(ctx context.Context) error {
	if s.ro.KeepLimit {
		return nil
	}
	for _, n := range s.queues.all() {
		if _, err := s.run(ctx, "set the tenants' limit", s.queueCall("limit", n, -1, s.o.TenantRunning)); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for the calls under way and closes the connections. Later calls wait for the first.
func (s *Store) Close() error {
	s.closing.Lock()
	first := !s.leaving
	s.leaving = true
	s.closing.Unlock()
	if !first {
		<-s.done
		return nil
	}
	s.leave()
	s.closing.Lock()
	s.closed = true
	s.closing.Unlock()
	s.stop()
	s.behinds.Wait()
	for _, calls := range s.calls {
		close(calls)
	}
	s.piped.Wait()
	<-s.listening
	err := s.client.Close()
	s.waits.Close()
	close(s.done)
	if err != nil {
		return fmt.Errorf("close connections: %w", err)
	}
	return nil
}

// probeSize is about a large submission's size.
const probeSize = 64 << 10

// Ping writes what a large submission would, to the slot of the store's own keys.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.run(ctx, "ping", &call{
		script: s.scripts["ping"], keys: []string{s.keys.tag + "probe"}, args: []any{make([]byte, probeSize)}, acknowledged: true,
	})
	return err
}
