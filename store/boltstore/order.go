package boltstore

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"time"

	"optimus/sandbox"
	"optimus/store"
)

// A group is the ready jobs of one tenant, lane and priority: among them age alone decides. The
// bucket backlog holds every ready job under its group; heads holds the oldest of each group
// under its lane, by priority, virtual start and id. A backlog entry's value is the time since
// when the job is ready and, for a head, its virtual start. A tenant at its running limit has
// no heads: they go when a claim meets them, and come back when one of its jobs ends.

// entry is a backlog entry's value.
type entry struct {
	since int64
	head  bool
	start uint64
}

func (e entry) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(max(e.since, 0)))
	if e.head {
		b = binary.BigEndian.AppendUint64(b, e.start)
	}
	return b
}

func decodeEntry(b []byte) entry {
	e := entry{since: int64(binary.BigEndian.Uint64(b)), head: len(b) > 8} //nolint:gosec // was not negative
	if e.head {
		e.start = binary.BigEndian.Uint64(b[8:])
	}
	return e
}

// share is what a tenant has of a queue, in the bucket shares.
type share struct {
	running uint32
	// finish is the virtual time at which, by priority, its last claimed job ends.
	finish map[int]uint64
}

func (b *batch) share(q *queue, tenant string) share {
	sh := share{finish: map[int]uint64{}}
	raw := b.get(bucketShares, tenantPrefix(q.number, tenant))
	if raw == nil {
		return sh
	}
	sh.running = binary.BigEndian.Uint32(raw)
	for raw = raw[4:]; len(raw) >= 9; raw = raw[9:] {
		sh.finish[priorityOf(raw[0])] = binary.BigEndian.Uint64(raw[1:])
	}
	return sh
}

// saveShare writes what of the share still means something.
func (b *batch) saveShare(q *queue, tenant string, sh share) {
	raw := binary.BigEndian.AppendUint32(nil, sh.running)
	for priority, f := range sh.finish {
		if f > q.Virtual[priority] {
			raw = binary.BigEndian.AppendUint64(appendPriority(raw, priority), f)
		}
	}
	k := tenantPrefix(q.number, tenant)
	if sh.running == 0 && len(raw) == 4 {
		b.delete(bucketShares, k)
		return
	}
	b.put(bucketShares, k, raw)
}

// forgetShares drops the shares that are as good as none.
func (b *batch) forgetShares(q *queue) {
	for _, k := range b.keys(bucketShares, number(q.number), math.MaxInt) {
		tenant, _ := cutText(k[2:])
		sh := b.share(q, tenant)
		maps.DeleteFunc(sh.finish, func(priority int, f uint64) bool { return f <= q.Virtual[priority] })
		if sh.running == 0 && len(sh.finish) == 0 {
			b.delete(bucketShares, k)
		}
	}
}

func (b *batch) atLimit(sh share) bool {
	limit := b.s.o.TenantRunning
	return limit > 0 && int64(sh.running) >= int64(limit)
}

// start is the virtual start time of a job of the tenant that becomes a head now.
func (q *queue) start(sh share, priority int) uint64 {
	return max(q.Virtual[priority], sh.finish[priority])
}

// makeReady puts the job into its lane.
func (b *batch) makeReady(q *queue, r *record) {
	g := groupKey(q.number, r.Tenant, r.Lane, r.Priority)
	k := append(bytes.Clone(g), r.ID[:]...)
	e := entry{since: b.now.UnixNano()}
	first, raw := b.first(bucketBacklog, g)
	sh := b.share(q, r.Tenant)
	if !b.atLimit(sh) {
		b.wake(q, r.Lane)
	}
	switch {
	case first == nil:
		if !b.atLimit(sh) {
			e.head, e.start = true, q.start(sh, r.Priority)
		}
	case bytes.Compare(k, first) < 0:
		// Older than the group's head: it takes its place.
		old, key := decodeEntry(raw), bytes.Clone(first)
		if old.head {
			b.delete(bucketHeads, headKey(laneKey(q.number, r.Lane), r.Priority, old.start, idAtEnd(key)))
			e.head, e.start = true, old.start
			b.put(bucketBacklog, key, entry{since: old.since}.encode())
		}
	}
	b.put(bucketBacklog, k, e.encode())
	if e.head {
		b.putHead(q, r.Tenant, r.Lane, r.Priority, e.start, r.ID)
	}
}

func (b *batch) putHead(q *queue, tenant string, l store.Lane, priority int, start uint64, id store.ID) {
	b.put(bucketHeads, headKey(laneKey(q.number, l), priority, start, id), appendText(nil, tenant))
}

// unready takes the job out of its lane, and says since when it was ready.
func (b *batch) unready(q *queue, r *record) time.Time {
	g := groupKey(q.number, r.Tenant, r.Lane, r.Priority)
	k := append(bytes.Clone(g), r.ID[:]...)
	raw := b.get(bucketBacklog, k)
	if raw == nil {
		panic("a ready job is in no lane: " + r.ID.String()) // recovered, and told as damage
	}
	e := decodeEntry(raw)
	b.delete(bucketBacklog, k)
	if e.head {
		b.delete(bucketHeads, headKey(laneKey(q.number, r.Lane), r.Priority, e.start, r.ID))
		b.promote(q, g)
	}
	return time.Unix(0, e.since).UTC()
}

