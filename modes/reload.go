package modes

import (
	"context"
	"strings"

	"optimus/config"
)

// hearReloads has the user's wish to read the configuration again wait until followReloads, where it would
// end the process.
func (n *node) hearReloads(ctx context.Context) {
	if n.process.Reload != nil {
		n.reloads = n.process.Reload(context.WithoutCancel(ctx)) // while it drains too
	}
}

// followReloads has apply hold what the configuration and the catalogue say whenever the user asks the
// process to read them again. What cannot be read, or apply refuses, changes nothing; jobs go on by what
// they were submitted with.
func (n *node) followReloads(ctx context.Context, apply func(config.Config, config.Catalogue) error) {
	n.part(ctx, "reloads", stopMargin, func(ctx context.Context) error {
		for {
			select {
			case <-n.reloads:
				n.reload(apply)
			case <-ctx.Done():
				return nil
			}
		}
	})
}

func (n *node) reload(apply func(config.Config, config.Catalogue) error) {
	next, err := n.config.Again()
	var stated config.Catalogue
	if err == nil {
		stated, err = config.LoadCatalogue(next.CataloguePath())
	}
	if err == nil {
		err = apply(next, stated)
	}
	if err != nil {
		n.log.Error().Err(err).Msg("the configuration was not read anew: all stays as it was")
		return
	}
	select {
	case n.rewarm <- struct{}{}:
	default: // it is about to look anyway
	}
	done := n.log.Info().Int("languages", len(stated.Languages)).Int("keys", len(next.Keys))
	if wait := n.config.NeedStart(next); len(wait) > 0 {
		done = done.Str("hold_from_the_next_start", strings.Join(wait, ", "))
	}
	done.Msg("the configuration was read anew")
}
