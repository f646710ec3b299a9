package boltstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"optimus/store"
)

// List gives a page of jobs, newest first: a merge of the indexes that the filter names.
func (s *Store) List(ctx context.Context, f store.Filter) (store.Page, error) {
	if f.Limit == 0 {
		f.Limit = store.DefaultListLimit
	}
	if f.Limit < 1 || f.Limit > store.MaxListLimit {
		return store.Page{}, fmt.Errorf("list: %w: a limit of %d, 1 to %d is allowed", store.ErrInvalid, f.Limit, store.MaxListLimit)
	}
	below, err := decodeCursor(f.Cursor)
	if err != nil {
		return store.Page{}, err
	}
	if end := idAt(f.Until); !f.Until.IsZero() && bytes.Compare(end[:], below[:]) < 0 {
		below = end
	}
	least := store.ID{}
	if !f.Since.IsZero() {
		least = idAt(f.Since)
	}
	var page store.Page
	err = s.read(ctx, func(v view) error {
		m, err := v.merge(f, least, below)
		if err != nil {
			return err
		}
		for id, ok := m.next(); ok; id, ok = m.next() {
			if len(page.Jobs) == f.Limit {
				page.Next = encodeCursor(page.Jobs[f.Limit-1].ID)
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

// idAt is below every id that is made at t or later, and above every earlier one's.
func idAt(t time.Time) (id store.ID) {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++ // a job's time is a whole millisecond
	}
	binary.BigEndian.PutUint64(id[:8], uint64(max(ms, 0))<<16)
	return id
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

// A cursor is the id of the last job shown, with a checksum, in base64.

func encodeCursor(id store.ID) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(id[:], crc32.ChecksumIEEE(id[:])))
}

// decodeCursor gives the id below which the page begins.
func decodeCursor(s string) (store.ID, error) {
	if s == "" {
		return store.ID(bytes.Repeat([]byte{0xff}, 16)), nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 20 || binary.BigEndian.Uint32(b[16:]) != crc32.ChecksumIEEE(b[:16]) {
		return store.ID{}, fmt.Errorf("%w: %.60q", store.ErrBadCursor, s)
	}
	return store.ID(b[:16]), nil
}
