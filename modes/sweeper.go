package modes

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"optimus/store"
)

// sweeper is what the sweep loop needs of a store.
type sweeper interface {
	Sweep(ctx context.Context) (store.Swept, error)
}

// sweep has the store look for expired leases, due retries and old jobs at each tick, until ctx
// ends. A failure is logged when it begins and when it is over.
func sweep(ctx context.Context, s sweeper, tick <-chan time.Time, log zerolog.Logger) {
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		swept, err := s.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			log.Error().Err(err).Msg("sweeping the store fails: leases and retries stand still until it works again")
		case err == nil && failing:
			log.Info().Msg("sweeping the store works again")
		}
		failing = err != nil
		if swept != (store.Swept{}) {
			log.Info().Int("expired", swept.Expired).Int("dead_lettered", swept.DeadLettered).
				Int("promoted", swept.Promoted).Int("deleted", swept.Deleted).Msg("swept")
		}
	}
}
