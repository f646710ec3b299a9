package worker

import (
	"time"

	"github.com/rs/zerolog"
)

// outage says once that a call of the store fails, and once that it works again.
type outage struct{ failures int }

func (o *outage) note(log zerolog.Logger, call string, err error) {
	switch {
	case err != nil && o.failures == 0:
		log.Warn().Err(err).Str("call", call).Msg("the store fails; trying on")
	case err == nil && o.failures > 0:
		log.Info().Str("call", call).Int("failures", o.failures).Msg("the store answers again")
	}
	if err == nil {
		o.failures = 0
	} else {
		o.failures++
	}
}

const (
	firstRetry   = 20 * time.Millisecond
	slowestRetry = 2 * time.Second
)

// delay before the next try: doubling from a fiftieth of a second to most.
func (o *outage) delay(most time.Duration) time.Duration {
	return min(firstRetry<<min(max(o.failures-1, 0), 12), most)
}
