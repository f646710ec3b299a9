// Package redisstore keeps jobs and queues on a server that speaks the Redis protocol, single, behind
// Sentinels or as a Cluster, for any number of servers and workers. See [Open].
//
// # The keys
//
// Below is what the server holds, with the type of each key and what is in it. P is the prefix, N a
// queue's number. Texts stand as they are; a lane is its language's length, the language and the tier
// (6:python/shared), a group the length of its tenant, the tenant, 100 minus the priority in three
// digits, and the lane. Records are MessagePack arrays; record.go lists
// their fields, and the figures.
//
//	{P}:meta                     hash    format, written, min_reader
//	{P}:queues                   hash    number → name
//	{P}:numbers                  hash    name → number
//	{P}:workers                  hash    name → end, time seen, JSON
//	{P}:beats                    zset    names of workers, by end
//	{P}:probe                    string  what a ping has written
//	{P}:api_keys                 hash    id → JSON of an API key, its secret as a hash
//	P:key:{length:tenant:key}    string  state, job, hash, end of an idempotency key
//	{P:N}:figures                string  numbers of 8 bytes: clock, counts, counters
//	{P:N}:virtual                hash    priority → virtual time
//	{P:N}:minutes                hash    minute since 1970 → counters
//	{P:N}:unfinished             hash    id → record, of jobs that are ready, delayed or running
//	{P:N}:ended                  hash    id → record, of all other jobs
//	{P:N}:payload:id             string  JSON: the submission, written once
//	{P:N}:report:id              string  JSON: the report, written once
//	{P:N}:events:id              list    seq, time, kind, data of events; see also below
//	{P:N}:open                   zset    ids of unfinished jobs
//	{P:N}:open:tenant            zset    likewise
//	{P:N}:completed              zset    ids
//	{P:N}:completed:tenant       zset    ids
//	{P:N}:failed                 zset    ids
//	{P:N}:failed:tenant          zset    ids
//	{P:N}:cancelled              zset    ids
//	{P:N}:cancelled:tenant       zset    ids
//	{P:N}:group:group            zset    ids of ready jobs, by place
//	{P:N}:lane:lane              zset    place and group of heads, by priority and virtual start
//	{P:N}:parked                 zset    groups whose tenant is at its running limit
//	{P:N}:shares                 hash    tenant → record: running, virtual ends by priority
//	{P:N}:delayed                zset    ids, by time
//	{P:N}:leases                 zset    ids of running jobs, by the lease's end
//	{P:N}:kept                   zset    ids of completed and cancelled jobs, by their end
//	{P:N}:kept:failed            zset    ids of dead letters, by their end
//	{P:N}:revoked:id             string  an id that was made ahead and must not be used any more
//	{P:N}:processes              zset    processes that wait, by when that ends
//	{P:N}:waiting:lane           zset    processes that wait for a lane, by when they were last told
//
// The length of unfinished is what KEDA may scale by. The channels are P:news, for new queues, and
// P:process:name, where a process hears of what it waits for. A user (ACL) of the server needs all
// commands on the keys P:*, {P}:* and {P:* and on the channels P:*.
//
// # Scripts
//
// Every transition is one script in lua/, which the server runs as a whole or not at all, and which
// states its keys, arguments and answers. All keys of a queue share a slot of a Cluster; a script is
// given one of them and makes the others' names from it. Scripts are called by their hash, and brought
// to a server that does not know them. They check before they write. Their first write is one that a server
// refuses that is full, if it is a submission, an import or progress, and one that it never refuses otherwise: what has
// been accepted can be worked off.
//
// Concurrent calls share pipelines, and those of the common scripts for one queue a run of the script
// (lua/lib/many.lua). A run reads and writes the queue's figures once for all of them, and gathers what it writes
// of other keys, each of which gets it in one command (lua/lib/queue.lua). A claim takes from lanes and groups as it
// has read them, and writes what has come of them when it is done. A call whose connection breaks is sent again, within
// [Options].RetryFor, and says so; what the script does then is as if it had been sent once:
//
//   - Ids are made ahead: a submission whose job is there does nothing.
//   - A claim finds the jobs that it was given by their tokens.
//   - Whatever ends a lease leaves its mark in the job. A caller that tries again itself, since the
//     outcome was unknown, is known by it too, in the process that has tried before.
//
// # Idempotency keys
//
// A key's record has a slot of its own, so three scripts make a job with a key: one reserves the key
// for an id, one makes the job, unless it is there, and one confirms. Whoever finds a reservation whose
// job is missing makes that job, with the same id. Where that must not be (the queue is full or drained, the
// reservation is for another payload or is older than a minute) the id is revoked in its queue first, after which no
// late submission can use it, and another takes its place.
//
// # Order
//
// Ready jobs of one tenant, lane and priority form a group, in which the place in the queue decides,
// which a job gets with its submission and keeps. The head of each group stands in its lane, by
// priority, virtual start time and place; a claim takes the best head of the lanes named. The virtual
// time of a queue and priority is the start of the job last claimed there; a job that becomes head
// starts at that time, or where its tenant's last claimed job ends, one unit after that one's start,
// whichever is later (start-time fair queueing). A tenant at its running limit has no heads: a claim
// that meets one parks its group, and parked groups come back when a job of the tenant stops running.
// The limit is the one with which a store was last opened without KeepLimit. Between queues priority decides, then whose
// turn it is.
//
// A job's place is when it came, in µs, and behind the one before. One that an import brings has the place
// of its id's time: those of other stores stand in the order of their ids. An id that does not sort after
// all that were imported or have been forgotten is refused to a submission, which makes another.
//
// # Time, leases
//
// The time is the server's: the clock of no other machine matters. Ids carry it too, as far as
// the process that makes them knows it. Each queue has a clock, by which leases run out. A script
// moves it by what the time has moved since the one before, never below 0 nor above
// [store.MaxClockStep]. More than that between two scripts is an outage (the server was down or frozen, its
// clock was set), unless no process remembers the time before: then everybody was down, perhaps by the job's own doing.
// The sweeper must therefore run every few seconds.
//
//   - A lease runs out when the queue's clock reaches its end. From then on it is lost; the
//     next sweep puts the job back.
//   - An outage since its last renewal gives a lease its whole length again, from the end of
//     the outage.
//   - An expiry counts as an attempt, unless there was an outage since the last renewal, or the
//     worker's heartbeat is current and this worker had started before the attempt did. As many
//     expiries are pardoned as the job has attempts, so that none goes round for ever.
//
// # Wake-ups
//
// A process has one subscription, whoever waits in it. It registers in every queue for the lanes that
// its workers wait for. A job that becomes ready has the queue tell one process, the one that was told
// longest ago, or the next where nobody hears it (of which a Cluster knows nothing): it was killed. That
// process wakes one of its workers, or passes the wake-up on. Jobs know the process that
// holds their lease, which is told of a cancellation, and those that watch them. Messages say only
// "look", and may be lost, so callers also look unasked now and then; after its connection was lost a
// process has everybody look.
//
// # Export and import
//
// An export reads a queue's jobs by their ids, a hundred in one script, from the four indexes in one of which
// each job stands: so that one is read whole, and once, whatever becomes of it meanwhile. The first script
// also gives the queue's figures and its latest id, at which the export ends. Idempotency keys are read behind
// their jobs. An import registers new queues, all or none; then it holds the keys, for a minute, so that a
// submission with one of them is told to come again rather than makes another job; then one script a
// queue adds its jobs, all or none; then the keys are bound for good. Each step leaves alone what is there, so
// an import may be repeated.
//
// # What may be lost
//
// An acknowledged submission or report outlives what [Durability] says, if the server is set up for it;
// [Store.Describe] tells where it is not. A server that loses what it has acknowledged, such as a replica
// that takes over without the last writes, loses those jobs, or does them again.
//
// # Versions
//
// meta holds written, the schema that made the keys, and min_reader, the least that a reader must
// know. A binary refuses keys only where it knows less than min_reader. It leaves their form as it finds
// it, and writes that form, until it is told to upgrade. Records keep the fields that this version does
// not know, and figures the numbers.
//
// An upgrade that raises min_reader says so in meta first, then in each queue, as the first number behind
// its figures. A script that knows less than that number changes nothing: from then on no job is touched by
// an older process that still runs. Queues that come later such a process cannot learn of without
// learning that it is too old. Only then is the new form written. A process that meets it ends its
// use of the store.
//
// A job's first event, that it is queued, is not kept but told from its record, which also holds the latest
// events of its state: the stream is for what its worker tells, and a job that waits needs none.
package redisstore
