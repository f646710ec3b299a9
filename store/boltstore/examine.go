package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"optimus/store"
)

// examiner compares everything in the file with the jobs' records: whatever an index, a figure or
// a counter says must follow from them.
type examiner struct {
	view

	queues *catalogue
	faults []string
	more   int
	jobs   int
	// entries counts what the jobs must have in each bucket.
	entries [bucketCount]int
	// counts, bytes, last and running are what the figures and shares must say.
	counts  map[uint16]*[phaseCount]int
	bytes   map[uint16]int64
	last    map[uint16]store.ID
	running map[string]uint32
}

// maxFaultsTold is how many faults are put into words.
const maxFaultsTold = 20

func (e *examiner) fault(format string, args ...any) {
	if len(e.faults) >= maxFaultsTold {
		e.more++
		return
	}
	e.faults = append(e.faults, fmt.Sprintf(format, args...))
}

// examine gives what is wrong with the layout.
func (v view) examine() (*examiner, error) {
	queues, err := loadCatalogue(v, nil)
	if err != nil {
		return nil, err
	}
	e := &examiner{
		view: v, queues: queues, counts: map[uint16]*[phaseCount]int{}, bytes: map[uint16]int64{},
		last: map[uint16]store.ID{}, running: map[string]uint32{},
	}
	for _, q := range queues.sorted() {
		e.counts[q.number] = &[phaseCount]int{}
	}
	for _, look := range []func() error{e.eachJob, e.eachEvent, e.eachKey, e.eachShare, e.eachHead, e.eachEntry, e.eachQueue, e.eachAPIKey} {
		if err := look(); err != nil {
			return nil, err
		}
	}
	if e.more > 0 {
		e.faults = append(e.faults, fmt.Sprintf("and %d more", e.more))
	}
	return e, nil
}

// eachJob reads every record, and looks up what there must be of it elsewhere.
func (e *examiner) eachJob() error {
	return e.table(bucketJobs).each(func(k, raw []byte) error {
		r, err := decodeRecord(raw)
		if err != nil || len(k) != len(jobKey(r.ID)) || !bytes.Equal(k, jobKey(r.ID)) {
			e.fault("the record of job %s cannot be read", idOf(k))
			return nil //nolint:nilerr // it is told
		}
		number := r.ID.Queue()
		if e.counts[number] == nil {
			e.fault("job %s is of queue number %d, which there is not", r.ID, number)
			return nil
		}
		e.jobs++
		e.entries[bucketEvents] += r.Events
		e.counts[number][r.phase()]++
		if !r.State.Terminal() {
			e.bytes[number] += r.Size
		}
		if last := e.last[number]; bytes.Compare(last[:], r.ID[:]) < 0 {
			e.last[number] = r.ID
		}
		e.has(bucketPayloads, jobKey(r.ID), r)
		e.has(bucketPhases, phaseKey(r.phase(), r.ID), r)
		e.has(bucketTenants, tenantKey(r.Tenant, r.phase(), r.ID), r)
		e.hasOfPhase(r)
		if size := int64(len(e.get(bucketPayloads, k))); size != r.Size {
			e.fault("the submission of job %s has %d bytes, its record says %d", r.ID, size, r.Size)
		}
		return nil
	})
}

// eachAPIKey reads the API keys, of a file that has a place for them.
func (e *examiner) eachAPIKey() error {
	if e.tx.Bucket([]byte(laterBucket())) == nil {
		return nil
	}
	return e.table(bucketAPIKeys).each(func(id, raw []byte) error {
		if k, err := store.DecodeAPIKey(raw); err != nil || k.ID != string(id) || k.Validate() != nil {
			e.fault("the record of API key %.70q cannot be read", id)
		}
		return nil
	})
}

