package boltstore

import (
	"encoding/binary"

	"optimus/store"
)

// bucket numbers a bucket of the file or, where its name begins with "index/", a part of the
// bucket index; the package doc draws what each holds.
type bucket int

const (
	bucketMeta bucket = iota
	bucketQueues
	bucketNumbers
	bucketFigures
	bucketMinutes
	bucketJobs
	bucketPayloads
	bucketReports
	bucketEvents
	bucketPhases
	bucketTenants
	bucketBacklog
	bucketHeads
	bucketShares
	bucketDelayed
	bucketLeases
	bucketEnded
	bucketKeys
	bucketKeyEnds
	bucketWorkers
	bucketAPIKeys
	bucketCount
)

func bucketNames() [bucketCount]string {
	return [bucketCount]string{
		bucketMeta: "meta", bucketQueues: "queues", bucketNumbers: "numbers", bucketFigures: "figures",
		bucketMinutes: "minutes", bucketJobs: "jobs", bucketPayloads: "payloads",
		bucketReports: "reports", bucketEvents: "events", bucketPhases: "index/phases",
		bucketTenants: "index/tenants", bucketBacklog: "index/backlog", bucketHeads: "index/heads",
		bucketShares: "index/shares", bucketDelayed: "index/delayed", bucketLeases: "index/leases",
		bucketEnded: "index/ended", bucketKeys: "keys", bucketKeyEnds: "key_ends", bucketWorkers: "workers",
		bucketAPIKeys: "api_keys",
	}
}

// phase is a job's state as the indexes see it: a queued job is ready or delayed.
type phase byte

const (
	ready phase = iota
	delayed
	running
	completed
	failed
	cancelled
	phaseCount
)

// phasesOf are the phases of a state.
func phasesOf(s store.State) []phase {
	switch s {
	case store.Queued:
		return []phase{ready, delayed}
	case store.Running:
		return []phase{running}
	case store.Completed:
		return []phase{completed}
	case store.Failed:
		return []phase{failed}
	case store.Cancelled:
		return []phase{cancelled}
	}
	return nil
}

// Keys are made of fixed-width big-endian numbers and of texts behind their length, so that no
// key is a prefix of another's part, and all that belongs together lies together.

func number(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func appendText(k []byte, s string) []byte { return append(append(k, byte(len(s))), s...) } //nolint:gosec // at most store.MaxName, checked at submission

func appendPriority(k []byte, priority int) []byte { return append(k, priorityByte(priority)) }

// priorityByte puts the highest priority first.
func priorityByte(priority int) byte { return byte(store.MaxPriority - priority) } //nolint:gosec // 0 to 200, checked at submission

func priorityOf(b byte) int { return store.MaxPriority - int(b) }

// jobKey: queue, id. It orders a queue's jobs by age, in jobs, payloads and reports.
func jobKey(id store.ID) []byte { return append(number(id.Queue()), id[:]...) }

// eventKey: queue, id, sequence.
func eventKey(id store.ID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(jobKey(id), seq)
}

// phaseKey: queue, phase, id.
func phaseKey(p phase, id store.ID) []byte {
	return append(append(number(id.Queue()), byte(p)), id[:]...)
}

// tenantPrefix: queue, tenant. It is also the whole key of shares.
func tenantPrefix(queue uint16, tenant string) []byte { return appendText(number(queue), tenant) }

// tenantKey: queue, tenant, phase, id.
func tenantKey(tenant string, p phase, id store.ID) []byte {
	return append(append(tenantPrefix(id.Queue(), tenant), byte(p)), id[:]...)
}

// groupKey: queue, tenant, language, tier, priority: jobs among which order is age alone.
func groupKey(queue uint16, tenant string, l store.Lane, priority int) []byte {
	return appendPriority(appendLane(tenantPrefix(queue, tenant), l), priority)
}

func appendLane(k []byte, l store.Lane) []byte {
	return appendText(appendText(k, l.Language), string(l.Tier))
}

// laneKey: queue, language, tier: the beginning of a lane's heads.
func laneKey(queue uint16, l store.Lane) []byte { return appendLane(number(queue), l) }

// headKey: a lane's beginning, priority, virtual start, id.
func headKey(lane []byte, priority int, start uint64, id store.ID) []byte {
	k := append(make([]byte, 0, len(lane)+25), lane...)
	k = binary.BigEndian.AppendUint64(appendPriority(k, priority), start)
	return append(k, id[:]...)
}

// timeKey: queue, time, id, for delayed (wall clock) and leases (the queue's own clock).
func timeKey(t int64, id store.ID) []byte {
	k := binary.BigEndian.AppendUint64(number(id.Queue()), uint64(max(t, 0)))
	return append(k, id[:]...)
}

// endedKey: queue, 1 for a dead letter or 0, time, id.
func endedKey(deadLetter bool, t int64, id store.ID) []byte {
	k := append(number(id.Queue()), 0)
	if deadLetter {
		k[2] = 1
	}
	k = binary.BigEndian.AppendUint64(k, uint64(max(t, 0)))
	return append(k, id[:]...)
}

// minuteKey: queue, minutes since 1970.
func minuteKey(queue uint16, minute int64) []byte {
	return binary.BigEndian.AppendUint64(number(queue), uint64(max(minute, 0)))
}

// idemKey: tenant, key.
func idemKey(tenant, key string) []byte { return append(appendText(nil, tenant), key...) }

// idemEndKey: time, tenant, key.
func idemEndKey(t int64, tenant, key string) []byte {
	k := binary.BigEndian.AppendUint64(nil, uint64(max(t, 0)))
	return append(k, idemKey(tenant, key)...)
}

// idAtEnd is the id that a key ends with.
func idAtEnd(k []byte) store.ID { return store.ID(k[len(k)-16:]) }

// after is the first key behind all that begin with prefix; nil where there is none.
func after(prefix []byte) []byte {
	k := append([]byte(nil), prefix...)
	for i := len(k) - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			return k[:i+1]
		}
	}
	return nil
}
