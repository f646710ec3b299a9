package modes

import (
	"context"
	"slices"

	"github.com/rs/zerolog"

	"optimus/config"
	"optimus/sandbox"
	"optimus/store"
	"optimus/web"
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
	warnOfNone(e.languages.Languages(), queues, log)
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

// warnOfNone says of a worker that takes nothing why: the names of its queues are no language's, or its
// languages' images are not here.
func warnOfNone(all []web.Language, queues []string, log zerolog.Logger) {
	mine := slices.DeleteFunc(slices.Clone(all), func(l web.Language) bool {
		return len(queues) > 0 && !slices.Contains(queues, l.Queue)
	})
	switch {
	case len(mine) == 0:
		log.Warn().Strs("queues", queues).Msg("no language of the catalogue goes to this worker's queues (worker.queues): only jobs that name one of them do")
	case !slices.ContainsFunc(mine, func(l web.Language) bool { return l.Available() }):
		log.Warn().Str("get_it_with", mine[0].HowToGet).Msg("this worker takes nothing: no image of its queues' languages is here")
	}
}