// hasOfPhase looks up what a job has in its phase alone.
func (e *examiner) hasOfPhase(r *record) {
	switch p := r.phase(); p {
	case ready:
		e.has(bucketBacklog, append(groupKey(r.ID.Queue(), r.Tenant, r.Lane, r.Priority), r.ID[:]...), r)
	case delayed:
		e.has(bucketDelayed, timeKey(r.NotBefore.UnixNano(), r.ID), r)
	case running:
		e.has(bucketLeases, timeKey(r.LeaseEnds, r.ID), r)
		e.running[string(tenantPrefix(r.ID.Queue(), r.Tenant))]++
	case completed, failed, cancelled, phaseCount:
		e.has(bucketEnded, endedKey(p == failed, r.Finished.UnixNano(), r.ID), r)
		e.has(bucketReports, jobKey(r.ID), r)
	}
}

// has looks up an entry that a job must have.
func (e *examiner) has(n bucket, k []byte, r *record) {
	e.entries[n]++
	if !e.there(n, k) {
		e.fault("job %s, which is %s, is not in %s", r.ID, r.State, bucketNames()[n])
	}
}

// there tells whether the key is there, with an empty value too.
func (v view) there(n bucket, k []byte) bool {
	got, _ := v.table(n).cursor().seek(k)
	return bytes.Equal(got, k) && got != nil
}

