package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

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

func (s *Store) metaCall(name string, args ...any) *call {
	return &call{script: s.scripts[name], keys: []string{s.keys.meta}, args: args}
}

// openSchema makes the store where there is none, and refuses keys that are not ours, or too new.
func (s *Store) openSchema(ctx context.Context) error {
	newest := len(s.steps)
	value, err := s.run(ctx, "open store", s.metaCall("open", formatName, newest, s.steps[newest-1].minReader))
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
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	if schema.MinReader > newest {
		return fmt.Errorf("open store: %w: it was written by a newer Optimus (it needs schema %d, this binary knows %d); start that version or a later one",
			store.ErrSchema, schema.MinReader, newest)
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

// Schema says in which form the store is.
func (s *Store) Schema(ctx context.Context) (store.Schema, error) {
	value, err := s.run(ctx, "read schema", s.metaCall("open", formatName, len(s.steps), s.steps[len(s.steps)-1].minReader))
	if err != nil {
		return store.Schema{}, err
	}
	list, err := asList("read schema", value)
	if err != nil {
		return store.Schema{}, err
	}
	schema, err := schemaOf(textAt(list, 1), textAt(list, 2))
	schema.Known = len(s.steps)
	return schema, err
}

// Upgrade brings the store into the newest form that this binary knows.
func (s *Store) Upgrade(ctx context.Context) (store.Schema, error) {
	schema, err := s.Schema(ctx)
	if err != nil {
		return schema, err
	}
	for i := schema.Written; i < len(s.steps); i++ {
		if run := s.steps[i].run; run != nil {
			if err := run(ctx, s); err != nil {
				return schema, fmt.Errorf("make schema %d: %w", i+1, err)
			}
		}
		if _, err := s.run(ctx, "note schema", s.metaCall("upgrade", i+1, s.steps[i].minReader)); err != nil {
			return schema, err
		}
	}
	return s.Schema(ctx)
}
