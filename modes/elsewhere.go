package modes

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
)

// elsewhere is the catalogue of a server that shares its queue: what is not run here may be run by
// another worker.
type elsewhere struct {
	here languages
	// all has every language of the catalogue, with no word of what is on this machine.
	all *catalogue
	// lanes are those of the registered workers.
	lanes atomic.Pointer[map[store.Lane]bool]
}

// lookElsewhere is how often the other workers are asked for.
const lookElsewhere = 5 * time.Second

// follow keeps up with what the registered workers run, until ctx ends.
func (e *elsewhere) follow(ctx context.Context, st store.Operator, log zerolog.Logger) {
	ticker := time.NewTicker(lookElsewhere)
	defer ticker.Stop()
	for failing := false; ; {
		workers, err := st.Workers(ctx)
		switch {
		case err == nil:
			lanes := map[store.Lane]bool{}
			for _, w := range workers {
				for _, l := range w.Lanes {
					lanes[l] = true
				}
			}
			e.lanes.Store(&lanes)
		case !failing && ctx.Err() == nil:
			log.Warn().Err(err).Msg("listing workers failed; they are taken to run what they ran before")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Set has the catalogue be another from now on.
func (e *elsewhere) Set(stated config.Catalogue) {
	e.here.Set(stated)
	e.all.Set(stated)
}

func (e *elsewhere) runs(l sandbox.Language) bool {
	lanes := e.lanes.Load()
	return lanes != nil && (*lanes)[store.LaneOf(l)]
}

// Languages lists every language, and whether some worker runs it.
func (e *elsewhere) Languages() []web.Language {
	list := e.here.Languages()
	for i := range list {
		if l := &list[i]; l.State != web.LanguageAvailable && e.runs(l.Language) {
			l.State, l.HowToGet = web.LanguageElsewhere, ""
		}
	}
	return list
}

// Resolve gives the language that is meant, pinned to this machine's image only where it is here.
func (e *elsewhere) Resolve(name, version string) (sandbox.Language, error) {
	lang, err := e.here.Resolve(name, version)
	if missing := (*web.UnavailableError)(nil); !errors.As(err, &missing) {
		return lang, err
	}
	if there, unknown := e.all.Resolve(name, version); unknown == nil && e.runs(there) {
		return there, nil
	}
	return lang, err
}
