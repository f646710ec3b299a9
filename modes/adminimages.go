package modes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/urfave/cli/v2"

	"optimus/config"
	"optimus/sandbox/containerd"
)

// imagesCommand is `optimus admin images`: what the languages run in.
func imagesCommand(p Process) *cli.Command {
	jsonFlag := &cli.BoolFlag{Name: "json", Usage: "print JSON"}
	return &cli.Command{
		Name:  "images",
		Usage: "build, pull, import, export, list or prune the languages' images",
		Subcommands: []*cli.Command{
			{
				Name:        "list",
				Usage:       "list the languages' images and all others that are present",
				Description: "Those that are missing stand with the command that brings them." + examples("optimus admin images list"),
				Flags:       append(configFlags(), jsonFlag),
				Action:      func(c *cli.Context) error { return withImages(c, p, listImages) },
			},
			imagesBuildCommand(p, jsonFlag),
			{
				Name:  "pull",
				Usage: "fetch images from their registries",
				Description: "A language stands for the image that languages.json gives it; a reference names any image." +
					examples("optimus admin images pull lua", "optimus admin images pull docker.io/library/gcc:14"),
				ArgsUsage: "LANGUAGE|REFERENCE…",
				Flags:     append(configFlags(), jsonFlag),
				Action:    func(c *cli.Context) error { return withImages(c, p, pullImages) },
			},
			{
				Name:  "import",
				Usage: "take images from OCI or Docker archives; - is standard input",
				Description: "An image keeps the name that the archive gives it, which must be that of languages.json." +
					examples("optimus admin images import python.tar cpp.tar", "docker save lua:5.4 | optimus admin images import -"),
				ArgsUsage: "FILE…",
				Flags:     append(configFlags(), jsonFlag),
				Action:    func(c *cli.Context) error { return withImages(c, p, importImages) },
			},
			{
				Name:        "export",
				Usage:       "write an image as an OCI archive, which import and docker load read; - is standard output",
				Description: "The archive gets its name when all of it is there." + examples("optimus admin images export python python.tar"),
				ArgsUsage:   "LANGUAGE|REFERENCE FILE",
				Flags:       append(configFlags(), jsonFlag),
				Action:      func(c *cli.Context) error { return withImages(c, p, exportImage) },
			},
			{
				Name:  "prune",
				Usage: "remove the images that no language of the catalogue wants",
				Description: "It names them and asks. Images that belong to others are never looked at: Optimus has a containerd namespace\n" +
					"of its own." + examples("optimus admin images prune", "optimus admin images prune --cache --yes"),
				CustomHelpTemplate: helpOfDestroyer(),
				Flags: append(configFlags(), jsonFlag, yesFlag(),
					&cli.BoolFlag{Name: "cache", Usage: "remove archives of outdated recipes from the build cache too"}),
				Action: func(c *cli.Context) error { return withImages(c, p, pruneImages) },
			},
		},
	}
}

// imageSession is what the commands on images work with.
type imageSession struct {
	Process

	cfg      config.Config
	all      *catalogue
	images   *containerd.Images
	progress *progressLine
	log      zerolog.Logger
}

// daemonOptions says which containerd the settings mean.
func daemonOptions(cfg config.Config, log zerolog.Logger) containerd.DaemonOptions {
	return containerd.DaemonOptions{
		Mode:        cfg.Sandbox.Containerd,
		Dir:         filepath.Join(cfg.Data, "containerd"),
		Namespace:   cfg.Sandbox.Namespace,
		Snapshotter: cfg.Sandbox.Snapshotter,
		Log:         log,
	}
}

// withImages connects containerd for the time of one command.
func withImages(c *cli.Context, p Process, do func(*cli.Context, *imageSession) error) (err error) {
	s := &imageSession{Process: p, progress: newProgressLine(p.Stderr)}
	if s.cfg, err = loadConfig(c); err != nil {
		return err
	}
	if s.log, err = newLogger(p.Stderr, s.cfg.Logging); err != nil {
		return err
	}
	languages, err := config.LoadCatalogue(s.cfg.CataloguePath())
	if err != nil {
		return err
	}
	s.all = newCatalogue(languages, nil)
	daemon, err := containerd.Connect(c.Context, daemonOptions(s.cfg, s.log))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), closeDaemon)
		defer cancel()
		err = errors.Join(err, daemon.Close(ctx))
	}()
	s.images = daemon.Images()
	defer s.progress.clear()
	return do(c, s)
}

