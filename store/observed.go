package store

import (
	"context"
	"errors"
	"time"

	"optimus/sandbox"
)

// Observed gives the store whose operations observe is told of: each by its name, such as "claim", with the
// time from call to answer and its error, before the caller has it. What merely begins a wait (Watch, Wake,
// Cancellations) and Close are none. observe must be quick and takes calls of several goroutines; nil gives
// s itself. now is the clock.
func Observed(s Store, now func() time.Time, observe func(operation string, took time.Duration, err error)) Store {
	if observe == nil {
		return s
	}
	return &observed{Store: s, now: now, observe: observe}
}

// Result says in a word how an operation ended: "ok"; "refused", where the store has answered, with one of the
// errors that are no fault of its own; "cancelled", where the caller no longer wanted the answer; or "failed".
func Result(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrSchema):
		return "failed"
	}
	for _, answer := range []error{
		ErrNotFound, ErrInvalidID, ErrInvalid, ErrLeaseLost, ErrKeyConflict, ErrQueueFull, ErrQueueDrained, ErrConflict, ErrTooLarge,
		ErrTerminal, ErrNotTerminal, ErrTransition, ErrBadCursor,
	} {
		if errors.Is(err, answer) {
			return "refused"
		}
	}
	return "failed"
}

type observed struct {
	Store

	now     func() time.Time
	observe func(operation string, took time.Duration, err error)
}

// end is deferred with the time at which the operation began.
func (o *observed) end(operation string, began time.Time, err *error) {
	o.observe(operation, o.now().Sub(began), *err)
}

func (o *observed) LookupKey(ctx context.Context, tenant, key string, payload [32]byte) (id ID, err error) {
	defer o.end("lookup_key", o.now(), &err)
	return o.Store.LookupKey(ctx, tenant, key, payload)
}

func (o *observed) Submit(ctx context.Context, n NewJob) (job Job, replayed bool, err error) {
	defer o.end("submit", o.now(), &err)
	return o.Store.Submit(ctx, n)
}

func (o *observed) Get(ctx context.Context, id ID) (job Job, err error) {
	defer o.end("get", o.now(), &err)
	return o.Store.Get(ctx, id)
}

func (o *observed) List(ctx context.Context, f Filter) (page Page, err error) {
	defer o.end("list", o.now(), &err)
	return o.Store.List(ctx, f)
}

func (o *observed) Cancel(ctx context.Context, id ID) (job Job, err error) {
	defer o.end("cancel", o.now(), &err)
	return o.Store.Cancel(ctx, id)
}

func (o *observed) Delete(ctx context.Context, id ID) (err error) {
	defer o.end("delete", o.now(), &err)
	return o.Store.Delete(ctx, id)
}

func (o *observed) Events(ctx context.Context, id ID, after uint64) (events []Event, err error) {
	defer o.end("events", o.now(), &err)
	return o.Store.Events(ctx, id, after)
}

func (o *observed) Claim(ctx context.Context, r ClaimRequest) (claims []Claim, err error) {
	defer o.end("claim", o.now(), &err)
	return o.Store.Claim(ctx, r)
}

func (o *observed) Renew(ctx context.Context, leases []Lease, lease time.Duration) (renewals []Renewal, err error) {
	defer o.end("renew", o.now(), &err)
	return o.Store.Renew(ctx, leases, lease)
}

func (o *observed) Progress(ctx context.Context, l Lease, events ...Event) (err error) {
	defer o.end("progress", o.now(), &err)
	return o.Store.Progress(ctx, l, events...)
}

func (o *observed) Finish(ctx context.Context, l Lease, r sandbox.Report, events ...Event) (err error) {
	defer o.end("finish", o.now(), &err)
	return o.Store.Finish(ctx, l, r, events...)
}

func (o *observed) GiveBack(ctx context.Context, l Lease, g GiveBack) (err error) {
	defer o.end("give_back", o.now(), &err)
	return o.Store.GiveBack(ctx, l, g)
}

func (o *observed) Heartbeat(ctx context.Context, w Worker, ttl time.Duration) (err error) {
	defer o.end("heartbeat", o.now(), &err)
	return o.Store.Heartbeat(ctx, w, ttl)
}

func (o *observed) Redrive(ctx context.Context, id ID) (job Job, err error) {
	defer o.end("redrive", o.now(), &err)
	return o.Store.Redrive(ctx, id)
}

func (o *observed) Queues(ctx context.Context) (queues []QueueInfo, err error) {
	defer o.end("queues", o.now(), &err)
	return o.Store.Queues(ctx)
}

func (o *observed) SetQueueState(ctx context.Context, queue string, state QueueState) (err error) {
	defer o.end("set_queue_state", o.now(), &err)
	return o.Store.SetQueueState(ctx, queue, state)
}

func (o *observed) Workers(ctx context.Context) (workers []Worker, err error) {
	defer o.end("workers", o.now(), &err)
	return o.Store.Workers(ctx)
}

func (o *observed) Sweep(ctx context.Context) (swept Swept, err error) {
	defer o.end("sweep", o.now(), &err)
	return o.Store.Sweep(ctx)
}

func (o *observed) Schema(ctx context.Context) (schema Schema, err error) {
	defer o.end("schema", o.now(), &err)
	return o.Store.Schema(ctx)
}

func (o *observed) Upgrade(ctx context.Context) (schema Schema, err error) {
	defer o.end("upgrade", o.now(), &err)
	return o.Store.Upgrade(ctx)
}

func (o *observed) Ping(ctx context.Context) (err error) {
	defer o.end("ping", o.now(), &err)
	return o.Store.Ping(ctx)
}

func (o *observed) Describe(ctx context.Context) (description Description, err error) {
	defer o.end("describe", o.now(), &err)
	return o.Store.Describe(ctx)
}

func (o *observed) Export(ctx context.Context, do func(Record) error) (err error) {
	defer o.end("export", o.now(), &err)
	return o.Store.Export(ctx, do)
}

func (o *observed) Import(ctx context.Context, records []Record) (imported Imported, err error) {
	defer o.end("import", o.now(), &err)
	return o.Store.Import(ctx, records)
}

func (o *observed) APIKeys(ctx context.Context) (all []APIKey, err error) {
	defer o.end("api_keys", o.now(), &err)
	return o.Store.APIKeys(ctx)
}

func (o *observed) ChangeAPIKeys(ctx context.Context, change func(all []APIKey) (APIKeyChange, error)) (err error) {
	defer o.end("change_api_keys", o.now(), &err)
	return o.Store.ChangeAPIKeys(ctx, change)
}
