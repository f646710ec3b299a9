package store

import (
	"math/rand/v2"
	"time"
)

// MaxClockStep is the most that one operation adds to a queue's own clock, by which leases
// run out: each adds the wall clock's progress since the one before, never below 0. So a wall
// clock that jumps, or a process that is frozen, ends nobody's lease.
const MaxClockStep = 5 * time.Second

// Bounds of what a store takes; what is outside is [ErrInvalid].
const (
	MinPriority = -100
	MaxPriority = 100
	// MaxName, in bytes, bounds the names of queues, tenants, languages, tiers and workers.
	MaxName = 255
	// MaxKey, in bytes, bounds an idempotency key.
	MaxKey = 1024
	// MaxListLimit bounds Filter.Limit.
	MaxListLimit = 1000
	// DefaultListLimit is what a Filter.Limit of 0 means.
	DefaultListLimit = 100
)

// WithDefaults fills from [DefaultOptions] the fields that are zero, but for those whose zero
// means "no bound" or "for ever".
func (o Options) WithDefaults() Options {
	d := DefaultOptions()
	if o.Now == nil {
		o.Now = d.Now
	}
	o.MaxAttempts = orDefault(o.MaxAttempts, d.MaxAttempts)
	o.BackoffBase = orDefault(o.BackoffBase, d.BackoffBase)
	o.BackoffMax = orDefault(o.BackoffMax, d.BackoffMax)
	o.MaxPayload = orDefault(o.MaxPayload, d.MaxPayload)
	o.MaxReport = orDefault(o.MaxReport, d.MaxReport)
	o.MaxEvents = orDefault(o.MaxEvents, d.MaxEvents)
	o.MaxEventBytes = orDefault(o.MaxEventBytes, d.MaxEventBytes)
	o.KeyTTL = orDefault(o.KeyTTL, d.KeyTTL)
	return o
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v > 0 {
		return v
	}
	return d
}

// Backoff is the delay of the retry after the given number of counted attempts (1 or more).
func (o Options) Backoff(counted int) time.Duration {
	d := o.BackoffBase
	for range counted - 1 {
		if d >= o.BackoffMax {
			break
		}
		d *= 2
	}
	if fifth := int64(d) / 5; fifth > 0 {
		d += time.Duration(rand.Int64N(fifth)) //nolint:gosec // jitter guards no secret
	}
	return min(d, o.BackoffMax)
}
