package modes

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"optimus/deploy"
	"optimus/sandbox/containerd"
)

func imagesBuildCommand(p Process, jsonFlag cli.Flag) *cli.Command {
	return &cli.Command{
		Name:  "build",
		Usage: "build images from the catalogue's Debian recipes, without a registry",
		Description: "Needs mmdebstrap and a Debian mirror: sandbox.debian_mirror, else OPTIMUS_DEBIAN_MIRROR, else the one\n" +
			"that this machine's apt uses. Archives are kept below OPTIMUS_CACHE (default: /var/cache/optimus/images\n" +
			"for root), so that a second build only imports." +
			examples("optimus admin images build python cpp", "optimus admin images build --all --rebuild"),
		ArgsUsage: "LANGUAGE…",
		Flags: append(configFlags(), jsonFlag,
			&cli.BoolFlag{Name: "all", Usage: "build for every language that has a recipe"},
			&cli.BoolFlag{Name: "rebuild", Usage: "build even what is in the cache, with the packages of today"},
			&cli.BoolFlag{Name: "dockerfile", Usage: "print the recipe as a Dockerfile instead, to build elsewhere"}),
		Action: func(c *cli.Context) error {
			if c.Bool("dockerfile") {
				return printDockerfile(c, p)
			}
			if c.Bool("all") == c.Args().Present() {
				return usagef("name languages, or give --all: %s LANGUAGE…", c.Command.HelpName)
			}
			return withImages(c, p, buildImages)
		},
	}
}

// buildImages builds one after the other: a build is bound by the processor.
func buildImages(c *cli.Context, s *imageSession) error {
	entries, err := s.buildable(c)
	if err != nil {
		return err
	}
	rows := []imageRow{}
	var errs []error
	done := map[string]bool{}
	for _, e := range entries {
		ref := e.config.Image
		if done[ref] {
			continue // languages may share an image
		}
		done[ref] = true
		recipe, ok := s.all.recipe(ref, s.cfg.Sandbox.DebianMirror)
		if !ok {
			errs = append(errs, fmt.Errorf("language %s has no recipe: optimus admin images pull %s", e.config.Name, e.config.Name))
			continue
		}
		img, err := s.images.Build(c.Context, containerd.BuildOptions{
			Recipe: recipe, Ref: ref, Rebuild: c.Bool("rebuild"), Progress: s.progress.of(e.config.Name), Log: s.log,
		})
		if err != nil {
			errs = append(errs, err)
			if c.Err() != nil {
				break
			}
			continue // one that can't be built holds up no other
		}
		rows = append(rows, s.row(img))
	}
	return errors.Join(append(errs, s.print(c, rows))...)
}

// buildable gives the languages that the arguments name, or all that have a recipe.
func (s *imageSession) buildable(c *cli.Context) ([]catalogueEntry, error) {
	var entries []catalogueEntry
	if c.Bool("all") {
		for _, e := range s.all.entries() {
			if _, ok := s.all.recipe(e.config.Image, ""); ok {
				entries = append(entries, e)
			}
		}
		return entries, nil
	}
	var errs []error
	for _, name := range c.Args().Slice() {
		e, err := s.all.find(name, "")
		errs = append(errs, err)
		entries = append(entries, e)
	}
	return entries, errors.Join(errs...)
}

// printDockerfile needs no containerd.
func printDockerfile(c *cli.Context, p Process) error {
	if c.NArg() != 1 {
		return usagef("name one language: %s --dockerfile LANGUAGE", c.Command.HelpName)
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	files, err := renderDockerfile(c, p, cfg)
	if err != nil {
		return err
	}
	return printed(io.WriteString(p.Stdout, deploy.Join(files)))
}
