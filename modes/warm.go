package modes

import (
	"context"
	"slices"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/store"
)

// lanes gives what a worker claims: all that can be run here or, where only is not empty, what of
// it belongs to those languages.
func lanes(all languages, only []string) func() []store.Lane {
	if len(only) == 0 {
		return all.Lanes
	}
	return func() []store.Lane {
		return slices.DeleteFunc(all.Lanes(), func(l store.Lane) bool { return !slices.Contains(only, l.Language) })
	}
}

// warmUp starts the containers of the languages that the setting names, so that their first job
// finds them warm; of a worker of some queues, those that are available and whose jobs go there. What
// cannot be warmed is logged, and holds up nothing.
func warmUp(ctx context.Context, e *engine, names, queues []string, log zerolog.Logger) {
	var langs []sandbox.Language
	for _, l := range e.languages.Languages() {
		named := slices.Contains(names, l.Name)
		here := len(queues) == 0 || slices.Contains(queues, l.Queue)
		if !named && (!here || !slices.Contains(names, config.WarmAvailable)) {
			continue
		}
		if l.Available() {
			langs = append(langs, l.Language)
		} else if named {
			log.Warn().Str("language", l.Name).Str("get_it_with", l.HowToGet).Msg("language is to be kept warm, but is not available")
		}
	}
	for name, err := range e.warm(ctx, langs...) {
		if ctx.Err() == nil {
			log.Error().Err(err).Str("language", name).Msg("language could not be warmed: its first job will try again")
		}
	}
}
