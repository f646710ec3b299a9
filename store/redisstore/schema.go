package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"optimus/store"
)

// formatName tells our keys from another program's.
const formatName = "optimus store"

// migration brings the keys from one schema to the next.
type migration struct {
	// minReader is the least schema that a reader of the new form must know.
	minReader int
	// run, where not nil, brings what is kept into the new form; it may be repeated, and others use the
	// store meanwhile.
	run func(context.Context, *Store) error
}

// migrations are all that there are. A new one is appended, with a test, and nothing of an old one
// changes. A new store gets all of them, any other only those that it has until [Store.Upgrade]: till
// then code must write the form that it finds.
func migrations() []migration { return []migration{{minReader: 1}} }

// The fields of meta, beside format.
const (
	metaWritten   = "written"
	metaMinReader = "min_reader"
)

func (s *Store) metaCall(name string, args ...any) *call {
	return &call{script: s.scripts[name], keys: []string{s.keys.meta}, args: args}
}

// newest is the newest schema that this binary knows.
func (s *Store) newest() int { return len(s.steps) }

// openSchema makes the store where there is none, and refuses keys that are not ours, or too new.
func (s *Store) openSchema(ctx context.Context) error {
	value, err := s.run(ctx, "open store", s.metaCall("open", formatName, s.newest(), s.steps[s.newest()-1].minReader))
	if err != nil {
		return err
	}
	list, err := asList("open store", value)
	if err != nil {
		return err
	}
	if textAt(list, 0) != formatName {
		return fmt.Errorf("open store: %w: key %s is another program's; give another prefix", store.ErrSchema, s.keys.meta)
	}
	schema, err := schemaOf(textAt(list, 1), textAt(list, 2))
	if err == nil && schema.MinReader > s.newest() {
		err = tooNew(schema.MinReader, s.newest())
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	return nil
}

func schemaOf(written, minReader string) (s store.Schema, err error) {
	var errs [2]error
	s.Written, errs[0] = strconv.Atoi(written)
	s.MinReader, errs[1] = strconv.Atoi(minReader)
	if err := errors.Join(errs[:]...); err != nil {
		return s, fmt.Errorf("%w: its schema number cannot be read: %w", store.ErrSchema, err)
	}
	return s, nil
}

func tooNew(needed, known int) error {
	return fmt.Errorf("%w: it was written by a newer Optimus (it needs schema %d, this binary knows %d); start that version or a later one",
		store.ErrSchema, needed, known)
}

// refusal is why a process may not use the store any more that it has opened: a newer one has upgraded it.
type refusal struct {
	once sync.Once
	err  error
	told chan struct{} // closed once err is set
}

// refuse ends the use of the store by this process, which knows too little. It is from then on as if it
// were closed.
func (s *Store) refuse(needed int) error {
	s.refusal.once.Do(func() {
		s.refusal.err = fmt.Errorf("%w: %w", store.ErrClosed, tooNew(needed, s.newest()))
		close(s.refusal.told)
	})
	return s.refusal.err
}

// refused says why the store may not be used any more; nil where it may.
func (s *Store) refused() error {
	select {
	case <-s.refusal.told:
		return s.refusal.err
	default:
		return nil
	}
}

// Outdated waits until the store was upgraded beyond what this binary can read, and says that with an
// error that wraps [store.ErrSchema]. By then all calls fail with it. nil: ctx has ended before.
func (s *Store) Outdated(ctx context.Context) error {
	select {
	case <-s.refusal.told:
		return s.refusal.err
	case <-ctx.Done():
		return nil
	}
}

// outdatedReply begins what a script answers that a queue's fence keeps out, before the least schema that
// it lets in.
const outdatedReply = "SCHEMA"

// outdated gives the error that such an answer stands for.
func (s *Store) outdated(reply string) error {
	needed := s.newest() + 1
	if words := strings.Fields(reply); len(words) > 1 {
		if n, err := strconv.Atoi(words[1]); err == nil {
			needed = n
		}
	}
	return s.refuse(needed)
}

// checkSchema looks at what meta says, written and min_reader, and ends the use of the store where that is
// too new. A server that has lost it says nothing.
func (s *Store) checkSchema(meta []any) error {
	written, minReader := textAt(meta, 0), textAt(meta, 1)
	if written == "" && minReader == "" {
		return nil
	}
	schema, err := schemaOf(written, minReader)
	if err == nil && schema.MinReader > s.newest() {
		err = s.refuse(schema.MinReader)
	}
	return err
}

// Schema says in which form the store is.
func (s *Store) Schema(ctx context.Context) (store.Schema, error) {
	value, err := s.run(ctx, "read schema", s.metaCall("open", formatName, s.newest(), s.steps[s.newest()-1].minReader))
	if err != nil {
		return store.Schema{}, err
	}
	list, err := asList("read schema", value)
	if err != nil {
		return store.Schema{}, err
	}
	schema, err := schemaOf(textAt(list, 1), textAt(list, 2))
	schema.Known = s.newest()
	return schema, err
}

// Upgrade brings the store into the newest form that this binary knows. Processes that cannot read it are
// kept out before anything is written in it: see the package doc.
func (s *Store) Upgrade(ctx context.Context) (store.Schema, error) {
	schema, err := s.Schema(ctx)
	if err != nil {
		return schema, err
	}
	for i := schema.Written; i < s.newest(); i++ {
		if err := s.keepOut(ctx, s.steps[i].minReader); err != nil {
			return schema, fmt.Errorf("keep older versions out of schema %d: %w", i+1, err)
		}
		if run := s.steps[i].run; run != nil {
			if err := run(ctx, s); err != nil {
				return schema, fmt.Errorf("make schema %d: %w", i+1, err)
			}
		}
		if err := s.noteSchema(ctx, i+1, s.steps[i].minReader); err != nil {
			return schema, err
		}
	}
	return s.Schema(ctx)
}

func (s *Store) noteSchema(ctx context.Context, written, minReader int) error {
	c := s.metaCall("upgrade", written, minReader, s.keys.newsChannel)
	c.acknowledged = true
	_, err := s.run(ctx, "note schema", c)
	return err
}

// keepOut has no process change a job from now on that knows less than a schema. It may be repeated.
func (s *Store) keepOut(ctx context.Context, minReader int) error {
	if minReader <= 1 { // which every version knows
		return nil
	}
	// Whoever learns of a queue after this learns of this too, so the queues that are known now are all
	// that an older process may still change.
	if err := s.noteSchema(ctx, 0, minReader); err != nil {
		return err
	}
	if err := s.readQueues(ctx); err != nil {
		return err
	}
	return s.eachQueue(ctx, s.queues.all(), "fence", func(q uint16) *call {
		c := s.queueCall("fence", q, -1, minReader, s.o.TenantRunning)
		c.acknowledged = true
		return c
	}, func(uint16, []any) {})
}
