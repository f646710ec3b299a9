package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"optimus/sandbox"
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

// ValidName tells whether a name is UTF-8 of at most MaxName bytes. It may be empty.
func ValidName(s string) bool { return len(s) <= MaxName && utf8.ValidString(s) }

// Validate refuses, with an [ErrInvalid], what no store takes.
func (n NewJob) Validate() error {
	lane := n.Lane()
	for what, name := range map[string]string{
		"tenant": n.Tenant, "queue": n.Queue, "language": lane.Language, "tier": string(lane.Tier),
	} {
		if !ValidName(name) {
			return fmt.Errorf("%w: the name of the %s is not UTF-8 of at most %d bytes", ErrInvalid, what, MaxName)
		}
	}
	switch {
	case n.Queue == "":
		return fmt.Errorf("%w: the queue has no name", ErrInvalid)
	case len(n.Key) > MaxKey || !utf8.ValidString(n.Key):
		return fmt.Errorf("%w: the idempotency key is not UTF-8 of at most %d bytes", ErrInvalid, MaxKey)
	case !ValidName(n.Trace):
		return fmt.Errorf("%w: the trace is not UTF-8 of at most %d bytes", ErrInvalid, MaxName)
	case n.Priority < MinPriority || n.Priority > MaxPriority:
		return fmt.Errorf("%w: priority %d is not from %d to %d", ErrInvalid, n.Priority, MinPriority, MaxPriority)
	case n.MaxAttempts < 0:
		return fmt.Errorf("%w: %d attempts", ErrInvalid, n.MaxAttempts)
	}
	return nil
}

// EncodeSubmission gives the submission as it is stored, or refuses, with an [ErrInvalid] or an
// [ErrTooLarge], what does not fit.
func (o Options) EncodeSubmission(n NewJob) ([]byte, error) {
	if err := n.Validate(); err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	payload, err := json.Marshal(n.Submission)
	if err != nil {
		return nil, fmt.Errorf("submit: %w: %w", ErrInvalid, err)
	}
	most := o.MaxPayload
	if o.MaxBytes > 0 {
		most = min(most, o.MaxBytes)
	}
	if int64(len(payload)) > most {
		return nil, fmt.Errorf("submit: %w: the submission takes %d bytes, %d are allowed", ErrTooLarge, len(payload), most)
	}
	return payload, nil
}

// EncodeReport gives the report as it is stored, or an [ErrInvalid] or [ErrTooLarge].
func (o Options) EncodeReport(r sandbox.Report) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("report: %w: %w", ErrInvalid, err)
	}
	if int64(len(raw)) > o.MaxReport {
		return nil, fmt.Errorf("report: %w: it takes %d bytes, %d are allowed", ErrTooLarge, len(raw), o.MaxReport)
	}
	return raw, nil
}

// EncodeGiveBack gives the verdict of a job that the give-back ends, and its report as it is stored: nil for one
// that says the reason. Errors are those of [Options.EncodeReport].
func (o Options) EncodeGiveBack(g GiveBack) (sandbox.Verdict, []byte, error) {
	if g.Report == nil {
		return sandbox.InternalError, nil, nil
	}
	raw, err := o.EncodeReport(*g.Report)
	return g.Report.Verdict, raw, err
}

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
