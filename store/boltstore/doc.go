// Package boltstore keeps jobs and queues in one bbolt file, for a process that is server and
// worker in one. See [Open].
//
// # The file
//
// Below are its buckets, with what their keys and values are made of. Numbers are big-endian:
// queue 2 bytes; minute, seq, start and time 8; phase, priority (the highest is 0) and kind 1;
// id 16. Texts stand behind their length in one byte, those with … fill the rest. The indexes
// share one bucket, in which each has its first letter before its keys: for lists, for the order
// of claims, and for the times at which something is due.
//
//	meta           name…                                     → text
//	queues         queue                                     → JSON: name, whether it is paused or draining
//	numbers        name…                                     → queue
//	figures        queue                                     → JSON: clock, counts, totals, current minute, virtual times
//	minutes        queue minute                              → JSON: counters
//	jobs           queue id                                  → JSON: the job without what follows
//	payloads       queue id                                  → JSON: the submission, written once
//	reports        queue id                                  → JSON: the report, written once
//	events         queue id seq                              → type, time, data
//	index/phases   queue phase id                            →
//	index/tenants  queue tenant phase id                     →
//	index/backlog  queue tenant language tier priority id    → since, and start of a head
//	index/heads    queue language tier priority start id     → tenant
//	index/shares   queue tenant                              → running, and for priorities a time
//	index/delayed  queue time id                             →
//	index/leases   queue time id                             →
//	index/ended    queue kind time id                        →
//	keys           tenant key…                               → id, hash, time
//	key_ends       time tenant key…                          →
//	workers        name…                                     → JSON
//	api_keys       name…                                     → JSON: the API key of that id, its secret as a hash
//
// # Writing
//
// One goroutine writes. It takes all operations that wait, runs them in one transaction, and
// answers each with its own result once that is on the disk, so that many clients share one
// wait for it. An operation checks before it writes: one that is refused has written nothing.
// Where the file itself fails one of them, the transaction is given up and each is run in one
// of its own.
//
// Claims, renewals, progress and heartbeats are answered before their transaction is on the
// disk, since none is a promise to a client: should that commit fail, the claim is a lost
// lease. Readers wait for that commit, so that they see what was answered. A job whose
// submission is part of the same transaction is not claimed early: only durable jobs are.
//
// A commit that fails (the disk is full) fails its operations with [store.ErrUnavailable] and
// leaves the file as it was; the next one may succeed. Ping tries.
//
// # Order
//
// Ready jobs of one tenant, lane and priority form a group, in which age decides. The head of
// each group stands in its lane, by priority, virtual start time and age; a claim takes the
// best head of the lanes named. The virtual time of a queue and priority is the start of the
// job last claimed there; a job that becomes head starts at that time, or where its tenant's
// last claimed job ends, one unit after that one's start, whichever is later (start-time fair
// queueing). A tenant at its running limit has no heads: a claim that meets one takes it away,
// and they come back when a job of the tenant stops running. Between queues priority decides,
// then whose turn it is.
//
// # Leases and their clock
//
// Each queue has a clock. Every operation on the queue first moves it by what the wall clock has
// moved since the one before, never below 0 nor above [store.MaxClockStep]. More than that
// between two operations of one process is an outage: the process was frozen, the disk refused
// writes, the clock jumped. The sweeper must therefore run every few seconds, far more often
// than MaxClockStep; where it does not, leases last longer than they say, never shorter.
//
//   - A lease runs out when the queue's clock reaches its end. From then on it is lost; the
//     next sweep puts the job back.
//   - An outage since its last renewal gives a lease its whole length again, from the end of
//     the outage.
//   - An expiry counts as an attempt, unless there was an outage since the last renewal, or the
//     worker's heartbeat is current and this worker had started before the attempt did. As many
//     expiries are pardoned as the job has attempts, so that none goes round for ever.
//   - A lease ends with the process that had the file open, of which its holder was a part: that
//     the file could be locked proves that this process is gone. The first sweep after that puts
//     the job back.
//   - The clock stands still while no process has the file open, and the first operation after
//     that sees no outage: the end of such a lease counts. So a job that kills the process that
//     runs it becomes a dead letter after its attempts, with the reason of each.
//
// Delays, retention, heartbeats and idempotency keys go by the wall clock.
//
// # Copies
//
// An export reads a copy of the file, which is made beside it, in one transaction, and has no name:
// whoever reads slowly holds up nobody. It needs as much room as the file; where it cannot be made
// the file itself is read. An import runs in the writer's transactions, a batch in each, behind and
// before the operations of others.
//
// # Versions
//
// meta holds written, the schema that made the file, and min_reader, the least that a reader
// must know. A binary refuses a file only where it knows less than min_reader. It leaves the form
// of a file as it finds it, and writes that form, until it is told to upgrade, but for the bucket
// api_keys, which it adds to a file that has none: older binaries leave it alone. The records of a job
// and of a queue, and a queue's figures, keep the fields that this version does not know.
package boltstore