// imageRow is an image as list shows it: wanted by languages, or present, or both.
type imageRow struct {
	Ref       string   `json:"ref"`
	Languages []string `json:"languages"`
	Present   bool     `json:"present"`
	Digest    string   `json:"digest,omitempty"`
	// Size, in bytes, is that of the stored blobs.
	Size    int64      `json:"size,omitempty"`
	Created *time.Time `json:"created,omitempty"`
	// HowToGet is the command that brings an absent one here.
	HowToGet string `json:"how_to_get,omitempty"`
}

func listImages(c *cli.Context, s *imageSession) error {
	present, err := s.images.List(c.Context)
	if err != nil {
		return err
	}
	rows := []imageRow{}
	listed := map[string]bool{}
	for _, img := range present {
		rows = append(rows, s.row(img))
		listed[img.Ref] = true
	}
	for _, e := range s.all.entries() {
		ref, err := containerd.FullRef(e.config.Image)
		if err != nil {
			return fmt.Errorf("language %s: %w", e.config.Name, err)
		}
		if !listed[ref] {
			rows = append(rows, imageRow{Ref: ref, Languages: s.users(ref), HowToGet: howToGet(e.config)})
			listed[ref] = true
		}
	}
	slices.SortFunc(rows, func(a, b imageRow) int { return strings.Compare(a.Ref, b.Ref) })
	return s.print(c, rows)
}

// row describes an image that is present.
func (s *imageSession) row(img containerd.Image) imageRow {
	return imageRow{
		Ref: img.Ref, Languages: s.users(img.Ref), Present: true,
		Digest: img.Digest, Size: img.Size, Created: &img.Created,
	}
}

// users lists the languages of the image with that full reference.
func (s *imageSession) users(ref string) []string {
	names := []string{}
	for _, e := range s.all.entries() {
		if full, err := containerd.FullRef(e.config.Image); err == nil && full == ref && !slices.Contains(names, e.config.Name) {
			names = append(names, e.config.Name)
		}
	}
	return names
}

// print shows images, if there are any, as a table or, with --json, as they are.
func (s *imageSession) print(c *cli.Context, rows []imageRow) error {
	s.progress.clear()
	if c.Bool("json") {
		return writeJSON(s.Stdout, rows)
	}
	if len(rows) == 0 {
		return nil
	}
	t := newTable("IMAGE", "LANGUAGES", "SIZE", "DIGEST", "CREATED").alignRight("SIZE")
	now := time.Now()
	for _, r := range rows {
		languages := strings.Join(r.Languages, ", ")
		if !r.Present {
			t.add(r.Ref, languages, "", "missing: "+r.HowToGet, "")
			continue
		}
		t.add(r.Ref, languages, megabytes(r.Size), shortDigest(r.Digest), ago(now, *r.Created))
	}
	return t.writeTo(s.Stdout)
}

// shortDigest gives enough of a digest to tell images apart by.
func shortDigest(digest string) string {
	const enough = len("sha256:") + 12
	return digest[:min(len(digest), enough)]
}

// ref gives the image of a language, or takes the name as a reference.
func (s *imageSession) ref(name string) (string, error) {
	e, err := s.all.find(name, "")
	switch {
	case err == nil:
		return e.config.Image, nil
	case strings.ContainsAny(name, "/:@"):
		return name, nil
	default:
		return "", fmt.Errorf("%w; an image's reference has a registry or a tag, such as docker.io/library/%s:latest", err, name)
	}
}