// promote makes the oldest of the group its head, unless it has one, is empty, or its tenant is
// at the limit. It tells whether it did.
func (b *batch) promote(q *queue, group []byte) bool {
	k, raw := b.first(bucketBacklog, group)
	if k == nil {
		return false
	}
	e := decodeEntry(raw)
	tenant, lane, priority := splitGroup(group)
	sh := b.share(q, tenant)
	if e.head || b.atLimit(sh) {
		return false
	}
	key := bytes.Clone(k)
	e.head, e.start = true, q.start(sh, priority)
	b.put(bucketBacklog, key, e.encode())
	b.putHead(q, tenant, lane, priority, e.start, idAtEnd(key))
	return true
}

// wake lets one worker that waits for the lane look, once this is committed.
func (b *batch) wake(q *queue, l store.Lane) {
	if !q.Paused {
		b.woken = append(b.woken, l)
	}
}

// admit promotes in every group whose key begins with prefix.
func (b *batch) admit(q *queue, prefix []byte) {
	k, _ := b.first(bucketBacklog, prefix)
	for k != nil {
		group := bytes.Clone(k[:len(k)-16])
		if b.promote(q, group) {
			_, lane, _ := splitGroup(group)
			b.wake(q, lane)
		}
		if k, _ = b.table(bucketBacklog).cursor().seek(after(group)); !bytes.HasPrefix(k, prefix) {
			return
		}
	}
}

// splitGroup reads what groupKey has written.
func splitGroup(g []byte) (tenant string, l store.Lane, priority int) {
	tenant, rest := cutText(g[2:])
	l.Language, rest = cutText(rest)
	tier, rest := cutText(rest)
	l.Tier = sandbox.Tier(tier)
	return tenant, l, priorityOf(rest[0])
}

func cutText(b []byte) (string, []byte) {
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:]
}

// head is a lane's best job.
type head struct {
	lane     store.Lane
	key      []byte
	priority int
	start    uint64
	id       store.ID
	tenant   string
}

// best is the queue's best job among the lanes. On the way it puts right what has changed since
// the heads were made: a tenant that has reached its limit, or was served in another lane.
func (b *batch) best(q *queue, lanes []store.Lane) (head, bool) {
	for {
		h, ok := b.least(q, lanes)
		if !ok {
			return head{}, false
		}
		sh := b.share(q, h.tenant)
		current := q.start(sh, h.priority)
		stale := h.start < sh.finish[h.priority]
		if !b.atLimit(sh) && !stale {
			return h, true
		}
		b.delete(bucketHeads, h.key)
		k := append(groupKey(q.number, h.tenant, h.lane, h.priority), h.id[:]...)
		e := entry{since: decodeEntry(b.get(bucketBacklog, k)).since}
		if !b.atLimit(sh) {
			e.head, e.start = true, current
			b.putHead(q, h.tenant, h.lane, h.priority, current, h.id)
		}
		b.put(bucketBacklog, k, e.encode())
	}
}

// least is the first head by priority, virtual start and id.
func (b *batch) least(q *queue, lanes []store.Lane) (head, bool) {
	var least, tenant, prefix []byte
	var lane store.Lane
	for _, l := range lanes {
		p := laneKey(q.number, l)
		k, v := b.first(bucketHeads, p)
		if k != nil && (least == nil || bytes.Compare(k[len(p):], least[len(prefix):]) < 0) {
			least, tenant, prefix, lane = k, v, p, l
		}
	}
	if least == nil {
		return head{}, false
	}
	h := head{lane: lane, key: bytes.Clone(least), id: idAtEnd(least)}
	h.priority = priorityOf(least[len(prefix)])
	h.start = binary.BigEndian.Uint64(least[len(prefix)+1:])
	h.tenant, _ = cutText(tenant)
	return h, true
}

// serve notes that a tenant is served with one of its jobs, which was a head with this start.
func (b *batch) serve(q *queue, r *record, start uint64) {
	sh := b.share(q, r.Tenant)
	sh.running++
	sh.finish[r.Priority] = max(start, sh.finish[r.Priority]) + 1
	q.Virtual[r.Priority] = max(q.Virtual[r.Priority], start)
	q.changed = true
	b.saveShare(q, r.Tenant, sh)
}

// release notes that a job of the tenant runs no more.
func (b *batch) release(q *queue, tenant string) {
	sh := b.share(q, tenant)
	was := b.atLimit(sh)
	if sh.running > 0 {
		sh.running--
	}
	b.saveShare(q, tenant, sh)
	if was && !b.atLimit(sh) {
		b.admit(q, tenantPrefix(q.number, tenant))
	}
}