// eachEntry compares the numbers of entries: where there are more than the jobs have, it names the
// others.
func (e *examiner) eachEntry() error {
	for _, n := range []bucket{
		bucketPayloads, bucketReports, bucketPhases, bucketTenants, bucketBacklog, bucketDelayed, bucketLeases, bucketEnded,
	} {
		got := 0
		var ids []store.ID
		err := e.table(n).each(func(k, _ []byte) error {
			got++
			if id := idOf(k); e.get(bucketJobs, jobKey(id)) == nil && len(ids) < maxFaultsTold {
				ids = append(ids, id)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			e.fault("%s names job %s, which there is not", bucketNames()[n], id)
		}
		if got != e.entries[n] {
			e.fault("%s has %d entries, the jobs make %d", bucketNames()[n], got, e.entries[n])
		}
	}
	return nil
}

// eachEvent compares each job's events with what its record says of them.
func (e *examiner) eachEvent() error {
	var id store.ID
	var n, all int
	var size int64
	var last uint64
	told := func() {
		if n == 0 {
			return
		}
		r, err := e.record(id)
		switch {
		case err != nil:
			e.fault("there are events of job %s, which there is not", id)
		case r.Events != n || r.EventBytes != size || r.Seq < last:
			e.fault("job %s has %d events of %d bytes up to number %d, its record says %d of %d bytes up to %d",
				id, n, size, last, r.Events, r.EventBytes, r.Seq)
		}
	}
	err := e.table(bucketEvents).each(func(k, val []byte) error {
		if len(k) != len(eventKey(id, 0)) || len(val) < eventHeader {
			e.fault("the event %x cannot be read", k)
			return nil
		}
		if of := idOf(k[:len(k)-8]); of != id {
			told()
			id, n, size = of, 0, 0
		}
		n++
		all++
		size += int64(len(val) - eventHeader)
		last = binary.BigEndian.Uint64(k[len(k)-8:])
		return nil
	})
	told()
	if want := e.entries[bucketEvents]; all != want {
		e.fault("there are %d events, the jobs say %d", all, want)
	}
	return err
}

// eachKey compares the idempotency keys with their jobs and with the times at which they end.
func (e *examiner) eachKey() error {
	keys, ends := 0, 0
	err := e.table(bucketKeys).each(func(k, val []byte) error {
		keys++
		if len(val) != idemValue {
			e.fault("the idempotency key %q cannot be read", k)
			return nil
		}
		id := store.ID(val[:16])
		tenant, key := cutText(k)
		if r, err := e.record(id); err != nil || r.Tenant != tenant || r.Key != string(key) {
			e.fault("the idempotency key %q is of job %s, which has it not", key, id)
		}
		if !e.there(bucketKeyEnds, idemEndKey(endOfKey(val), tenant, string(key))) {
			e.fault("the idempotency key %q has no end", key)
		}
		return nil
	})
	if err == nil {
		err = e.table(bucketKeyEnds).each(func([]byte, []byte) error { ends++; return nil })
	}
	if keys != ends {
		e.fault("there are %d idempotency keys, and ends of %d", keys, ends)
	}
	return err
}

// eachShare compares the tenants' shares with what runs.
func (e *examiner) eachShare() error {
	seen := 0
	err := e.table(bucketShares).each(func(k, raw []byte) error {
		want := e.running[string(k)]
		if want > 0 {
			seen++
		}
		if len(raw) < 4 || binary.BigEndian.Uint32(raw) != want {
			e.fault("the share %q says %x, %d of its jobs run", k[2:], raw, want)
		}
		return nil
	})
	if seen != len(e.running) {
		e.fault("%d tenants have running jobs, %d have a share", len(e.running), seen)
	}
	return err
}

// eachHead compares the heads with the backlog: a head is the oldest of its group, and only where
// tenants are limited may a group have none.
func (e *examiner) eachHead() error {
	limit := e.get(bucketMeta, []byte(metaTenantLimit))
	limited := len(limit) == 8 && binary.BigEndian.Uint64(limit) > 0
	heads, got := 0, 0
	var group []byte
	err := e.table(bucketBacklog).each(func(k, raw []byte) error {
		if len(k) < 16 || len(raw) != 8 && len(raw) != 16 {
			e.fault("the backlog's entry %x cannot be read", k)
			return nil
		}
		g := k[:len(k)-16]
		first := !bytes.Equal(g, group)
		group = bytes.Clone(g)
		entry := decodeEntry(raw)
		if !entry.head {
			if first && !limited {
				e.fault("job %s is the oldest of its group, and not its head", idOf(k))
			}
			return nil
		}
		heads++
		_, lane, priority := splitGroup(g)
		at := headKey(laneKey(binary.BigEndian.Uint16(k), lane), priority, entry.start, idOf(k))
		if !first || e.get(bucketHeads, at) == nil {
			e.fault("job %s is a head: it is the oldest %t, it is in its lane %t", idOf(k), first, e.get(bucketHeads, at) != nil)
		}
		return nil
	})
	if err == nil {
		err = e.table(bucketHeads).each(func([]byte, []byte) error { got++; return nil })
	}
	if got != heads {
		e.fault("there are %d heads, the backlog has %d", got, heads)
	}
	return err
}

// eachQueue compares the figures of the queues, and their names with their numbers.
func (e *examiner) eachQueue() error {
	for _, q := range e.queues.sorted() {
		if want := *e.counts[q.number]; q.Counts != want {
			e.fault("queue %q says that its jobs are %v by phase, they are %v", q.Name, q.Counts, want)
		}
		if want := e.bytes[q.number]; q.Bytes != want {
			e.fault("queue %q says that its unfinished jobs hold %d bytes, they hold %d", q.Name, q.Bytes, want)
		}
		if last := e.last[q.number]; bytes.Compare(q.LastID[:], last[:]) < 0 {
			e.fault("queue %q says that its last job was %s, it has %s", q.Name, q.LastID, last)
		}
		if got := e.get(bucketNumbers, []byte(q.Name)); !bytes.Equal(got, number(q.number)) {
			e.fault("queue %q has number %d, its name has %x", q.Name, q.number, got)
		}
	}
	for _, n := range []bucket{bucketNumbers, bucketFigures} {
		got := 0
		if err := e.table(n).each(func([]byte, []byte) error { got++; return nil }); err != nil {
			return err
		}
		if queues := len(e.queues.byNumber); got != queues {
			e.fault("there are %d queues, and %d of %s", queues, got, bucketNames()[n])
		}
	}
	return nil
}

// idOf is the id at the end of a key, or none where the key is too short.
func idOf(k []byte) store.ID {
	if len(k) < 16 {
		return store.ID(append(slices.Clone(k), make([]byte, 16-len(k))...))
	}
	return idAtEnd(k)
}