func pullImages(c *cli.Context, s *imageSession) error {
	if !c.Args().Present() {
		return usagef("name what to pull: %s LANGUAGE|REFERENCE…", c.Command.HelpName)
	}
	rows := []imageRow{}
	for _, name := range c.Args().Slice() {
		ref, err := s.ref(name)
		if err != nil {
			return err
		}
		img, err := s.images.Pull(c.Context, ref, s.progress.of(name))
		if err != nil {
			if _, builds := s.all.recipe(ref, ""); builds && c.Err() == nil {
				err = fmt.Errorf("%w, or build it here: optimus admin images build %s", err, name)
			}
			return err
		}
		rows = append(rows, s.row(img))
	}
	return s.print(c, rows)
}

func importImages(c *cli.Context, s *imageSession) error {
	if !c.Args().Present() {
		return usagef("name the archives: %s FILE…", c.Command.HelpName)
	}
	rows := []imageRow{}
	for _, file := range c.Args().Slice() {
		var list []containerd.Image
		var err error
		if file == "-" {
			list, err = s.images.Import(c.Context, s.Stdin, s.progress.of("standard input"))
		} else {
			list, err = s.images.ImportFile(c.Context, file, s.progress.of(filepath.Base(file)))
		}
		if err != nil {
			return err
		}
		for _, img := range list {
			if len(s.users(img.Ref)) == 0 {
				s.log.Warn().Str("image", img.Ref).Msg("no language of the catalogue runs in this image")
			}
			rows = append(rows, s.row(img))
		}
	}
	return s.print(c, rows)
}

func exportImage(c *cli.Context, s *imageSession) error {
	const arguments = 2
	if c.NArg() != arguments {
		return usagef("name an image and a file: %s LANGUAGE|REFERENCE FILE", c.Command.HelpName)
	}
	ref, err := s.ref(c.Args().Get(0))
	if err != nil {
		return err
	}
	file := c.Args().Get(1)
	if file == "-" {
		return s.images.Export(c.Context, ref, s.Stdout)
	}
	img, err := s.images.Get(c.Context, ref)
	if err != nil {
		return err
	}
	if err := writeWhole(file, 0o644, func(w io.Writer) error { return s.images.Export(c.Context, ref, w) }); err != nil {
		return err
	}
	return s.print(c, []imageRow{s.row(img)})
}

// writeWhole has a file written under another name first, so that it is whole or not there.
func writeWhole(file string, mode os.FileMode, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

func pruneImages(c *cli.Context, s *imageSession) error {
	var keep []string
	for _, e := range s.all.entries() {
		keep = append(keep, e.config.Image)
	}
	unwanted, err := s.images.Unwanted(c.Context, keep)
	if err != nil {
		return err
	}
	rows, refs := []imageRow{}, []string{}
	for _, img := range unwanted {
		rows, refs = append(rows, s.row(img)), append(refs, img.Ref)
	}
	if len(refs) > 0 {
		if err := confirm(c, s.Process, "remove "+strings.Join(refs, ", ")); err != nil {
			return err
		}
	}
	for i, ref := range refs {
		if err := s.images.Remove(c.Context, ref); err != nil {
			return errors.Join(err, s.print(c, rows[:i]))
		}
	}
	if len(refs) == 0 && !c.Bool("json") {
		s.log.Info().Msg("no image to remove: each belongs to a language of the catalogue")
	}
	if c.Bool("cache") {
		err = s.pruneCache(c.Context)
	}
	return errors.Join(err, s.print(c, rows))
}

// pruneCache removes what no recipe of the catalogue would take from the build cache.
func (s *imageSession) pruneCache(ctx context.Context) error {
	dir, err := containerd.CacheDir(os.Getenv)
	if err != nil {
		return err
	}
	var keep []containerd.BuildOptions
	for _, e := range s.all.entries() {
		if r, ok := s.all.recipe(e.config.Image, ""); ok {
			keep = append(keep, containerd.BuildOptions{Ref: e.config.Image, Recipe: r})
		}
	}
	removed, err := containerd.PruneCache(ctx, dir, keep)
	for _, file := range removed {
		s.log.Info().Str("archive", file).Msg("removed from the build cache")
	}
	return err
}
