package store

import "time"

// Options are the settings that every backend takes.
type Options struct {
	// Now is the clock; nil means time.Now in UTC. A test gives its own.
	Now func() time.Time
	// MaxAttempts of a job that states none.
	MaxAttempts int
	// BackoffBase is the delay of the first counted retry; it doubles with each, with jitter of
	// up to a fifth, to at most BackoffMax. A retry that is due later than that is due at once:
	// the clock has gone back.
	BackoffBase, BackoffMax time.Duration
	// MaxDepth is how many unfinished jobs a queue holds; 0 is no bound.
	MaxDepth int
	// MaxBytes bounds the bytes of the stored submissions of a queue's unfinished jobs; 0 is no
	// bound.
	MaxBytes int64
	// MaxPayload and MaxReport, in bytes, bound a job's stored submission and report.
	MaxPayload, MaxReport int64
	// MaxEvents bounds a job's event stream, and MaxEventBytes the bytes of its data; the oldest
	// output goes first.
	MaxEvents     int
	MaxEventBytes int64
	// Retention is how long an ended job is kept; 0 is for ever. FailedRetention likewise for
	// dead letters.
	Retention, FailedRetention time.Duration
	// KeyTTL is how long an idempotency key is remembered.
	KeyTTL time.Duration
	// TenantRunning bounds how many jobs of one tenant run at once in a queue; 0 is no bound.
	TenantRunning int
	// TenantQueued bounds how many unfinished jobs of one tenant a queue holds; 0 is no bound.
	TenantQueued int
	// Ended, where not nil, is told of each job that an operation of this store has ended, be it
	// Finish, GiveBack, Cancel or Sweep, as a list shows the job: once, after that is durable and
	// before the operation returns. Of all processes on one store only the one whose operation it
	// was is told. It must be quick, and must not call the store.
	Ended func(Job)
}

// DefaultOptions are the settings of a `serve` without configuration.
func DefaultOptions() Options {
	return Options{
		Now:             func() time.Time { return time.Now().UTC() },
		MaxAttempts:     3,
		BackoffBase:     time.Second,
		BackoffMax:      time.Minute,
		MaxDepth:        100_000,
		MaxBytes:        4 << 30,
		MaxPayload:      64 << 20,
		MaxReport:       64 << 20,
		MaxEvents:       1000,
		MaxEventBytes:   1 << 20,
		Retention:       7 * 24 * time.Hour,
		FailedRetention: 30 * 24 * time.Hour,
		KeyTTL:          24 * time.Hour,
	}
}
