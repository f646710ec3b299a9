package boltstore

import (
	"bytes"
	"context"

	"optimus/store"
)

// List gives a page of jobs, newest first: a merge of the indexes that the filter names.
func (s *Store) List(ctx context.Context, f store.Filter) (store.Page, error) {
	f, below, least, err := f.Bounds()
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	err = s.read(ctx, func(v view) error {
		m, err := v.merge(f, least, below)
		if err != nil {
			return err
		}
		for id, ok := m.next(); ok; id, ok = m.next() {
			if len(page.Jobs) == f.Limit {
				page.Next = store.Cursor(page.Jobs[f.Limit-1].ID)
				return nil
			}
			r, err := v.record(id)
			if err != nil {
				return err
			}
			page.Jobs = append(page.Jobs, r.Job)
		}
		return nil
	})
	return page, err
}

// merge walks several indexes backwards at once.
type merge struct {
	sources []*source
}

// source is one index below a prefix, after which its keys are ids.
type source struct {
	cursor cursor
	prefix []byte
	least  store.ID
	id     store.ID
	ok     bool
}

// merge opens the indexes that hold the filter's jobs.
func (v view) merge(f store.Filter, least, below store.ID) (*merge, error) {
	queues, err := loadCatalogue(v, nil)
	if err != nil {
		return nil, err
	}
	var names []string
	if f.Queue != "" {
		names = []string{f.Queue}
	}
	m := &merge{}
	add := func(n bucket, prefix []byte) {
		src := &source{cursor: v.table(n).cursor(), prefix: prefix, least: least}
		src.stand(src.cursor.before(append(bytes.Clone(prefix), below[:]...)))
		if src.ok {
			m.sources = append(m.sources, src)
		}
	}
	for _, q := range queues.named(names) {
		for _, prefix := range prefixes(q.number, f) {
			add(prefix.bucket, prefix.key)
		}
	}
	return m, nil
}

type prefix struct {
	bucket bucket
	key    []byte
}

// prefixes are where a queue's jobs of the filter are indexed.
func prefixes(queue uint16, f store.Filter) []prefix {
	states := f.States
	if len(states) == 0 {
		if f.Tenant == nil {
			return []prefix{{bucketJobs, number(queue)}}
		}
		states = store.States()
	}
	var all []prefix
	done := make(map[phase]bool)
	for _, s := range states {
		for _, p := range phasesOf(s) {
			if done[p] {
				continue
			}
			done[p] = true
			if f.Tenant == nil {
				all = append(all, prefix{bucketPhases, append(number(queue), byte(p))})
			} else if len(*f.Tenant) <= store.MaxName {
				all = append(all, prefix{bucketTenants, append(tenantPrefix(queue, *f.Tenant), byte(p))})
			}
		}
	}
	return all
}

// stand notes where the cursor is.
func (src *source) stand(k, _ []byte) {
	src.ok = bytes.HasPrefix(k, src.prefix) && bytes.Compare(k[len(src.prefix):], src.least[:]) >= 0
	if src.ok {
		src.id = idAtEnd(k)
	}
}

// next is the newest job of all sources.
func (m *merge) next() (store.ID, bool) {
	var newest *source
	for _, src := range m.sources {
		if src.ok && (newest == nil || bytes.Compare(src.id[:], newest.id[:]) > 0) {
			newest = src
		}
	}
	if newest == nil {
		return store.ID{}, false
	}
	id := newest.id
	newest.stand(newest.cursor.prev())
	return id, true
}
