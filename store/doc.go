// Package store is the contract of the queue and the memory of jobs: the [Job], its states
// and their one transition table ([Transitions]), the [Store] interface and its typed errors.
// Backends live in sub-packages and are held to one suite, storetest.
//
// # Promises of every backend
//
//   - A submission is durable when Submit returns; only durable jobs are claimed.
//   - A job is executed at least once and gets exactly one terminal report.
//   - A claim is a lease, which its holder must renew. Once it is lost, Finish, GiveBack and
//     Progress fail with [ErrLeaseLost] and change nothing.
//   - An expired lease puts the job back with its attempt counted; after the attempts are spent
//     the job is failed (dead letter), listed, and can be re-driven.
//   - Leases run out by the queue's own clock, which no jump of the wall clock and no freeze
//     moves by more than [MaxClockStep]: an operation in which the wall clock has made more
//     progress ends an outage, after which leases begin anew. An expiry after an outage since
//     the last renewal, or beside a current heartbeat of the worker that holds the lease, is
//     not counted, at most as often as the job has attempts. Where one process alone can have
//     the store open, leases end with it.
//   - Cancellation reaches a running job: Renew says so.
//   - Idempotency keys are atomic, and belong to a tenant.
//   - A full queue answers [ErrQueueFull] instead of growing, and so does one that holds a tenant's share.
//   - All that it keeps can be moved into another store ([Mover]), also while it is in use.
//   - Within a queue a job of higher priority is claimed first; within a priority tenants share
//     fairly; within a tenant and lane the order is first in, first out.
package store
