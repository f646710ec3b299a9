package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"optimus/store"
)

// List gives a page of jobs, newest first: a merge of the indexes that the filter names. The indexes
// are read one after the other: a job that changes its state meanwhile is shown as it is at the end, or,
// where it then is no job of the filter, not at all.
func (s *Store) List(ctx context.Context, f store.Filter) (store.Page, error) {
	f, below, least, err := f.Bounds()
	if err != nil {
		return store.Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return store.Page{}, fmt.Errorf("list: %w", err)
	}
	if s.isClosed() {
		return store.Page{}, store.ErrClosed
	}
	if err := s.readQueues(ctx); err != nil {
		return store.Page{}, err
	}
	m := &merge{s: s, chunk: int64(f.Limit) + 1, least: least}
	if err := m.open(ctx, f, below); err != nil {
		return store.Page{}, err
	}
	return m.page(ctx, f)
}

// merge walks several indexes backwards at once.
type merge struct {
	s       *Store
	chunk   int64
	least   store.ID
	sources []*source
}

// source is one index: the ids that were read and not yet taken, newest first.
type source struct {
	key   string
	ids   []store.ID
	below store.ID
	more  bool
}

// open finds the indexes that hold the filter's jobs.
func (m *merge) open(ctx context.Context, f store.Filter, below store.ID) error {
	var names []string
	if f.Queue != "" {
		names = []string{f.Queue}
	}
	for _, q := range m.s.queues.named(names) {
		for _, index := range indexes(f) {
			key := m.s.keys.queue(q) + index
			if f.Tenant != nil && index != "leases" {
				key += ":" + *f.Tenant
			}
			src := &source{key: key, below: below, more: true}
			m.sources = append(m.sources, src)
			if index != "leases" {
				continue
			}
			if err := m.running(ctx, src); err != nil {
				return err
			}
		}
	}
	return nil
}

// indexes are where a queue's jobs of the filter stand.
func indexes(f store.Filter) []string {
	has := func(st store.State) bool { return len(f.States) == 0 || slices.Contains(f.States, st) }
	var all []string
	switch {
	case has(store.Queued):
		all = append(all, "open") // among the running ones, which are not so many
	case has(store.Running):
		all = append(all, "leases")
	}
	for _, st := range []store.State{store.Completed, store.Failed, store.Cancelled} {
		if has(st) {
			all = append(all, string(st))
		}
	}
	return all
}

// running reads all leases, which stand by their ends.
func (m *merge) running(ctx context.Context, src *source) error {
	var answer *redis.StringSliceCmd
	err := m.s.read(ctx, "list", func(p redis.Pipeliner) { answer = p.ZRange(ctx, src.key, 0, -1) })
	if err != nil {
		return err
	}
	src.more = false
	for _, text := range answer.Val() {
		id, err := store.ParseID(text)
		if err != nil {
			return fmt.Errorf("list: %w: %w", store.ErrSchema, err)
		}
		if bytes.Compare(id[:], src.below[:]) < 0 && bytes.Compare(id[:], m.least[:]) >= 0 {
			src.ids = append(src.ids, id)
		}
	}
	slices.SortFunc(src.ids, func(a, b store.ID) int { return bytes.Compare(b[:], a[:]) })
	return nil
}

// fill reads on in the sources that have nothing left.
func (m *merge) fill(ctx context.Context) error {
	var empty []*source
	for _, src := range m.sources {
		if len(src.ids) == 0 && src.more {
			empty = append(empty, src)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	answers := make([]*redis.StringSliceCmd, len(empty))
	err := m.s.read(ctx, "list", func(p redis.Pipeliner) {
		for i, src := range empty {
			by := &redis.ZRangeBy{Max: "(" + src.below.String(), Min: "[" + m.least.String(), Count: m.chunk}
			answers[i] = p.ZRevRangeByLex(ctx, src.key, by)
		}
	})
	if err != nil {
		return err
	}
	for i, src := range empty {
		texts := answers[i].Val()
		src.more = int64(len(texts)) == m.chunk
		for _, text := range texts {
			id, err := store.ParseID(text)
			if err != nil {
				return fmt.Errorf("list: %w: %w", store.ErrSchema, err)
			}
			src.ids = append(src.ids, id)
			src.below = id
		}
	}
	return nil
}

// take gives the newest ids of all sources, at most n, each once; none at the end.
func (m *merge) take(ctx context.Context, n int) ([]store.ID, error) {
	var ids []store.ID
	for len(ids) < n {
		if err := m.fill(ctx); err != nil {
			return nil, err
		}
		var newest *source
		for _, src := range m.sources {
			if len(src.ids) > 0 && (newest == nil || bytes.Compare(src.ids[0][:], newest.ids[0][:]) > 0) {
				newest = src
			}
		}
		if newest == nil {
			break
		}
		if len(ids) == 0 || ids[len(ids)-1] != newest.ids[0] {
			ids = append(ids, newest.ids[0])
		}
		newest.ids = newest.ids[1:]
	}
	return ids, nil
}

// page collects the jobs of a page.
func (m *merge) page(ctx context.Context, f store.Filter) (page store.Page, err error) {
	for {
		ids, err := m.take(ctx, f.Limit+1-len(page.Jobs))
		if err != nil {
			return store.Page{}, err
		}
		if len(ids) == 0 {
			return page, nil
		}
		records, err := m.s.records(ctx, ids)
		if err != nil {
			return store.Page{}, err
		}
		for _, r := range records {
			if f.Tenant != nil && *f.Tenant != r.job.Tenant || len(f.States) > 0 && !slices.Contains(f.States, r.job.State) {
				continue
			}
			if len(page.Jobs) == f.Limit {
				page.Next = store.Cursor(page.Jobs[f.Limit-1].ID)
				return page, nil
			}
			page.Jobs = append(page.Jobs, r.job)
		}
	}
}

// records reads the records of jobs, in order; those that are gone are left out.
func (s *Store) records(ctx context.Context, ids []store.ID) ([]*record, error) {
	byQueue := map[uint16][]string{}
	for _, id := range ids {
		byQueue[id.Queue()] = append(byQueue[id.Queue()], id.String())
	}
	var answers []*redis.SliceCmd
	var asked [][]string
	err := s.read(ctx, "read jobs", func(p redis.Pipeliner) {
		answers, asked = nil, nil
		for q, texts := range byQueue {
			for _, where := range []string{"unfinished", "ended"} {
				answers = append(answers, p.HMGet(ctx, s.keys.queue(q)+where, texts...))
				asked = append(asked, texts)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var found []*record
	for i, texts := range asked {
		for k, v := range answers[i].Val() {
			raw, ok := v.(string)
			if !ok {
				continue
			}
			id, err := store.ParseID(texts[k])
			if err != nil {
				return nil, fmt.Errorf("read jobs: %w", err)
			}
			r, err := s.decodeRecord(id, raw)
			if err != nil {
				return nil, err
			}
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int {
		// Newest first; of two answers about one job the one after its end.
		return cmp.Or(bytes.Compare(b.job.ID[:], a.job.ID[:]), cmp.Compare(flag(a.job.Finished.IsZero()), flag(b.job.Finished.IsZero())))
	})
	return slices.CompactFunc(found, func(a, b *record) bool { return a.job.ID == b.job.ID }), nil
}
