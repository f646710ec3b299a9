package modes

import (
	"context"
	"strings"

	"optimus/config"
)

// applier has a process hold by other settings and languages: all of them or, with an error, none.
type applier func(config.Config, config.Catalogue) error

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
func (n *node) followReloads(ctx context.Context, apply applier) {
	n.part(ctx, "reloads", stopMargin, func(ctx context.Context) error {
		for {
			select {
			case <-n.reloads:
				_ = n.reload(apply) // the log has said it
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// reload reads configuration and catalogue anew, whoever asks, one after the other.
func (n *node) reload(apply applier) error {
	n.reloading.Lock()
	defer n.reloading.Unlock()
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
		return err
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
	return nil
}
